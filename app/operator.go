package app

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"vestibule/app/account"
	"vestibule/app/auth"
	"vestibule/app/breached"
	"vestibule/app/forms"
	"vestibule/app/mail"
	"vestibule/app/password"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// CreateUser creates an account for an operator, with a password typed twice. The rules
// are those of the sign-up page, and the error has a sentence for each invalid field.
// Hashing takes too long for a transaction, so CreateUser then calls store, which must
// call [models.DB.CreateUser].
func CreateUser(ctx context.Context, config *Config, user *models.User, pw, again string, store func() error) error {
	form := auth.NewSignUp(config.naming())
	form.Fill(&form.Form, user)
	form.Email = user.Email
	form.Password, form.ConfirmPassword = pw, again
	if err := form.Validate(); err != nil {
		return err
	}
	if err := failBreached(ctx, config, &form.Form, pw); err != nil {
		return err
	}
	if sender, err := mail.NewSMTP(config.SMTPURL, config.MailFrom); err == nil && !user.Verified() && !sender.Reaches(ctx, form.Email) {
		web.Unreachable(&form.Form)
		return form.Validate()
	}
	hash, err := hashOnce(ctx, config, pw)
	if err != nil {
		return err
	}
	form.Apply(user)
	user.Email = form.Email
	user.PasswordHash = hash
	return asTaken(&form.Form, store())
}

// newPassword is a form that applies the password rules. No page shows it.
type newPassword struct {
	forms.Form
	view.NewPassword
}

// ChangePassword changes user's password for an operator. The rules are those of the
// pages, and the error has a sentence for each invalid field. As in [CreateUser], store
// must save it, by [models.DB.ChangePassword].
func ChangePassword(ctx context.Context, config *Config, user *models.User, pw, again string, store func(hash string) error) error {
	form := forms.New(new(newPassword))
	form.Password, form.ConfirmPassword = pw, again
	form.Check = func() { auth.ApplyPasswordRules(&form.Form, pw, user) }
	if err := form.Validate(); err != nil {
		return err
	}
	if err := failBreached(ctx, config, &form.Form, pw); err != nil {
		return err
	}
	hash, err := hashOnce(ctx, config, pw)
	if err != nil {
		return err
	}
	return store(hash)
}

// failBreached returns an error if pw is known from a data breach. As on the pages, it
// passes if a service doesn't answer.
func failBreached(ctx context.Context, config *Config, form *forms.Form, pw string) error {
	checker, err := breached.Open(config.Breached)
	if checker == nil || err != nil {
		return err
	}
	if known, _ := checker.Has(ctx, password.Normalize(pw)); known {
		form.Fail("password", password.ErrBreached.Error())
		return errors.New("Password: " + password.ErrBreached.Error())
	}
	return nil
}

func hashOnce(ctx context.Context, config *Config, pw string) (string, error) {
	hasher, err := password.NewHasher(password.Here, config.argon2(), 1, 1)
	if err != nil {
		return "", err
	}
	return hasher.Hash(ctx, pw)
}

// changedEmail is a form that applies the rules of email addresses. No page shows it.
type changedEmail struct {
	forms.Form
	Email string `form:"email" label:"Email" validate:"required,max=254,address"`
}

// SetEmail changes user's email address for an operator. The rules are those of the pages.
// As in [CreateUser], store must save the address, which it gets in the stored form.
func SetEmail(ctx context.Context, config *Config, email string, store func(email string) error) error {
	form := forms.New(new(changedEmail))
	form.Email = email
	if err := form.Validate(); err != nil {
		return err
	}
	if sender, err := mail.NewSMTP(config.SMTPURL, config.MailFrom); err == nil && !sender.Reaches(ctx, form.Email) {
		web.Unreachable(&form.Form)
		return form.Validate()
	}
	return asTaken(&form.Form, store(form.Email))
}

// changedName is a form that applies the rules of names. No page shows it.
type changedName struct {
	forms.Form
	view.ProfileFields
}

// RenameUser changes the username and name of user for an operator. The
// rules are those of the pages. As in [CreateUser], store must save them.
func RenameUser(config *Config, user *models.User, store func() error) error {
	form := forms.New(new(changedName))
	form.Ask(&form.Form, config.naming())
	form.Fill(&form.Form, user)
	if err := form.Validate(); err != nil {
		return err
	}
	form.Apply(user)
	return asTaken(&form.Form, store())
}

// asTaken returns the sentence for a name or an address that another user has, or else err.
func asTaken(form *forms.Form, err error) error {
	if failed := new(models.TakenError); errors.As(err, &failed) {
		auth.Taken(form, failed.Field)
		return form.Validate()
	}
	return err
}

// ExportUser writes what user would get as "Download my data".
func ExportUser(ctx context.Context, config *Config, db *models.DB, log *slog.Logger, w *bufio.Writer, user *models.User) error {
	site, err := forCommand(config, db, log)
	if err != nil {
		return err
	}
	return account.Handlers{Kit: site.Kit}.WriteData(ctx, w, user)
}

// forCommand returns a site that answers no requests, for a command. It needs nothing that
// only requests need, such as BASE_URL in production.
func forCommand(config *Config, db *models.DB, log *slog.Logger) (*App, error) {
	here := *config
	here.BaseURL, here.MetricsAddr, here.Breached = cmp.Or(here.BaseURL, "http://localhost"), "", ""
	return New(here, db, log, password.Here)
}

// TryHash hashes a password as the site would, and returns how long that took.
func TryHash(config *Config, engine password.Engine) (time.Duration, error) {
	start := time.Now()
	_, err := engine.Create("a password to see whether hashing works", config.argon2())
	return time.Since(start), err
}
