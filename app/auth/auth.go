// Package auth has sign-up, sign-in and its steps, sign-out and reauthentication. Every way in
// calls [Handlers.Prove] with what it has proved.
package auth

import "vestibule/app/web"

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }
