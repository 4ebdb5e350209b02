package account_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestPasskeys(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		s.Get("/account/passkeys").Wants(http.StatusOK).Says("No passkeys yet.")

		phone, key := s.SecurityKey(), s.SecurityKey()
		phone.AAGUID, phone.Says.BackupEligible, phone.Says.BackupState = uuid.MustParse("fbfc3007-154e-4ecc-8c0b-6e020557d7bd"), true, true
		asked := s.Post("/account/passkeys/options", nil).WantsHeader("Content-Type", "application/json").WantsHeader("Cache-Control", "no-store")
		var o struct {
			RP                     struct{ ID string }
			User                   struct{ ID, Name, DisplayName string }
			AuthenticatorSelection struct{ ResidentKey, UserVerification string }
			Attestation            string
			Timeout                int
			Challenge              string
		}
		if err := json.Unmarshal([]byte(asked.Body), &o); err != nil {
			t.Fatal(err)
		}
		handle, err := base64.RawURLEncoding.DecodeString(o.User.ID)
		if o.RP.ID != "localhost" || o.User.Name != "anna.smith" || o.User.DisplayName != "Anna Smith" || err != nil || len(handle) != 64 ||
			o.AuthenticatorSelection.ResidentKey != "required" || o.AuthenticatorSelection.UserVerification != "required" || o.Attestation != "none" || o.Timeout != 5*60*1000 {
			t.Errorf("the options are %s", asked.Body)
		}

		if again := challengeIn(s.Post("/account/passkeys/options", nil)); len(o.Challenge) != 43 || again == o.Challenge { // 256 bits
			t.Errorf("the challenges are %s and %s", o.Challenge, again)
		}

		s.AddPasskey(phone, options...).LeadsTo("/account/passkeys")
		if page := s.Get("/account/passkeys").Says("Apple Passwords Synced").Says("never used."); page.Text("#notices p") != "Passkey added" {
			page.Failf("the toast is %q", page.Text("#notices p"))
		}
		if text := s.MailTo(apptest.Anna.Email, apptest.PasskeyAddedSubject).Text; !strings.Contains(text, "A passkey was added. It can be used to sign in without a password.") {
			t.Errorf("the mail says %s", text)
		}
		s.AddPasskey(key, options...).LeadsTo("/account/passkeys")
		s.Deliver()
		page := s.Get("/account/passkeys").Says("Security key On one device")
		if again := s.Post("/account/passkeys/options", nil); !strings.Contains(again.Body, base64.RawURLEncoding.EncodeToString(phone.Key.ID)) {
			again.Failf("the browser is not told what the user has: %s", again.Body)
		}
		s.AddPasskey(key, options...).Wants(http.StatusUnprocessableEntity).Says("This passkey is already in use.")
		signal := page.Find("[data-signal]").AttrOr("data-signal", "")
		for _, want := range []string{`"rpId":"localhost"`, `"userId":"` + o.User.ID + `"`, base64.RawURLEncoding.EncodeToString(phone.Key.ID), base64.RawURLEncoding.EncodeToString(key.Key.ID), `"name":"anna.smith"`} {
			if !strings.Contains(signal, want) {
				t.Errorf("password managers are told %s, want %s in it", signal, want)
			}
		}

		path := "/account/passkeys/" + s.Passkeys()[1].ID.String()
		s.Submit(s.Get(path).Wants(http.StatusOK).Page(), "form#passkey", apptest.Fill("name", " "), options...).
			Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"name": "Enter a name."})
		s.Submit(s.Get(path), "form#passkey", apptest.Fill("name", "Blue key"), options...).LeadsTo("/account/passkeys")
		s.MailTo(apptest.Anna.Email, apptest.PasskeyRenamedSubject)
		s.Submit(s.Get(path).Says("Blue key"), "form[action$='/remove']", nil, options...).LeadsTo("/account/passkeys")
		s.MailTo(apptest.Anna.Email, apptest.PasskeyRemovedSubject)
		if left := s.Passkeys(); len(left) != 1 || left[0].Name != "Apple Passwords" {
			t.Errorf("left are %+v", left)
		}
		s.Get(path).Wants(http.StatusNotFound)
		kinds := s.Kinds()
		if want := []string{"sign-up", "passkey-added", "passkey-added", "passkey-renamed", "passkey-removed"}; !slices.Equal(kinds, want) {
			t.Errorf("the events are %v, want %v", kinds, want)
		}
	}, apptest.OnLocalhost)
}

