package components

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"vestibule/app/text"
	"vestibule/models"
)

// Sentence is text in parts, because names that people typed stand apart from the words
// around them.
type Sentence []Words

// Words are a part of a Sentence.
type Words struct {
	Text string
	Name bool   // what people typed
	Path string // where it leads; empty if nowhere
}

// String returns the sentence as one text.
func (s Sentence) String() string {
	var all strings.Builder
	for _, w := range s {
		all.WriteString(w.Text)
	}
	return all.String()
}

// Plain returns a sentence without names, or none if the text is empty.
func Plain(text string) Sentence {
	if text == "" {
		return nil
	}
	return Sentence{{Text: text}}
}

// OwnEvent says what happened to the user who reads it.
func OwnEvent(e models.Event) Sentence {
	values := detailWords(e.Detail)
	values["in"] = name(e.Detail.Organization)
	return eventSentence(e, values)
}

// AuditEvent says to operators what happened to the user whom it is about.
func AuditEvent(e models.Event) Sentence {
	s := OwnEvent(e)
	for i, w := range s {
		if !w.Name { // the user doesn't read it
			s[i].Text = strings.NewReplacer("wasn't you", "wasn't them").Replace(w.Text)
		}
	}
	return s
}

// OrganizationEvent says what happened in an organization, to its members. Emails reports
// whether they may see the addresses of others.
func OrganizationEvent(e models.Event, emails bool) Sentence {
	values := detailWords(e.Detail)
	if !emails {
		values["email"] = Words{}
	}
	switch {
	case e.User != nil:
		values["user"] = name(e.User.FullName())
	case e.UserID != uuid.Nil:
		values["user"] = Words{Text: "a deleted user"}
	}
	s := eventSentence(e, values)
	if len(s) == 1 && e.ByAnother() && e.User != nil { // the label alone
		s = append(s, Words{Text: ": "}, values["user"])
	}
	return s
}

// EventBy says who did an event in an organization.
func EventBy(e models.Event) Sentence {
	switch {
	case e.OperatorID != uuid.Nil && e.Actor != nil:
		return Sentence{{Text: "by an operator as "}, name(e.Actor.FullName())}
	case e.ByOperator(): // whom members don't know
		return Sentence{{Text: "by an operator"}}
	case e.Actor != nil:
		return Sentence{{Text: "by "}, name(e.Actor.FullName())}
	case e.ActorID != uuid.Nil:
		return Sentence{{Text: "by a deleted user"}}
	}
	return nil
}

func name(text string) Words { return Words{Text: text, Name: true} }

// detailWords returns what stands for the placeholders of eventSentences.
func detailWords(d models.EventDetail) map[string]Words {
	words := map[string]Words{
		"email":             name(text.ShowEmail(d.Email)),
		"email_from":        name(text.ShowEmail(d.EmailFrom)),
		"organization":      name(d.Organization),
		"organization_from": name(d.OrganizationFrom),
		"role":              name(d.Role),
		"role_from":         name(d.RoleFrom),
		"connection":        name(d.Connection),
		"fields":            {Text: d.Fields},
		"device":            {Text: d.Device},
		"from":              {Text: d.From},
		"no_trust":          {Text: d.NoTrust},
		"mode":              {Text: d.Mode},
		"form":              {Text: d.Form},
		"log":               {Text: d.Log},
		"mail":              {Text: MailLabel(d.Mail)},
		"table":             {Text: d.Table},
		"limit":             {Text: ThrottleLabel(d.Limit)},
	}
	switch {
	case d.Count == 1:
		words["others"] = Words{Text: "1 other device"}
	case d.Count > 1:
		words["others"] = Words{Text: strconv.Itoa(d.Count) + " other devices"}
	}
	return words
}

// eventSentence returns the first of the kind's sentences whose placeholders all have
// values, or else the label: events of earlier versions have no detail.
func eventSentence(e models.Event, values map[string]Words) Sentence {
	for _, pattern := range eventSentences[e.Kind] {
		if s, ok := fill(pattern, values); ok {
			return s
		}
	}
	return Sentence{{Text: EventLabel(e.Kind)}}
}

