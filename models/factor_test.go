package models_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestFactorsSatisfiedBy(t *testing.T) {
	t.Parallel()
	const password, email, passkey = models.FactorPassword, models.FactorEmail, models.FactorPasskey
	const code, recovery, browser = models.FactorCode, models.FactorRecoveryCode, models.FactorBrowser
	plain, app := models.Factors{Password: true}, models.Factors{Password: true, Apps: 1}
	offered, required := models.Factors{Password: true, Passkeys: 1}, models.Factors{Password: true, Passkeys: 1, Required: true}
	nothing := models.Factors{Password: true, Required: true}
	for _, tt := range []struct {
		factors models.Factors
		proved  []models.Factor
		want    bool
	}{
		{plain, nil, false},
		{plain, []models.Factor{password}, true},
		{plain, []models.Factor{email}, true},
		{plain, []models.Factor{code}, false},
		{plain, []models.Factor{browser}, false},
		{plain, []models.Factor{passkey}, true},
		{app, []models.Factor{password}, false},
		{app, []models.Factor{email}, false},
		{app, []models.Factor{email, password}, false},
		{app, []models.Factor{code, recovery, browser}, false},
		{app, []models.Factor{password, code}, true},
		{app, []models.Factor{email, code}, true},
		{app, []models.Factor{password, recovery}, true},
		{app, []models.Factor{password, browser}, true},
		{app, []models.Factor{passkey}, true},
		{offered, []models.Factor{password}, true},
		{required, []models.Factor{password}, false},
		{required, []models.Factor{email}, false},
		{required, []models.Factor{passkey}, true},
		{required, []models.Factor{password, recovery}, true},
		{nothing, []models.Factor{password}, true},
	} {
		var proofs []models.Proof
		for _, f := range tt.proved {
			proofs = append(proofs, models.Proof{Factor: f})
		}
		if got := tt.factors.SatisfiedBy(proofs); got != tt.want {
			t.Errorf("%v of %+v: %v", tt.proved, tt.factors, got)
		}
	}
}

// TestAfterRestoreOfFactors restores a backup from before factors changed.
func TestAfterRestoreOfFactors(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		var later []models.Event
		user := func(name string, kinds ...string) *models.User {
			u := newUser(t, db, name)
			if err := db.AddAuthenticator(t.Context(), u, &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			if err := db.SetRecoveryCodes(t.Context(), u, models.NewRecoveryCodes()); err != nil {
				t.Fatal(err)
			}
			for _, kind := range kinds {
				later = append(later, models.Event{ID: uuid.Must(uuid.NewV7()), Kind: kind, UserID: u.ID})
			}
			return u
		}
		used := user("used.a.code", models.EventRecoveryCodeUsed, models.EventRecoveryCodeUsed)
		removed := user("removed.an.app", models.EventAuthenticatorRemoved)
		reset := user("was.reset", models.EventFactorsReset)
		recovered := user("recovered", models.EventRecoveryFinished)
		reported := user("reported", models.EventChangeReported)
		operator := user("no.operator", models.EventOperatorRevoked)
		if err := db.SetOperator(t.Context(), operator, models.OperatorSupport); err != nil {
			t.Fatal(err)
		}
		nothing := user("did.nothing", models.EventAuthenticatorAdded)
		if err := db.VerifyUser(t.Context(), nothing); err != nil {
			t.Fatal(err)
		}
		secret, err := db.CreateToken(t.Context(), nil, nothing, models.Recover, nothing.Email)
		if err != nil {
			t.Fatal(err)
		}
		token, err := db.TokenBySecret(t.Context(), secret, models.Recover)
		if err != nil {
			t.Fatal(err)
		}
		if begun, err := db.BeginRecovery(t.Context(), token, models.SitePolicy{}, time.Hour, models.MailDetail{}); err != nil || !begun {
			t.Fatal(begun, err)
		}
		r, err := db.AfterRestore(t.Context(), later)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(r.RecoveryCodes, []string{"used.a.code"}) || !slices.Equal(r.Apps, []string{"removed.an.app"}) || !slices.Equal(r.Passwords, []string{"recovered", "reported"}) {
			t.Errorf("it names %+v", r)
		}
		for u, want := range map[*models.User]models.Factors{
			used:    {Password: true, Apps: 1},
			removed: {Password: true, Apps: 1, RecoveryCodes: 10},
			reset:   {Password: true},

			operator:  {Password: true, Apps: 1, RecoveryCodes: 10},
			recovered: {},
			reported:  {Apps: 1, RecoveryCodes: 10},
			nothing:   {Password: true, Apps: 1, RecoveryCodes: 10},
		} {
			if _, err := db.RecoveryOf(t.Context(), u.ID); !errors.Is(err, models.ErrNotFound) {
				t.Errorf("a recovery of %s waits (%v)", u.Username, err)
			}
			u, err := db.UserByID(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			if u.Operator() {
				t.Errorf("%s is an operator", u.Username)
			}
			if got, err := db.Factors(t.Context(), u); err != nil || got != want {
				t.Errorf("%s has %+v (%v), want %+v", u.Username, got, err, want)
			}
		}
	})
}
