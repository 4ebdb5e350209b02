// Package mailed has what mailed links and codes lead to: signing in, a new password, the
// confirmation of an email address, the recovery of an account, and "This wasn't me".
package mailed

import (
	"vestibule/app/auth"
	"vestibule/app/web"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

func (h Handlers) auth() auth.Handlers { return auth.Handlers{Kit: h.Kit} }
