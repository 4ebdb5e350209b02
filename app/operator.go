package app

import (
	"context"
	"errors"
	"time"

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
	form := auth.NewSignUp()
	form.Username, form.FirstName, form.LastName, form.Email = user.Username, user.FirstName, user.LastName, user.Email
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
	user.Username, user.FirstName, user.LastName, user.Email = form.Username, form.FirstName, form.LastName, form.Email
	user.PasswordHash = hash
	err = store()
	if failed := new(models.TakenError); errors.As(err, &failed) {
		auth.Taken(&form.Form, failed.Field)
		return form.Validate()
	}
	return err
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

// TryHash hashes a password as the site would, and returns how long that took.
func TryHash(config *Config, engine password.Engine) (time.Duration, error) {
	start := time.Now()
	_, err := engine.Create("a password to see whether hashing works", config.argon2())
	return time.Since(start), err
}
