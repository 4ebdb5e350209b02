package web

import (
	"time"

	"github.com/gin-gonic/gin"
)

// toasts are the sentences that a page may show once, by their key. A cookie
// carries the key over a redirect, never a sentence: whoever can set a cookie
// could else put words into the site's mouth.
var toasts = map[string]string{
	"welcome":          "Your account is ready. Welcome!",
	"signed-in":        "You are signed in.",
	"signed-out":       "You are signed out.",
	"saved":            "Your changes are saved.",
	"verified":         "Your e-mail is confirmed.",
	"link-sent":        "A new link is on its way to you.",
	"too-soon":         "A link was sent a moment ago. Look into your inbox, or try again in a minute.",
	"password-changed": "Your new password is set, and all other devices are signed out.",
	"session-ended":    "That device is signed out.",
	"sessions-ended":   "All other devices are signed out.",
	"deleted":          "Your account is deleted.",
	"expired":          "Your session has ended. Please sign in again.",

	"organization-created": "Your organization is ready.",
	"organization-deleted": "The organization is deleted.",
	"invited":              "The invitation is on its way.",
	"role-changed":         "The role is changed.",
	"revoked":              "The invitation is taken back.",
	"joined":               "You are a member now. Welcome!",
	"left":                 "You have left the organization.",
	"removed":              "They are no member any more.",
	"gone":                 "It is deleted.",
	"role-deleted":         "The role is deleted. Who had it is a plain member.",
	"transferred":          "The organization has a new owner.",

	"changed": "Your account changed at this very moment, so nothing was done. Please look, and try again.",
}

// ToastText returns the sentence of a toast. One that there is not is a fault of
// the program.
func ToastText(toast string) string {
	text, ok := toasts[toast]
	if !ok {
		panic("no toast " + toast)
	}
	return text
}

// Flash shows a toast on the next page.
func (k *Kit) Flash(c *gin.Context, toast string) {
	_ = ToastText(toast) // fails here rather than on the next page
	k.setCookie(c, k.prefixed("toast"), toast, time.Minute)
}

// takeFlash returns the toast that the last page left, and forgets it.
func (k *Kit) takeFlash(c *gin.Context) string {
	key, err := c.Cookie(k.prefixed("toast"))
	if err != nil {
		return ""
	}
	k.clearCookie(c, k.prefixed("toast"))
	return toasts[key]
}
