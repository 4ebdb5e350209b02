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
		return "somebody else"
	}
	return ""
}

var eventLabels = map[string]string{
	models.EventSignUp:          "Signed up",
	models.EventSignIn:          "Signed in",
	models.EventSignInFailed:    "A password was refused",
	models.EventSignOut:         "Signed out",
	models.EventReauthenticated: "Gave the password again",
	models.EventProfileChanged:  "Changed the profile",
	models.EventPasswordChanged: "Changed the password",
	models.EventPasswordReset:   "Set a new password by mail",
	models.EventEmailRequested:  "Asked for another e-mail",
	models.EventEmailConfirmed:  "Confirmed the e-mail",
	models.EventSessionEnded:    "Signed out a device",
	models.EventSessionsEnded:   "Signed out all other devices",
	models.EventAllEnded:        "All devices signed out",
	models.EventDisabled:        "Account disabled",
	models.EventEnabled:         "Account enabled",
	models.EventDeleted:         "Account deleted",
	models.EventCreated:         "Account created",

	models.EventOrganizationCreated: "Created an organization",
	models.EventOrganizationRenamed: "Renamed the organization",
	models.EventOrganizationDeleted: "Deleted an organization",
	models.EventInvited:             "Invited somebody",
	models.EventInvitationResent:    "Sent an invitation again",
	models.EventInvitationRevoked:   "Took an invitation back",
	models.EventMemberJoined:        "Joined an organization",
	models.EventMemberLeft:          "Left an organization",
	models.EventMemberRemoved:       "Removed from an organization",
	models.EventMemberRoleChanged:   "Got another role in an organization",
	models.EventOwnershipMoved:      "Became the owner of an organization",
	models.EventRoleCreated:         "Made a role",
	models.EventRoleChanged:         "Changed a role",
	models.EventRoleDeleted:         "Deleted a role",
}
