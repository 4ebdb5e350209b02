package components

import (
	"time"

	"vestibule/models"
)

// EventLabel says in words what happened.
func EventLabel(kind string) string {
	if words, ok := eventLabels[kind]; ok {
		return words
	}
	return kind
}

// EventActor says who did e, if it was not the user.
func EventActor(e models.Event) string {
	switch {
	case e.ByOperator():
		return "an operator"
	case e.ByAnother():
		return "someone else"
	}
	return ""
}

var eventLabels = map[string]string{
	models.EventSignUp:          "Signed up",
	models.EventSignIn:          "Signed in",
	models.EventSignInFailed:    "Wrong password entered",
	models.EventThrottled:       "Too many attempts",
	models.EventUnlocked:        "Wait after too many attempts lifted",
	models.EventSignOut:         "Signed out",
	models.EventReauthenticated: "Confirmed password",
	models.EventProfileChanged:  "Updated profile",
	models.EventPasswordChanged: "Changed password",
	models.EventPasswordReset:   "Reset password by email",
	models.EventEmailRequested:  "Requested an email change",
	models.EventEmailCanceled:   "Canceled an email change",
	models.EventEmailConfirmed:  "Confirmed email address",
	models.EventSessionEnded:    "Signed out a device",
	models.EventSessionsEnded:   "Signed out all other devices",
	models.EventAllEnded:        "Signed out of all devices",
	models.EventDisabled:        "Account disabled",
	models.EventEnabled:         "Account enabled",
	models.EventDeleted:         "Account deleted",
	models.EventUnconfirmed:     "Unconfirmed account deleted",
	models.EventCreated:         "Account created",
	models.EventRestored:        "Restored from a backup",

	models.EventOrganizationCreated: "Created organization",
	models.EventOrganizationRenamed: "Renamed organization",
	models.EventOrganizationDeleted: "Deleted organization",
	models.EventInvited:             "Invited someone",
	models.EventInvitationResent:    "Resent an invitation",
	models.EventInvitationRevoked:   "Revoked an invitation",
	models.EventInvitationDeclined:  "Declined an invitation",
	models.EventMemberJoined:        "Joined organization",
	models.EventMemberLeft:          "Left organization",
	models.EventMemberRemoved:       "Removed from organization",
	models.EventMemberRoleChanged:   "Role changed",
	models.EventOwnershipMoved:      "Became owner",
	models.EventRoleCreated:         "Created a role",
	models.EventRoleChanged:         "Changed a role",
	models.EventRoleDeleted:         "Deleted a role",
}

// eventIcon returns the icon of an event of that kind.
func eventIcon(kind string) string {
	if icon, ok := eventIcons[kind]; ok {
		return icon
	}
	return "activity"
}

// eventWarns reports whether an event of that kind may be the work of an attacker.
func eventWarns(kind string) bool { return kind == models.EventSignInFailed }

var eventIcons = map[string]string{
	models.EventSignUp:          "user-plus",
	models.EventSignIn:          "log-in",
	models.EventSignInFailed:    "triangle-alert",
	models.EventSignOut:         "log-out",
	models.EventReauthenticated: "lock",
	models.EventProfileChanged:  "user",
	models.EventPasswordChanged: "key-round",
	models.EventPasswordReset:   "key-round",
	models.EventEmailRequested:  "mail",
	models.EventEmailCanceled:   "x",
	models.EventEmailConfirmed:  "mail",
	models.EventSessionEnded:    "log-out",
	models.EventSessionsEnded:   "log-out",
	models.EventAllEnded:        "log-out",
	models.EventDisabled:        "lock",
	models.EventEnabled:         "user",
	models.EventDeleted:         "trash-2",
	models.EventCreated:         "user-plus",

	models.EventOrganizationCreated: "building-2",
	models.EventOrganizationRenamed: "building-2",
	models.EventOrganizationDeleted: "trash-2",
	models.EventInvited:             "send",
	models.EventInvitationResent:    "send",
	models.EventInvitationRevoked:   "x",
	models.EventInvitationDeclined:  "x",
	models.EventMemberJoined:        "user-plus",
	models.EventMemberLeft:          "user-minus",
	models.EventMemberRemoved:       "user-minus",
	models.EventMemberRoleChanged:   "shield",
	models.EventOwnershipMoved:      "shield",
	models.EventRoleCreated:         "shield",
	models.EventRoleChanged:         "shield",
	models.EventRoleDeleted:         "trash-2",
}

// dayLabel names the day of t, seen from now.
func dayLabel(t, now time.Time) string {
	day := t.UTC().Truncate(24 * time.Hour)
	switch today := now.UTC().Truncate(24 * time.Hour); {
	case day.Equal(today):
		return "Today"
	case day.Equal(today.AddDate(0, 0, -1)):
		return "Yesterday"
	case day.Year() == today.Year():
		return day.Format("Monday 2 January")
	default:
		return day.Format("Monday 2 January 2006")
	}
}