func fill(pattern string, values map[string]Words) (s Sentence, ok bool) {
	for pattern != "" {
		before, rest, found := strings.Cut(pattern, "{")
		if before != "" {
			s = append(s, Words{Text: before})
		}
		if !found {
			break
		}
		key, after, _ := strings.Cut(rest, "}")
		if values[key].Text == "" {
			return nil, false
		}
		s, pattern = append(s, values[key]), after
	}
	return s, true
}

// eventSentences say more than the labels. The placeholders are the fields of
// models.EventDetail, the user in the eyes of others, and the organization in the user's
// own ("in").
var eventSentences = map[string][]string{
	models.EventSignUp:         {"Signed up with {connection}"},
	models.EventSignIn:         {"Signed in with {connection}"},
	models.EventProfileChanged: {"Changed {fields}"},
	models.EventEmailRequested: {"Asked to change email address to {email}"},
	models.EventEmailCanceled:  {"Canceled the change of email address to {email}"},
	models.EventEmailConfirmed: {"Changed email address from {email_from} to {email}", "Confirmed email address {email}"},
	models.EventSessionEnded:   {"Signed out {device}"},
	models.EventUnlocked:       {"Attempt limit reset: {limit}"},

	models.EventImpersonationBegun: {"Impersonation started, {mode}"},
	models.EventFormSent:           {"Form sent while impersonating: {form}"},
	models.EventSessionsEnded:      {"Signed out {others}"},
	models.EventLooked:             {"Mail looked at by an operator: {mail}", "Table looked at by an operator: {table}"},
	models.EventAuditExported:      {"Audit log exported: {log}"},

	models.EventConnectionAdded:   {"Connected an account at {connection}"},
	models.EventConnectionRemoved: {"Disconnected an account at {connection}"},
	models.EventSignedOutThere:    {"Signed out at {connection}"},

	models.EventOrganizationCreated: {"Created the organization {organization}"},
	models.EventOrganizationRenamed: {"Renamed the organization from {organization_from} to {organization}"},
	models.EventOrganizationDeleted: {"Deleted the organization {organization}"},
	models.EventTwoFactorsRequired:  {"Required a second step from {from}, {no_trust}", "Required a second step from {from}"},
	models.EventInvited:             {"Invited {email} as {role}", "Invited someone as {role}"},
	models.EventInvitationResent:    {"Resent the invitation of {email}"},
	models.EventInvitationRevoked:   {"Revoked the invitation of {email}"},
	models.EventMemberJoined:        {"Joined {in} as {role}", "Joined as {role}"},
	models.EventMemberLeft:          {"Left {in}"},
	models.EventMemberRemoved:       {"Removed {user}", "Removed from {in}"},
	models.EventMemberRoleChanged: {
		"Changed {user}'s role from {role_from} to {role}",
		"Role changed from {role_from} to {role} in {in}",
	},
	models.EventOwnershipTransferred: {"Made {user} an owner", "Became owner of {in}"},
	models.EventRoleCreated:          {"Created the role {role}"},
	models.EventRoleChanged:          {"Renamed the role {role_from} to {role}", "Changed the role {role}"},
	models.EventRoleDeleted:          {"Deleted the role {role}"},
}

// EventGroup is a choice of kinds of events.
type EventGroup struct {
	Key, Label string
	Kinds      []string
}

