// Package auth has sign-up, sign-in, sign-out, password reset, email confirmation and
// reauthentication.
package auth

import "vestibule/app/web"

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }
