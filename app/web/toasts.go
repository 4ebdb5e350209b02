package web

import (
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/templates/components"
)

// addOwnToasts adds the messages that no feature owns. A cookie carries the key over a
// redirect, never the message: an attacker who can set a cookie must not be able to
// choose the site's words.
func (k *Kit) addOwnToasts() {
	k.AddToasts(components.Good, map[string]string{
		"welcome":          "Welcome! Your account is ready",
		"signed-in":        "Signed in",
		"saved":            "Changes saved",
		"verified":         "Email address confirmed",
		"link-sent":        "Link sent",
		"email-canceled":   "Email change canceled",
		"password-changed": "Password changed, other devices signed out",
		"passkey-added":    "Passkey added",
		"passkey-renamed":  "Passkey renamed",
		"passkey-removed":  "Passkey removed",
		"disconnected":     "Account disconnected",
		"password-removed": "Password removed, other devices signed out",
		"session-ended":    "Device signed out",
		"sessions-ended":   "Other devices signed out",

		"authenticator-added":   "Authenticator app added",
		"authenticator-removed": "Authenticator app removed",
		"browser-revoked":       "Trust revoked",
		"recovery-canceled":     "Recovery canceled",
		"recovered":             "Account recovered",

		"organization-created": "Organization created",
		"invited":              "Invitation sent",
		"invited-all":          "Invitations sent",
		"role-created":         "Role created",
		"role-saved":           "Role saved",
		"role-changed":         "Role changed",
		"revoked":              "Invitation revoked",
		"joined":               "Invitation accepted",
		"declined":             "Invitation declined",
		"removed":              "Member removed",
		"role-deleted":         "Role deleted. Its members now have the Member role.",
		"transferred":          "Ownership transferred",
		"two-factors-required": "Second step required",
		"two-factors-lifted":   "Second step no longer required",
	})
	k.AddToasts(components.Note, map[string]string{
		"signed-out":           "Signed out",
		"claimed":              "Signed in. Your email address wasn't confirmed before, so we removed the password and the devices that this account had.",
		"expired":              "Your session has ended. Please sign in again.",
		"deleted":              "Account deleted",
		"organization-deleted": "Organization deleted",
		"left":                 "You've left the organization",
		"impersonation-begun":  "Impersonation started",
		"impersonation-over":   "Impersonation ended",
	})
	k.AddToasts(components.Problem, map[string]string{
		"sign-in-ended": "That took too long, or your account changed. Please sign in again.",
		"set-up-ended":  "That took too long. Please scan the new code.",
		"disabled":      "This account is disabled. Please contact the site's administrator.",

		"provider-expired": "That took too long, or began in another browser. Please try again.",
		"too-soon":         "We sent a link a moment ago. Check your inbox, or try again in a minute.",
		"changed":          "Your account changed in the meantime, so nothing was done. Please check, and try again.",
	})
}

// AddToasts adds the messages of a feature, by key. The kind says how they look and how
// long they stay. It panics if there is a toast of that key already.
func (k *Kit) AddToasts(kind components.Kind, toasts map[string]string) {
	for key, text := range toasts {
		if _, taken := k.toasts[key]; taken {
			panic("two features have the toast " + key)
		}
		k.toasts[key] = components.Message{Kind: kind, Text: text}
	}
}

// message returns the message of a toast. It panics if there is no such toast.
func (k *Kit) message(toast string) components.Message {
	m, ok := k.toasts[toast]
	if !ok {
		panic("no toast " + toast)
	}
	return m
}

// Flash shows a toast on the next page.
func (k *Kit) Flash(c *gin.Context, toast string) {
	_ = k.message(toast) // panic here, not on the next page
	k.SetCookie(c, toastCookie, toast, time.Minute)
}

// takeFlash returns the toast of the previous request, if there is one, and deletes its
// cookie.
func (k *Kit) takeFlash(c *gin.Context) components.Message {
	key := k.Cookie(c, toastCookie)
	if key == "" || IsPrefetch(c) { // perhaps never shown
		return components.Message{}
	}
	k.ClearCookie(c, toastCookie)
	return k.toasts[key]
}
