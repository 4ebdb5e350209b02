package models_test

import (
	"errors"
	"testing"
	"time"

	"vestibule/models"
)

var life = models.Lifetime{Idle: 30 * 24 * time.Hour, Max: 90 * 24 * time.Hour}

// newUser stores a user of that username.
func newUser(t *testing.T, db *models.DB, username string) *models.User {
	t.Helper()
	u := &models.User{Username: username, Email: username + "@example.com", FirstName: "Anna", LastName: "Smith", PasswordHash: "hash"}
	if err := db.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	return u
}

// same reports whether two users are equal, regardless of how their times name UTC.
func same(a, b *models.User) bool {
	x, y := *a, *b
	for _, u := range []*models.User{&x, &y} {
		u.CreatedAt, u.UpdatedAt, u.VerifiedAt, u.DisabledAt = u.CreatedAt.UTC(), u.UpdatedAt.UTC(), u.VerifiedAt.UTC(), u.DisabledAt.UTC()
		u.UnconfirmedSince = u.UnconfirmedSince.UTC()
	}
	return x == y
}

// signIn makes a session for u.
func signIn(t *testing.T, db *models.DB, u *models.User) (*models.Session, string) {
	t.Helper()
	s, token, err := db.Prove(t.Context(), u, models.Step{Factor: models.FactorPassword, Device: models.Device{IP: "192.0.2.1", UserAgent: "test"}, Lifetime: life})
	if err != nil {
		t.Fatal(err)
	}
	return s, token
}

// wantsTaken checks that err is a *TakenError of field.
func wantsTaken(t *testing.T, err error, field string) {
	t.Helper()
	taken := new(models.TakenError)
	if !errors.As(err, &taken) || taken.Field != field {
		t.Errorf("the error is %v, want that %s is taken", err, field)
	}
}