// TestPasskeyNotAdded sends answers of authenticators that prove nothing.
func TestPasskeyNotAdded(t *testing.T) {
	t.Parallel()
	const refused = "This passkey wasn't accepted. Try again."
	tests := map[string]struct {
		answer func(s *apptest.Site, a *apptest.SecurityKey) string
		says   string
	}{
		"broken": {func(*apptest.Site, *apptest.SecurityKey) string { return "{}" }, refused},
		"of another relying party": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			a.RP.ID = "example.com"
			return a.Create(s.Post("/account/passkeys/options", nil))
		}, refused},
		"of another origin": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			a.RP.Origin = "http://localhost:1"
			return a.Create(s.Post("/account/passkeys/options", nil))
		}, refused},
		"without user verification": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			a.Says.UserNotVerified = true
			return a.Create(s.Post("/account/passkeys/options", nil))
		}, refused},
		"to an old challenge": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			answer := a.Create(s.Post("/account/passkeys/options", nil))
			s.SetTime("passkey_ceremonies", "expires_at", time.Now())
			return answer
		}, refused},
		"to a challenge of another browser": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			other := s.Visit(s.T)
			other.SetCookie("session", s.Cookie("session"))
			return a.Create(other.Post("/account/passkeys/options", nil))
		}, refused},
		"to a challenge of another user": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			other := s.Visit(s.T)
			other.Join(apptest.Ben)
			answer := a.Create(other.Post("/account/passkeys/options", nil))
			s.SetCookie("passkey", other.Cookie("passkey"))
			return answer
		}, refused},
		"to a challenge for a sign-in": {func(s *apptest.Site, a *apptest.SecurityKey) string {
			options := s.Post("/account/passkeys/options", nil)
			options.Body = strings.Replace(options.Body, challengeIn(options), challengeIn(s.Post("/sign-in/passkey", nil)), 1)
			return a.Create(options)
		}, refused},
	}
	problems := map[string]string{
		"NotAllowedError":   "The request was canceled or took too long. Try again when you're ready.",
		"InvalidStateError": "This device or password manager already has a passkey for your account.",
		"<script>":          "Your browser couldn't use a passkey. Try again, or use another device.",
		"":                  "Passkeys need JavaScript, which is off or didn't load.",
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost)
		s.Join(apptest.Anna)
		add := func(typed ...string) *apptest.Answer {
			t.Helper()
			return s.Post("/account/passkeys", apptest.Fill(typed...)).Wants(http.StatusUnprocessableEntity).Page().Harmless()
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				s.SetCookie("passkey", "")
				if text := add("credential", tt.answer(s, s.SecurityKey())).Text(".form-error"); text != tt.says {
					t.Errorf("it says %q, want %q", text, tt.says)
				}
			})
		}
		for problem, says := range problems {
			if text := add("problem", problem).Text(".form-error"); text != says {
				t.Errorf("%q: it says %q, want %q", problem, text, says)
			}
		}
		answer := s.SecurityKey().Create(s.Post("/account/passkeys/options", nil))
		s.AgePassword()
		s.Post("/account/passkeys", apptest.Fill("credential", answer)).Wants(http.StatusForbidden).Says("Confirm it's you")
		s.Post("/account/passkeys/options", nil).Wants(http.StatusForbidden)
		if len(s.Passkeys()) > 0 {
			t.Errorf("added are %+v", s.Passkeys())
		}
		s.Age("authenticated_at", time.Now())
		s.Post("/account/passkeys", apptest.Fill("credential", answer)).LeadsTo("/account/passkeys")
		add("credential", answer) // a challenge is answered once
	})
}

func challengeIn(options *apptest.Answer) string {
	var o struct{ Challenge string }
	if err := json.Unmarshal([]byte(options.Body), &o); err != nil {
		options.T.Fatal(err)
	}
	return o.Challenge
}

func TestPasskeysNeedADomain(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		s.Get("/account/passkeys").Wants(http.StatusOK).Says("Passkeys need a domain name")
		s.Post("/account/passkeys/options", nil).Wants(http.StatusNotFound)
		s.Post("/sign-in/passkey", nil).Wants(http.StatusNotFound)
		s.Get("/.well-known/webauthn").Wants(http.StatusNotFound)
		if n := s.Visit(t).Get("/sign-in").Find("[data-passkey]").Length(); n > 0 {
			t.Error("sign-in offers passkeys")
		}
	})
}

