//go:build linux || darwin || freebsd

package main_test

import (
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/auth"
	"vestibule/app/secrets"
	"vestibule/models"
)

// withKeys is a command with SECRET_KEYS.
func (o *operator) withKeys(keys string, args ...string) *exec.Cmd {
	o.Helper()
	cmd := o.command(args...)
	cmd.Env = append(cmd.Env, "SECRET_KEYS="+keys, "ENV=production")
	return cmd
}

func TestOperatorRotatesSecrets(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		anna := o.user("anna.smith")
		oldKey, newKey := secrets.NewKey("old"), strings.TrimSpace(o.does("secrets", "new"))
		old, err := secrets.Parse(oldKey)
		if err != nil {
			o.Fatal(err)
		}
		for range 3 {
			a := &models.Authenticator{ID: uuid.Must(uuid.NewV7()), UserID: anna.ID, Name: "Phone"}
			if a.Secret, a.KeyID, err = old.Seal([]byte("JBSWY3DPEHPK3PXP"), auth.AuthenticatorContext(a)); err != nil {
				o.Fatal(err)
			}
			if err := o.db.AddAuthenticator(o.Context(), anna, a); err != nil {
				o.Fatal(err)
			}
		}
		id, _, _ := strings.Cut(newKey, ":")
		fails := func(want string, cmd *exec.Cmd) {
			o.Helper()
			if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), want) || strings.Contains(string(out), strings.SplitN(newKey, ":", 2)[1]) {
				o.Errorf("%v says %s (%v), want %q", cmd.Args, out, err, want)
			}
		}
		fails("SECRET_KEYS is not set: run secrets new", o.withKeys("", "secrets", "rotate"))
		fails("a secret that the key old encrypts: no such key in SECRET_KEYS", o.withKeys(newKey, "secrets", "rotate"))
		fails("SECRET_KEYS can't be read: each key must be ID:KEY", o.withKeys(newKey+"x", "secrets", "rotate"))
		fails("--secret-keys shows its keys to every user of this machine", o.withKeys("", "secrets", "rotate", "--secret-keys", newKey))
		for _, want := range []string{"Encrypted 3 secrets by the key " + id, "Encrypted 0 secrets by the key " + id} {
			if out, err := o.withKeys(newKey+", "+oldKey, "secrets", "rotate").CombinedOutput(); err != nil || !strings.Contains(string(out), want) {
				o.Errorf("it says %s (%v), want %q", out, err, want)
			}
		}
		only, err := secrets.Parse(newKey)
		if err != nil {
			o.Fatal(err)
		}
		apps, err := o.db.Authenticators(o.Context(), anna.ID)
		if err != nil || len(apps) != 3 {
			o.Fatal(err, len(apps))
		}
		for _, a := range apps {
			if secret, err := only.Open(a.Secret, a.KeyID, auth.AuthenticatorContext(&a)); err != nil || string(secret) != "JBSWY3DPEHPK3PXP" {
				o.Errorf("the new key alone opens %s, %v", secret, err)
			}
		}
	})
}

