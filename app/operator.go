package app

import (
	"context"
	"errors"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/app/web"
	"vestibule/models"
)

// CreateUser makes user an account with that password, typed twice, as an
// operator wants. The rules are those of the sign-up page, and the error says a
// sentence for each field that breaks one. Once the password is hashed, which takes
// long for a transaction, store is to call [models.DB.CreateUser].
func CreateUser(ctx context.Context, config *Config, user *models.User, pw, again string, store func() error) error {
	in := &auth.SignUpForm{
		Profile:         auth.Profile{Username: user.Username, FirstName: user.FirstName, LastName: user.LastName},
		Email:           user.Email,
		Password:        pw,
		ConfirmPassword: again,
	}
	form := forms.New(in)
	if err := form.Validate(); err != nil {
		return err
	}
	hash, err := hashOnce(ctx, config, pw)
	if err != nil {
		return err
	}
	user.Username, user.FirstName, user.LastName, user.Email = in.Username, in.FirstName, in.LastName, in.Email
	user.PasswordHash = hash
	err = store()
	if failed := new(models.TakenError); errors.As(err, &failed) {
		auth.Taken(form, failed.Field)
		return form.Validate()
	}
	return err
}

// ChangePassword gives user a new password, typed twice, as an operator wants. The
// rules are those of the pages, and the error says a sentence for each field that
// breaks one. As in [CreateUser], store is to do it, by [models.DB.ChangePassword].
func ChangePassword(ctx context.Context, config *Config, user *models.User, pw, again string, store func(hash string) error) error {
	form := forms.New(&auth.NewPassword{Password: pw, ConfirmPassword: again})
	auth.CheckPassword(form, pw, user)
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

// Device says in words which browser and system a User-Agent header names.
func Device(userAgent string) string { return web.Device(userAgent) }
