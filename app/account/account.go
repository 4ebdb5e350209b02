// Package account has the pages on which users manage their own account.
package account

import (
	"vestibule/app/auth"
	"vestibule/app/web"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

func (h Handlers) auth() auth.Handlers { return auth.Handlers{Kit: h.Kit} }