func TestOperatorResetsFactors(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		anna := o.user("anna.smith")
		if err := o.db.AddAuthenticator(o.Context(), anna, &models.Authenticator{ID: uuid.Must(uuid.NewV7()), Secret: []byte("x")}); err != nil {
			o.Fatal(err)
		}
		if err := o.db.SetRecoveryCodes(o.Context(), anna, models.NewRecoveryCodes()); err != nil {
			o.Fatal(err)
		}
		if shown := o.does("users", "show", "anna.smith"); !strings.Contains(shown, "password, authenticator apps: 1, recovery codes: 10") {
			o.Errorf("show says %s", shown)
		}
		acme := &models.Organization{Name: "Acme", Slug: "acme"}
		if err := o.db.CreateOrganization(o.Context(), acme, anna); err != nil {
			o.Fatal(err)
		}
		owner, err := o.db.MembershipBySlug(o.Context(), "acme", anna.ID)
		if err == nil {
			err = o.db.RequireSecondFactor(o.Context(), owner, time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC), true)
		}
		if err != nil {
			o.Fatal(err)
		}
		if shown := o.does("users", "show", "anna.smith"); !strings.Contains(shown, "required by acme from 2030-01-02 00:00:00 UTC (also in trusted browsers)") {
			o.Errorf("show says %s", shown)
		}
		if status, cookie := o.signsIn("anna.smith", oldPassword); status != 303 || cookie != nil {
			o.Errorf("the password alone answers %d with %v", status, cookie)
		}
		wantEqual(o.T, "no recovery", o.does("users", "cancel-recovery", "anna.smith"), "No recovery of anna.smith waits\n")
		begins := func() {
			o.Helper()
			if err := o.db.VerifyUser(o.Context(), o.user("anna.smith")); err != nil && !errors.Is(err, models.ErrChanged) {
				o.Fatal(err)
			}
			secret, err := o.db.CreateToken(o.Context(), nil, anna, models.Recover, anna.Email)
			if err != nil {
				o.Fatal(err)
			}
			token, err := o.db.TokenBySecret(o.Context(), secret, models.Recover)
			if err != nil {
				o.Fatal(err)
			}
			if begun, err := o.db.BeginRecovery(o.Context(), token, models.SitePolicy{}, 72*time.Hour, models.MailDetail{}); err != nil || !begun {
				o.Fatal(begun, err)
			}
		}
		begins()
		if shown := o.does("users", "show", "anna.smith"); !strings.Contains(shown, "Recovery (UTC)") || !strings.Contains(shown, "waits until ") {
			o.Errorf("show says %s", shown)
		}
		if shown := readJSON[object](o, o.does("users", "show", "anna.smith", "--json")); shown["recovery"] == nil {
			o.Errorf("show says %v", shown)
		}
		wantEqual(o.T, "cancel-recovery", o.does("users", "cancel-recovery", "anna.smith"), "Canceled the recovery of anna.smith\n")
		begins()
		wantEqual(o.T, "reset-factors", o.does("users", "reset-factors", "anna.smith"), "Removed the passkeys, authenticator apps and recovery codes of anna.smith\n")
		o.enters("anna.smith", oldPassword)
		events := readJSON[[]object](o, o.does("audit", "--json"))
		if kinds := fieldsOf(events, "kind"); len(kinds) < 2 || kinds[1] != "factors-reset" {
			o.Errorf("the audit log has %v", events)
		}
	})
} // TestOperatorGrants makes a user an operator, and takes that back.
func TestOperatorGrants(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		shows := func(operator, second string) {
			o.Helper()
			show := o.command("users", "show", "anna.smith")
			show.Env = append(show.Env, "SECOND_FACTOR=operators")
			shown, err := show.Output()
			if err != nil {
				o.Fatal(err)
			}
			for _, line := range []string{`(?m)^Operator +` + operator + `$`, `(?m)^Second factor +` + second + `$`} {
				if !regexp.MustCompile(line).Match(shown) {
					o.Errorf("show lacks %s: %s", line, shown)
				}
			}
		}
		shows("no", "not required")
		wantEqual(o.T, "grant-operator", o.does("users", "grant-operator", "anna.smith"), "Made anna.smith an operator with the role support\n")
		shows("support", "required by the site")
		wantEqual(o.T, "grant-operator as admin", o.does("users", "grant-operator", "anna.smith", "--role", "admin"), "Made anna.smith an operator with the role admin\n")
		wantEqual(o.T, "grant-operator as support", o.does("users", "grant-operator", "anna.smith"), "Made anna.smith an operator with the role support\n")
		wantEqual(o.T, "grant-operator again", o.does("users", "grant-operator", "anna.smith"), "anna.smith is an operator already\n")
		wantEqual(o.T, "revoke-operator", o.does("users", "revoke-operator", "anna.smith"), "anna.smith is no longer an operator\n")
		shows("no", "not required")
		wantEqual(o.T, "revoke-operator again", o.does("users", "revoke-operator", "anna.smith"), "anna.smith isn't an operator\n")
		events := readJSON[[]object](o, o.does("audit", "--json"))
		if kinds := fieldsOf(events, "kind"); len(kinds) < 2 || kinds[0] != "operator-revoked" || kinds[1] != "operator-granted" {
			o.Errorf("the events are %v", kinds)
		}
	})
}
