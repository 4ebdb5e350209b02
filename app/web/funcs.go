package web

import (
	"html/template"
	"regexp"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/mileusna/useragent"

	"vestibule/assets"
	"vestibule/models"
)

// funcs is what templates may call.
var funcs = template.FuncMap{
	"asset":    assets.Path,
	"inWords":  TimeUntil,
	"exactly":  FormatTime,
	"machine":  machineTime,
	"device":   Device,
	"linked":   linkify,
	"happened": EventLabel,
	"doneBy":   EventActor,
}

// steps are the units of inWords; beyond them it counts days.
var steps = []humanize.RelTimeMagnitude{
	{D: time.Minute, Format: "less than a minute"},
	{D: 2 * time.Minute, Format: "1 minute"},
	{D: time.Hour, Format: "%d minutes", DivBy: time.Minute},
	{D: 2 * time.Hour, Format: "1 hour"},
	{D: 48 * time.Hour, Format: "%d hours", DivBy: time.Hour},
	{D: 1<<63 - 1, Format: "%d days", DivBy: 24 * time.Hour},
}

// TimeUntil says how far off t is, such as "30 days". It rounds by half a minute,
// so that a session of 30 days does not begin with 29.
func TimeUntil(t time.Time) string {
	return strings.TrimSpace(humanize.CustomRelTime(time.Now(), t.Add(30*time.Second), "", "", steps))
}

// FormatTime writes t for people.
func FormatTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// machineTime writes t for the datetime attribute (RFC 3339).
func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// plainName is a name of a browser or system that is shown as it came. Anything
// longer or stranger is a message that somebody wants to slip into a page or mail.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _-]{0,23}$`)

// Device says in words which browser and system a User-Agent header names.
func Device(header string) string {
	ua := useragent.Parse(header)
	browser, system := plainName.MatchString(ua.Name), plainName.MatchString(ua.OS)
	switch {
	case browser && system:
		return ua.Name + " on " + ua.OS
	case browser:
		return ua.Name
	case system:
		return "Unknown browser on " + ua.OS
	}
	return "Unknown browser"
}

var mailURL = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;]`)

// linkify makes the addresses in a mail's text clickable.
func linkify(text string) template.HTML {
	escaped := template.HTMLEscapeString(text)
	return template.HTML(mailURL.ReplaceAllString(escaped, `<a href="$0">$0</a>`)) // #nosec G203 -- escaped above
}

// EventLabel says a kind of event in words.
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
