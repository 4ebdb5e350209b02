// Package oauth has signing in and up by a provider, such as Google or GitHub (OpenID Connect
// or OAuth 2.0), and signing out when a provider says so. Package provider has the protocols.
package oauth

import (
	"vestibule/app/auth"
	"vestibule/app/web"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

func (h Handlers) auth() auth.Handlers { return auth.Handlers{Kit: h.Kit} }