// AccountEvents groups what a user sees of their own account.
func AccountEvents() []EventGroup {
	return []EventGroup{
		{"sign-ins", "Sign-ins and devices", []string{models.EventSignUp, models.EventSignIn, models.EventSignInStarted, models.EventSignInFailed, models.EventCodeFailed, models.EventThrottled,
			models.EventUnlocked, models.EventPasskeyRefused, models.EventRecoveryCodeUsed, models.EventBrowserTrusted, models.EventBrowserRevoked, models.EventSignOut, models.EventReauthenticated, models.EventSessionEnded, models.EventSessionsEnded, models.EventSignedOutThere, models.EventAllEnded}},
		{"refused", "Refused attempts", models.RefusedEvents()},
		{"account", "Account and security", []string{models.EventProfileChanged, models.EventPasswordChanged, models.EventPasswordRemoved, models.EventPasswordReset, models.EventEmailRequested,
			models.EventEmailCanceled, models.EventEmailConfirmed, models.EventPasskeyAdded, models.EventPasskeyRenamed, models.EventPasskeyRemoved, models.EventAuthenticatorAdded, models.EventAuthenticatorRenamed, models.EventAuthenticatorRemoved,
			models.EventRecoveryCodesCreated, models.EventRecoveryCodeUsed, models.EventFactorsReset, models.EventRecoveryAsked, models.EventRecoveryBegun, models.EventRecoveryCanceled,
			models.EventRecoveryFinished, models.EventChangeReported, models.EventConnectionAdded, models.EventConnectionRemoved,
			models.EventDisabled, models.EventEnabled, models.EventCreated,
			models.EventOperatorGranted, models.EventOperatorRevoked, models.EventExported, models.EventMailRetried, models.EventMailDropped, models.EventResetSent, models.EventConfirmationSent, models.EventImpersonationBegun, models.EventFormSent, models.EventImpersonationEnded}},
		{"organizations", "Organizations", []string{models.EventOrganizationCreated, models.EventOrganizationDeleted, models.EventInvitationDeclined, models.EventMemberJoined, models.EventMemberLeft,
			models.EventMemberRemoved, models.EventMemberRoleChanged, models.EventOwnershipTransferred}},
	}
}

// OrganizationEvents groups what members see of their organization.
func OrganizationEvents() []EventGroup {
	return []EventGroup{
		{"members", "Members", []string{models.EventMemberJoined, models.EventMemberLeft, models.EventMemberRemoved, models.EventMemberRoleChanged, models.EventOwnershipTransferred}},
		{"invitations", "Invitations", []string{models.EventInvited, models.EventInvitationResent, models.EventInvitationRevoked}},
		{"roles", "Roles", []string{models.EventRoleCreated, models.EventRoleChanged, models.EventRoleDeleted}},
		{"settings", "Organization", []string{models.EventOrganizationCreated, models.EventOrganizationRenamed, models.EventOrganizationDeleted,
			models.EventTwoFactorsRequired, models.EventTwoFactorsLifted}},
	}
}

