package web

import (
	"time"

	"github.com/gin-gonic/gin"
)

// newToasts returns the messages that a page may show once, by key. A cookie carries the
// key over a redirect, never the message: an attacker who can set a cookie must not be
// able to choose the site's words.
func newToasts() map[string]string {
	return map[string]string{
		"welcome":          "Welcome! Your account is ready",
		"signed-in":        "Signed in",
		"signed-out":       "Signed out",
		"saved":            "Changes saved",
		"verified":         "Email address confirmed",
		"link-sent":        "Link sent",
		"email-canceled":   "Email change canceled",
		"too-soon":         "We sent a link a moment ago. Check your inbox, or try again in a minute.",
		"password-changed": "Password changed, other devices signed out",
		"session-ended":    "Device signed out",
		"sessions-ended":   "Other devices signed out",
		"deleted":          "Account deleted",
		"expired":          "Your session has ended. Please sign in again.",

		"organization-created": "Organization created",
		"organization-deleted": "Organization deleted",
		"invited":              "Invitation sent",
		"invited-all":          "Invitations sent",
		"role-created":         "Role created",
		"role-saved":           "Role saved",
		"role-changed":         "Role changed",
		"revoked":              "Invitation revoked",
		"joined":               "Invitation accepted",
		"declined":             "Invitation declined",
		"left":                 "You've left the organization",
		"removed":              "Member removed",
		"role-deleted":         "Role deleted. Its members now have the Member role.",
		"transferred":          "Ownership transferred",

		"changed": "Your account changed in the meantime, so nothing was done. Please check, and try again.",
	}
}

// AddToasts adds the messages of a feature. It panics if there is a toast of that name
// already.
func (k *Kit) AddToasts(toasts map[string]string) {
	for name, text := range toasts {
		if _, taken := k.toasts[name]; taken {
			panic("two features have the toast " + name)
		}
		k.toasts[name] = text
	}
}

// toastText returns the message of a toast. It panics if there is no such toast.
func (k *Kit) toastText(toast string) string {
	text, ok := k.toasts[toast]
	if !ok {
		panic("no toast " + toast)
	}
	return text
}

// Flash shows a toast on the next page.
func (k *Kit) Flash(c *gin.Context, toast string) {
	_ = k.toastText(toast) // panic here, not on the next page
	k.setCookie(c, toastCookie, toast, time.Minute)
}

// takeFlash returns the toast of the previous request, and deletes its cookie.
func (k *Kit) takeFlash(c *gin.Context) string {
	key := k.cookie(c, toastCookie)
	if key == "" {
		return ""
	}
	k.clearCookie(c, toastCookie)
	return k.toasts[key]
}
