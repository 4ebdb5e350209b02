// Package auth holds the ways in: sign-up, sign-in, sign-out, a forgotten
// password, email confirmation and re-authentication.
package auth

import "vestibule/app/web"

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }
