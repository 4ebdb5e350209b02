package app_test

import (
	"errors"
	"testing"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/app/password"
	"vestibule/models"
)

// The password is checked and hashed before the transaction begins. On SQLite, it would
// hold the only writer meanwhile.
func TestOperatorHashesBeforeStoring(t *testing.T) {
	t.Parallel()
	config := &app.Config{Argon2Memory: 7168, Argon2Time: 1, Argon2Threads: 1}
	broken := errors.New("the database is broken")
	ada := func() *models.User {
		return &models.User{Username: "ada.king", Email: "ada@example.com", FirstName: "Ada", LastName: "Lovelace"}
	}
	tests := map[string]func(pw string, store func(hash string) error) error{
		"create": func(pw string, store func(hash string) error) error {
			user := ada()
			return app.CreateUser(t.Context(), config, user, pw, pw, func() error { return store(user.PasswordHash) })
		},
		"set-password": func(pw string, store func(hash string) error) error {
			return app.ChangePassword(t.Context(), config, ada(), pw, pw, store)
		},
	}
	for name, does := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stored []string
			store := func(hash string) error {
				stored = append(stored, hash)
				return broken
			}
			if err := does("short", store); err == nil || len(stored) > 0 {
				t.Errorf("a bad password: %v, stored %q", err, stored)
			}
			if err := does(apptest.Anna.Password, store); !errors.Is(err, broken) || len(stored) != 1 {
				t.Fatalf("%v, stored %q, want that error of one", err, stored)
			}
			if match, err := password.Here.Compare(apptest.Anna.Password, stored[0]); err != nil || !match {
				t.Errorf("stored is no hash of the password: %q, %v", stored[0], err)
			}
		})
	}
}
