package app

import (
	"context"
	"errors"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// CreateUser makes user an account with that password, typed twice, as an
// operator wants. The rules are those of the sign-up page, and the error says a
// sentence for each field that breaks one. Once the password is hashed, which takes
// long for a transaction, store is to call [models.DB.CreateUser].
func CreateUser(ctx context.Context, config *Config, user *models.User, pw, again string, store func() error) error {
	form := auth.NewSignUp()
	form.Username, form.FirstName, form.LastName, form.Email = user.Username, user.FirstName, user.LastName, user.Email
	form.Password, form.ConfirmPassword = pw, again
	if err := form.Validate(); err != nil {
		return err
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

// newPassword is the form of a new password, which no page shows.
type newPassword struct {
	forms.Form
	view.NewPassword
}

// ChangePassword gives user a new password, typed twice, as an operator wants. The
// rules are those of the pages, and the error says a sentence for each field that
// breaks one. As in [CreateUser], store is to do it, by [models.DB.ChangePassword].
func ChangePassword(ctx context.Context, config *Config, user *models.User, pw, again string, store func(hash string) error) error {
	form := forms.New(new(newPassword))
	form.Password, form.ConfirmPassword = pw, again
	form.Check = func() { auth.ApplyPasswordRules(&form.Form, pw, user) }
	if err := form.Validate(); err != nil {
		return err
	}
	hash, err := hashOnce(ctx, config, pw)
	if err != nil {
		return err
	}
	return store(hash)
}

func hashOnce(ctx context.Context, config *Config, pw string) (string, error) {
	hasher, err := password.NewHasher(password.Here, config.argon2(), 1, 1)
	if err != nil {
		return "", err
	}
	return hasher.Hash(ctx, pw)
}
