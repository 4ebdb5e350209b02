// Package mail holds the words of each kind of mail: a .txt with its subject and
// plain text, and a component with the same as HTML.
package mail

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/a-h/templ"

	"vestibule/models"
	"vestibule/templates/components"
)

// Data is what a mail says.
type Data struct {
	Name string // whom it greets; may be empty
	URL  string // where its button leads; empty in a notice that can't be reported
	Site string

	Username  string    // of the account that it is about; may be empty
	DeletedAt time.Time // when that is deleted unless its address is confirmed; zero if never

	Email        string    // the new address
	Browser, IP  string    // of a new sign-in, or of somebody who asked for a recovery
	When         time.Time // of the sign-in, or when the recovery has waited, or until when its link works, or when an operator began, or from when Organization requires a second factor
	Wait         string    // how long a recovery waits, or an impersonation lasted
	Writes       bool      // an operator could make changes
	Organization string    // of an invitation, or of which the reader is a member
	Inviter      string    // likewise
	Event        string    // the kind of event that changed a factor
	Connection   string    // the provider that it is about; may be empty
	Code         string    // to type where it was asked for
}

// Account names the account that the mail is about, after "your" or "the". The username
// is missing if an earlier version queued the mail, or if it looks like a link.
func (d Data) Account() string {
	if d.Username == "" {
		return "account"
	}
	return "account " + d.Username
}

// Changes says whether an operator could make changes.
func (d Data) Changes() string {
	if d.Writes {
		return "possible, except to what is sensitive"
	}
	return "not possible"
}

// Change is what a mail says about a factor that changed.
type Change struct{ Subject, Sentence string }

// Change returns what the event of the mail changed.
func (d Data) Change() Change {
	if change, ok := changes[d.Event]; ok {
		change.Sentence = strings.ReplaceAll(change.Sentence, "{connection}", cmp.Or(d.Connection, "another site"))
		return change
	}
	return Change{"Your sign-in changed", "A way to sign in was changed."} // queued by a newer process
}

var changes = map[string]Change{
	models.EventPasskeyAdded:         {"A passkey was added", "A passkey was added. It can be used to sign in without a password."},
	models.EventPasskeyRenamed:       {"A passkey was renamed", "One of your passkeys got another name."},
	models.EventPasskeyRemoved:       {"A passkey was removed", "A passkey was removed, so it no longer signs in."},
	models.EventPasskeyRefused:       {"A sign-in with a passkey was refused", "We refused a sign-in with one of your passkeys, because its counter went back: somebody may have copied it. Remove it, and add a new one."},
	models.EventConnectionAdded:      {"A way to sign in was added", "Your account at {connection} was connected. It can be used to sign in."},
	models.EventConnectionRemoved:    {"A way to sign in was removed", "Your account at {connection} was disconnected, so it no longer signs in."},
	models.EventPasswordRemoved:      {"Your password was removed", "Your password was removed. It no longer signs in."},
	models.EventAuthenticatorAdded:   {"An authenticator app was added", "An authenticator app was added. From now on, signing in takes a code from it."},
	models.EventAuthenticatorRemoved: {"An authenticator app was removed", "An authenticator app was removed, so its codes no longer work."},
	models.EventRecoveryCodesCreated: {"New recovery codes were created", "New recovery codes were created. Older ones no longer work."},
	models.EventRecoveryCodeUsed:     {"A recovery code was used", "A recovery code was used in place of a code from an app. It won't work again."},
	models.EventFactorsReset:         {"Your second step was removed", "An operator of the site removed your passkeys, authenticator apps and recovery codes."},
	models.EventRecoveryCanceled:     {"The recovery of your account was canceled", "The recovery that someone had started was canceled, so your second step stays as it is."},
	models.EventRecoveryFinished:     {"Your account was recovered", "Someone finished the recovery with the link that we sent to this address. They chose a new password, and your passkeys, authenticator apps and recovery codes were removed."},
}

// htmlBodies are the components by kind.
var htmlBodies = map[string]func(Data) templ.Component{
	models.MailVerifyEmail:     verifyEmail,
	models.MailChangeEmail:     changeEmail,
	models.MailEmailChanged:    emailChanged,
	models.MailResetPassword:   resetPassword,
	models.MailPasswordReset:   passwordReset,
	models.MailPasswordChanged: passwordChanged,
	models.MailNewBrowser:      newBrowser,
	models.MailFactorChanged:   factorChanged,
	models.MailAccountDeleted:  accountDeleted,
	models.MailInvitation:      invitation,
	models.MailSiteInvitation:  siteInvitation,
	models.MailSecondFactor:    secondFactor,
	models.MailEmailRestored:   emailRestored,
	models.MailCodesFailed:     codesFailed,
	models.MailRecover:         recoverAccount,
	models.MailRecoveryBegun:   recoveryBegun,
	models.MailRecoveryReady:   recoveryReady,
	models.MailSignInCode:      signInCode,
	models.MailImpersonated:    impersonated,
}

//go:embed *.txt notme.tmpl
var files embed.FS

var texts = sync.OnceValues(func() (map[string]*template.Template, error) {
	texts := map[string]*template.Template{}
	names, err := fs.Glob(files, "*.txt")
	for _, name := range names {
		t, parseErr := template.New(name).Funcs(template.FuncMap{"formatTime": components.FormatTime, "short": short}).ParseFS(files, name, "notme.tmpl")
		texts[strings.TrimSuffix(name, ".txt")] = t
		err = errors.Join(err, parseErr)
	}
	return texts, err
})

// Known reports whether there is mail of that kind.
func Known(kind string) bool { return htmlBodies[kind] != nil }

// Render writes the mail of that kind.
func Render(kind string, d Data) (subject, text, html string, err error) {
	all, err := texts()
	if err != nil {
		return "", "", "", err
	}
	var s, t, h strings.Builder
	err = errors.Join(
		all[kind].ExecuteTemplate(&s, "subject", d),
		all[kind].Execute(&t, d),
		htmlBodies[kind](d).Render(context.Background(), &h),
	)
	return s.String(), strings.TrimSpace(t.String()) + "\n", h.String(), err
}

// maxShort is the longest name in a subject, in characters. A longer one is more
// likely an advertisement than a name.
const maxShort = 40

// short cuts a name that is too long for a subject.
func short(name string) string {
	if runes := []rune(name); len(runes) > maxShort {
		return string(runes[:maxShort-1]) + "…"
	}
	return name
}
