package components

import (
	"cmp"

	"vestibule/models"
)

// ThrottleLabel says in words what a throttle of that kind limits (see [models.Throttle]). A
// kind without words stands for itself: another version may have counted it.
func ThrottleLabel(kind string) string { return cmp.Or(throttleLabels[kind], kind) }

var throttleLabels = map[string]string{ // #nosec G101 -- words, not credentials
	"password":             "Wrong passwords",
	"security code":        "Wrong security codes",
	"mailed code":          "Wrong codes from mail",
	"sign-in":              "Failed sign-ins",
	"passkey":              "Sign-ins with a passkey",
	"provider":             "Sign-ins with a provider",
	"sign-up":              "Sign-ups",
	"sign-in code":         "Requests for a sign-in code",
	"forgot-password":      "Requests for a reset link",
	"recovery":             "Requests for a recovery link",
	"verification":         "Requests for a confirmation link",
	"mail":                 "Requests for an email change",
	"mail by others":       "Mail that others asked for",
	"mail about codes":     "Mail about wrong codes",
	"recovery codes":       "New recovery codes",
	"check":                "Checks of names and addresses",
	"organizations":        "New organizations",
	"invite":               "Invitations from an IP address",
	"invitation":           "Invitations to an address",
	"invitations":          "Invitations",
	"daily invitations":    "Invitations in a day",
	"second-factor notice": "Reminders of the second step",
	"writes":               "Changes in a minute",
}

// MailLabel says in words what mail of that kind is. A kind without words stands for itself:
// another version may have queued it.
func MailLabel(kind string) string { return cmp.Or(mailLabels[kind], kind) }

var mailLabels = map[string]string{
	models.MailVerifyEmail:     "Confirmation link",
	models.MailChangeEmail:     "Link to confirm a new address",
	models.MailEmailChanged:    "Notice of a changed address",
	models.MailEmailRestored:   "Notice of a restored address",
	models.MailResetPassword:   "Reset link",
	models.MailPasswordReset:   "Notice of a password reset",
	models.MailPasswordChanged: "Notice of a changed password",
	models.MailNewBrowser:      "Notice of a new browser",
	models.MailFactorChanged:   "Notice of a changed way to sign in",
	models.MailAccountDeleted:  "Notice of a deleted account",
	models.MailInvitation:      "Invitation",
	models.MailSiteInvitation:  "Invitation to create an account",
	models.MailSecondFactor:    "Reminder of the second step",
	models.MailCodesFailed:     "Notice of wrong codes",
	models.MailRecover:         "Recovery link",
	models.MailRecoveryBegun:   "Notice of a recovery",
	models.MailRecoveryReady:   "Link to finish a recovery",
	models.MailSignInCode:      "Sign-in code",
	models.MailImpersonated:    "Notice of an impersonation",
}