// AuditEvents groups what operators see of everybody.
func AuditEvents() []EventGroup {
	var groups []EventGroup
	for _, g := range AccountEvents() {
		if g.Key != "organizations" { // OrganizationEvents has these
			groups = append(groups, g)
		}
	}
	return append(append(groups, OrganizationEvents()...), EventGroup{"site", "Site and operators", []string{models.EventCreated, models.EventDeleted, models.EventUnconfirmed, models.EventDisabled, models.EventEnabled,
		models.EventSiteInvited, models.EventSiteInviteRevoked, models.EventInvitationDeclined, models.EventOperatorGranted, models.EventOperatorRevoked, models.EventRestored,
		models.EventLooked, models.EventExported, models.EventAuditExported, models.EventMailRetried, models.EventMailDropped}})
}

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
	models.EventSignInStarted:   "Took the first of two steps to sign in",
	models.EventSignInFailed:    "Wrong password entered",
	models.EventThrottled:       "Too many attempts",
	models.EventUnlocked:        "Attempt limit reset",
	models.EventCodeFailed:      "Wrong security code entered",
	models.EventSignOut:         "Signed out",
	models.EventReauthenticated: "Confirmed identity",
	models.EventProfileChanged:  "Updated profile",
	models.EventPasswordChanged: "Changed password",
	models.EventPasswordRemoved: "Removed password",
	models.EventPasswordReset:   "Reset password by email",
	models.EventEmailRequested:  "Requested an email change",
	models.EventEmailCanceled:   "Canceled an email change",
	models.EventEmailConfirmed:  "Confirmed email address",
	models.EventPasskeyAdded:    "Added a passkey",
	models.EventPasskeyRenamed:  "Renamed a passkey",
	models.EventPasskeyRemoved:  "Removed a passkey",
	models.EventPasskeyRefused:  "Passkey refused: it may have been copied",
	models.EventSessionEnded:    "Signed out a device",
	models.EventSessionsEnded:   "Signed out all other devices",
	models.EventAllEnded:        "Signed out of all devices",
	models.EventBrowserTrusted:  "Trusted a browser",
	models.EventBrowserRevoked:  "Revoked trust in a browser",
	models.EventDisabled:        "Account disabled",
	models.EventEnabled:         "Account enabled",
	models.EventDeleted:         "Account deleted",
	models.EventUnconfirmed:     "Unconfirmed account deleted",
	models.EventCreated:         "Account created",
	models.EventOperatorGranted: "Made an operator of the site",
	models.EventOperatorRevoked: "No longer an operator of the site",
	models.EventRestored:        "Restored from a backup",
	models.EventExported:        "Account data downloaded",
	models.EventMailRetried:     "Email sent again",
	models.EventMailDropped:     "Waiting email dropped",

	models.EventLooked:           "Looked at by an operator",
	models.EventAuditExported:    "Audit log exported",
	models.EventResetSent:        "Reset link sent",
	models.EventConfirmationSent: "Confirmation link sent",

	models.EventImpersonationBegun: "Impersonation started",
	models.EventImpersonationEnded: "Impersonation ended",
	models.EventFormSent:           "Form sent while impersonating",

	models.EventConnectionAdded:   "Connected an account elsewhere",
	models.EventConnectionRemoved: "Disconnected an account elsewhere",
	models.EventSignedOutThere:    "Signed out elsewhere",

	models.EventAuthenticatorAdded:   "Added an authenticator app",
	models.EventAuthenticatorRenamed: "Renamed an authenticator app",
	models.EventAuthenticatorRemoved: "Removed an authenticator app",
	models.EventRecoveryCodesCreated: "Created recovery codes",
	models.EventRecoveryCodeUsed:     "Used a recovery code",
	models.EventFactorsReset:         "Removed every second factor",
	models.EventRecoveryAsked:        "Asked for a recovery link",
	models.EventRecoveryBegun:        "Started a recovery",
	models.EventRecoveryCanceled:     "Recovery canceled",
	models.EventRecoveryFinished:     "Recovered the account, and removed every second factor",
	models.EventChangeReported:       "Reported that it wasn't you, so everyone was locked out",

	models.EventOrganizationCreated:  "Created organization",
	models.EventOrganizationRenamed:  "Renamed organization",
	models.EventOrganizationDeleted:  "Deleted organization",
	models.EventTwoFactorsRequired:   "Required a second step",
	models.EventTwoFactorsLifted:     "Stopped requiring a second step",
	models.EventInvited:              "Invited someone",
	models.EventInvitationResent:     "Resent an invitation",
	models.EventInvitationRevoked:    "Revoked an invitation",
	models.EventSiteInvited:          "Invited to create an account",
	models.EventSiteInviteRevoked:    "Invitation to create an account revoked",
	models.EventInvitationDeclined:   "Declined an invitation",
	models.EventMemberJoined:         "Joined organization",
	models.EventMemberLeft:           "Left organization",
	models.EventMemberRemoved:        "Removed from organization",
	models.EventMemberRoleChanged:    "Role changed",
	models.EventOwnershipTransferred: "Became owner",
	models.EventRoleCreated:          "Created a role",
	models.EventRoleChanged:          "Changed a role",
	models.EventRoleDeleted:          "Deleted a role",
}

// eventIcon returns the icon of an event of that kind.
func eventIcon(kind string) string {
	if icon, ok := eventIcons[kind]; ok {
		return icon
	}
	return "activity"
}

// eventWarns reports whether an event of that kind may be the work of an attacker.
func eventWarns(kind string) bool {
	switch kind {
	case models.EventSignInFailed, models.EventCodeFailed, models.EventPasskeyRefused, models.EventThrottled,
		models.EventRecoveryAsked, models.EventRecoveryBegun, models.EventChangeReported:
		return true
	}
	return false
}

var eventIcons = map[string]string{
	models.EventSignUp:          "user-plus",
	models.EventSignIn:          "log-in",
	models.EventSignInStarted:   "log-in",
	models.EventSignInFailed:    "triangle-alert",
	models.EventThrottled:       "triangle-alert",
	models.EventUnlocked:        "lock",
	models.EventCodeFailed:      "triangle-alert",
	models.EventSignOut:         "log-out",
	models.EventReauthenticated: "lock",
	models.EventProfileChanged:  "user",
	models.EventPasswordChanged: "key-round",
	models.EventPasswordRemoved: "key-round",
	models.EventPasswordReset:   "key-round",
	models.EventEmailRequested:  "mail",
	models.EventEmailCanceled:   "x",
	models.EventEmailConfirmed:  "mail",
	models.EventPasskeyAdded:    "key-round",
	models.EventPasskeyRenamed:  "key-round",
	models.EventPasskeyRemoved:  "key-round",
	models.EventPasskeyRefused:  "triangle-alert",
	models.EventSessionEnded:    "log-out",
	models.EventSessionsEnded:   "log-out",
	models.EventAllEnded:        "log-out",
	models.EventDisabled:        "lock",
	models.EventEnabled:         "user",
	models.EventDeleted:         "trash-2",
	models.EventCreated:         "user-plus",
	models.EventOperatorGranted: "shield",
	models.EventOperatorRevoked: "shield",
	models.EventExported:        "user",
	models.EventMailRetried:     "mail",
	models.EventMailDropped:     "mail",

	models.EventLooked:           "search",
	models.EventAuditExported:    "download",
	models.EventResetSent:        "send",
	models.EventConfirmationSent: "send",

	models.EventImpersonationBegun: "shield",
	models.EventImpersonationEnded: "shield",
	models.EventFormSent:           "shield",

	models.EventConnectionAdded:      "link",
	models.EventConnectionRemoved:    "link",
	models.EventSignedOutThere:       "log-out",
	models.EventBrowserTrusted:       "monitor",
	models.EventBrowserRevoked:       "monitor",
	models.EventAuthenticatorAdded:   "smartphone",
	models.EventAuthenticatorRenamed: "smartphone",
	models.EventAuthenticatorRemoved: "smartphone",
	models.EventRecoveryCodesCreated: "key-round",
	models.EventRecoveryCodeUsed:     "key-round",
	models.EventFactorsReset:         "shield",
	models.EventRecoveryAsked:        "triangle-alert",
	models.EventRecoveryBegun:        "triangle-alert",
	models.EventRecoveryCanceled:     "x",
	models.EventRecoveryFinished:     "shield",
	models.EventChangeReported:       "triangle-alert",

	models.EventOrganizationCreated:  "building-2",
	models.EventOrganizationRenamed:  "building-2",
	models.EventOrganizationDeleted:  "trash-2",
	models.EventTwoFactorsRequired:   "lock",
	models.EventTwoFactorsLifted:     "lock",
	models.EventInvited:              "send",
	models.EventInvitationResent:     "send",
	models.EventInvitationRevoked:    "x",
	models.EventInvitationDeclined:   "x",
	models.EventMemberJoined:         "user-plus",
	models.EventMemberLeft:           "user-minus",
	models.EventMemberRemoved:        "user-minus",
	models.EventMemberRoleChanged:    "shield",
	models.EventOwnershipTransferred: "shield",
	models.EventRoleCreated:          "shield",
	models.EventRoleChanged:          "shield",
	models.EventRoleDeleted:          "trash-2",
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
