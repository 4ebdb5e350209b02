package models_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestProviderIsAFirstFactor(t *testing.T) {
	t.Parallel()
	provider := []models.Proof{{Factor: models.FactorProvider}}
	withCode := append(slices.Clone(provider), models.Proof{Factor: models.FactorCode})
	plain, app := models.Factors{Identities: 1}, models.Factors{Identities: 1, Apps: 1}
	if !plain.SatisfiedBy(provider) || app.SatisfiedBy(provider) || !app.SatisfiedBy(withCode) {
		t.Error("a provider doesn't count as a password does")
	}
	for ways, want := range map[models.Factors]bool{{}: false, {Apps: 1, RecoveryCodes: 1}: false, {Identities: 1}: true, {Passkeys: 1}: true, {Password: true}: true} {
		if ways.WayIn() != want {
			t.Errorf("%+v is a way in: %v", ways, !want)
		}
	}
}

func TestIdentitiesAreLimited(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		u := newUser(t, db, "anna.smith")
		add := func(n int) error {
			return db.AddIdentity(t.Context(), u, &models.Identity{Issuer: "https://id.example", Subject: fmt.Sprint(n)}, "Acme")
		}
		for n := range models.MaxIdentities {
			if err := add(n); err != nil {
				t.Fatal(err)
			}
		}
		if err := add(models.MaxIdentities); !errors.As(err, new(*models.FullError)) {
			t.Errorf("one more: %v", err)
		}
	})
}

// TestAfterRestoreOfIdentities restores a backup from before an account elsewhere was
// disconnected, which doesn't say which, and during a sign-in.
func TestAfterRestoreOfIdentities(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		removed, kept := newUser(t, db, "removed.one"), newUser(t, db, "kept.one")
		for _, u := range []*models.User{removed, kept} {
			if err := db.AddIdentity(t.Context(), u, &models.Identity{Issuer: "https://id.example", Subject: u.Username}, "Acme"); err != nil {
				t.Fatal(err)
			}
		}
		state, secret, err := db.StartAuthorization(t.Context(), "", &models.Authorization{Provider: "acme", Kind: models.AuthorizeSignIn})
		if err != nil {
			t.Fatal(err)
		}
		later := []models.Event{{ID: uuid.Must(uuid.NewV7()), Kind: models.EventConnectionRemoved, UserID: removed.ID}}
		r, err := db.AfterRestore(t.Context(), later)
		if err != nil || !slices.Equal(r.Identities, []string{"removed.one"}) {
			t.Errorf("it names %v (%v)", r.Identities, err)
		}
		for u, want := range map[*models.User]int{removed: 0, kept: 1} {
			if all, err := db.Identities(t.Context(), u.ID); err != nil || len(all) != want {
				t.Errorf("%s has %+v (%v)", u.Username, all, err)
			}
		}
		if _, err := db.TakeAuthorization(t.Context(), state, secret, "acme"); !errors.Is(err, models.ErrNotFound) {
			t.Errorf("a sign-in goes on after the restore: %v", err)
		}
	})
}