// TestAccountWithoutAPassword goes through the pages that ask for a password, with a
// passkey instead, and never loses the last way in.
func TestAccountWithoutAPassword(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		key := s.SecurityKey()
		s.JoinWith(apptest.Anna, key).LeadsTo("/dashboard")
		s.Confirmed()
		s.Deliver()
		lastWayIn := func(a *apptest.Answer, says string) {
			t.Helper()
			if a.Wants(http.StatusConflict).Says(says); len(s.Passkeys()) == 0 && !s.User(apptest.Anna.Username).HasPassword() {
				t.Fatal("nobody can sign in any more")
			}
		}
		path := "/account/passkeys/" + s.Passkeys()[0].ID.String()
		s.Get(path).Says("It's your only way to sign in.")
		lastWayIn(s.Post(path+"/remove", nil, options...), "You can't sign in without this passkey.")

		// No page asks for a password that there isn't, and none takes one.
		for page, form := range map[string]string{"/account/email": "form#change-email", "/account/delete": "form#delete-account", "/account/password": "form#change-password"} {
			s.AgePassword()
			asked := s.Get(page).Wants(http.StatusForbidden).Says("Use your passkey to continue.")
			if asked.Find("[name=current_password]").Length() > 0 {
				asked.Failf("it asks for a password")
			}
			s.Submit(asked, apptest.SudoForm, apptest.Fill("current_password", apptest.Anna.Password), options...).Wants(http.StatusForbidden)
			s.ConfirmWith(asked, key, options...).LeadsTo(page)
			shown := s.Get(page).Wants(http.StatusOK)
			if shown.Find(form+" [name=current_password]").Length() > 0 || shown.Find(form+" [data-passkey]").Length() != 1 {
				shown.Failf("it asks for a password, or not for a passkey")
			}
			typed := apptest.With(apptest.Twice(apptest.AnotherPassword), "email", "new@example.com", "username", apptest.Anna.Username, "current_password", apptest.Anna.Password)
			s.Submit(shown, form, typed, options...).Wants(http.StatusUnprocessableEntity).Says("Passkeys need JavaScript, which is off or didn't load.")
		}
		s.Submit(s.Get("/account/email"), "form#change-email", apptest.Fill("email", "new@example.com", "credential", s.Confirmation(key)), options...).
			Wants(http.StatusOK).Says("We sent a link to new@example.com.")
		s.Deliver()

		// A password is set, the passkey goes, and back.
		other := s.Visit(t)
		other.SignInWith(key).LeadsTo("/dashboard")
		s.Deliver()
		page := s.Get("/account/password").Says("Set a password")
		s.Submit(page, "form#change-password", apptest.With(apptest.Twice("sunshine"), "credential", s.Confirmation(key)), options...).
			Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"password": apptest.TooCommon})
		s.Submit(page, "form#change-password", apptest.With(apptest.Twice(apptest.Anna.Password), "credential", s.Confirmation(key)), options...).LeadsTo("/account")
		s.MailTo(apptest.Anna.Email, apptest.NewPasswordSubject)
		if other.SignedIn() || !s.SignedIn() {
			t.Error("the wrong session ended")
		}
		s.Submit(s.Get(path), "form[action$='/remove']", nil, options...).LeadsTo("/account/passkeys")
		s.MailTo(apptest.Anna.Email, apptest.PasskeyRemovedSubject)
		s.SetTime("users", "verified_at", time.Time{}) // to which no code is mailed
		if n := s.Get("/account/password").Find("form[action='/account/password/remove']").Length(); n > 0 {
			t.Error("the last way in can be removed")
		}
		lastWayIn(s.Post("/account/password/remove", nil, options...), "You can't sign in without a password.")
		s.Confirmed()
		s.AddPasskey(key).LeadsTo("/account/passkeys")
		s.Deliver()
		other.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.Deliver()
		s.Submit(s.Get("/account/password"), "form[action='/account/password/remove']", nil, options...).LeadsTo("/account/password")
		s.MailTo(apptest.Anna.Email, "Your password was removed")
		if s.User(apptest.Anna.Username).HasPassword() || other.SignedIn() || !s.SignedIn() {
			t.Error("the password is left, or the wrong session ended")
		}

		// An operator removes the passkey, too.
		if err := s.DB.ResetFactors(t.Context(), s.User(apptest.Anna.Username)); err != nil {
			t.Fatal(err)
		}
		s.Deliver()
		s.AgePassword()
		s.Get("/account/email").Wants(http.StatusForbidden).Says("Email me a code")
		s.Age("authenticated_at", time.Now())
		s.AddPasskey(key).LeadsTo("/account/passkeys")

		// A mailed link sets one again.
		token := s.ResetToken(apptest.Anna.Email)
		reset := s.Visit(t)
		reset.Post("/reset-password", apptest.With(apptest.Twice(apptest.AnotherPassword), "token", token), options...).LeadsTo("/dashboard")
		if len(s.Passkeys()) != 1 {
			t.Error("a reset removes the passkeys of a confirmed address")
		}
		reset.Post("/account/password/remove", nil, options...).LeadsTo("/account/password")
		reset.Submit(reset.Get("/account/delete"), "form#delete-account", apptest.Fill("username", apptest.Anna.Username, "credential", reset.Confirmation(key)), options...).LeadsTo("/")
		if len(s.Users()) > 0 || len(s.Passkeys()) > 0 {
			t.Error("the account or its passkey is left")
		}
	}, apptest.OnLocalhost)
}

// TestLastWayInStays removes every way in at the same moment.
func TestLastWayInStays(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost)
		s.JoinWith(apptest.Anna, s.SecurityKey()).LeadsTo("/dashboard")
		s.AddPasskey(s.SecurityKey()).LeadsTo("/account/passkeys")
		var group sync.WaitGroup
		for _, p := range s.Passkeys() {
			group.Go(func() { s.Post("/account/passkeys/"+p.ID.String()+"/remove", nil) })
		}
		group.Wait()
		if left := s.Passkeys(); len(left) != 1 {
			t.Errorf("%d passkeys are left, want 1", len(left))
		}
	})
}

// TestPasskeysOnOtherPages looks at what else speaks of passkeys.
func TestPasskeysOnOtherPages(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost, func(c *app.Config) { c.RelatedOrigins = "https://example.com, https://EXAMPLE.de/" })
		s.Join(apptest.Anna)
		todo := func() string { return s.Get("/dashboard").Text(".todo") }
		if text := todo(); !strings.Contains(text, "Add a passkey Create") {
			t.Errorf("there is to do: %s", text)
		}
		if n := s.Get("/account").Find("[data-signal]").Length(); n > 0 {
			t.Error("a user without a passkey tells password managers")
		}
		key := s.SecurityKey()
		s.AddPasskey(key)
		if text := todo(); !strings.Contains(text, "Add a passkey (done)") {
			t.Errorf("there is to do: %s", text)
		}
		saved := s.Submit(s.Get("/account"), "form#account", apptest.Fill("last_name", "Jones"), apptest.HTMX).Wants(http.StatusOK)
		if signal := saved.Find("[data-signal]").AttrOr("data-signal", ""); !strings.Contains(signal, `"displayName":"Anna Jones"`) {
			t.Errorf("password managers are told %s", signal)
		}
		if got := s.Get("/.well-known/webauthn").WantsHeader("Content-Type", "application/json").Body; got != `{"origins":["`+s.BaseURL+`","https://example.com","https://example.de"]}` {
			t.Errorf("related origins are %s", got)
		}
		if got := s.Get("/.well-known/passkey-endpoints").Body; got != `{"enroll":"`+s.BaseURL+`/account/passkeys","manage":"`+s.BaseURL+`/account/passkeys"}` {
			t.Errorf("the endpoints are %s", got)
		}
		key.RP.Origin = "https://example.de"
		s.Visit(t).SignInWith(key).LeadsTo("/dashboard")
		s.Get("/account/security").Wants(http.StatusOK).Says("You have 1 passkey.").Says("Added a passkey")
		data := s.Get("/account/data").Wants(http.StatusOK).Body
		if !strings.Contains(data, `"name": "Security key"`) || strings.Contains(data, base64.StdEncoding.EncodeToString(key.Key.ID)) {
			t.Errorf("the data are %s", data)
		}
	})
}
