package components

import "vestibule/models"

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
	models.EventSignOut:         "Signed out",
	models.EventReauthenticated: "Confirmed password",
	models.EventProfileChanged:  "Updated profile",
	models.EventPasswordChanged: "Changed password",
	models.EventPasswordReset:   "Reset password by email",
	models.EventEmailRequested:  "Requested an email change",
	models.EventEmailConfirmed:  "Confirmed email address",
	models.EventSessionEnded:    "Signed out a device",
	models.EventSessionsEnded:   "Signed out all other devices",
	models.EventAllEnded:        "Signed out of all devices",
	models.EventDisabled:        "Account disabled",
	models.EventEnabled:         "Account enabled",
	models.EventDeleted:         "Account deleted",
	models.EventUnconfirmed:     "Unconfirmed account deleted",
	models.EventCreated:         "Account created",

	models.EventOrganizationCreated: "Created organization",
	models.EventOrganizationRenamed: "Renamed organization",
	models.EventOrganizationDeleted: "Deleted organization",
	models.EventInvited:             "Invited someone",
	models.EventInvitationResent:    "Resent an invitation",
	models.EventInvitationRevoked:   "Revoked an invitation",
	models.EventMemberJoined:        "Joined organization",
	models.EventMemberLeft:          "Left organization",
	models.EventMemberRemoved:       "Removed from organization",
	models.EventMemberRoleChanged:   "Role changed",
	models.EventOwnershipMoved:      "Became owner",
	models.EventRoleCreated:         "Created a role",
	models.EventRoleChanged:         "Changed a role",
	models.EventRoleDeleted:         "Deleted a role",
}
