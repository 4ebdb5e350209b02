package auth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSignInWithAPasskey(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Confirmed()
		key := s.SecurityKey()
		s.AddPasskey(key).LeadsTo("/account/passkeys")
		s.Deliver()

		v := s.Visit(t)
		asked := v.Post("/sign-in/passkey", nil).WantsHeader("Cache-Control", "no-store")
		if strings.Contains(asked.Body, "allowCredentials") || !strings.Contains(asked.Body, `"userVerification":"required"`) {
			asked.Failf("the options are %s", asked.Body)
		}
		page := v.Get("/sign-in?next=%2Faccount").Wants(http.StatusOK)
		if got := page.Find("#login").AttrOr("autocomplete", ""); got != "username webauthn" {
			page.Failf("autocomplete is %q", got)
		}
		v.Submit(page, "form#sign-in", apptest.Fill("credential", key.Sign(asked)), options...).LeadsTo("/account")
		if !v.SignedIn() {
			t.Error("a passkey doesn't sign in")
		}
		s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
		v.Post("/sign-in?next=%2Faccount", apptest.Fill("credential", key.Sign(v.Post("/sign-in/passkey", nil))), options...).LeadsTo("/account") // sent twice
		key.Key.Counter--
		if p := s.Passkeys()[0]; p.SignCount != 1 || time.Since(p.LastUsedAt) > time.Minute {
			t.Errorf("the passkey is %+v", p)
		}
		key.Key.Counter = 0
		s.Visit(t).SignInWith(key, options...).Wants(http.StatusUnprocessableEntity) // counts to 1 again
		key.Key.Counter = 10
		s.Visit(t).SignInWith(key, options...).LeadsTo("/dashboard")
	}, apptest.OnLocalhost)
}

// TestPasskeyRefused sends answers of authenticators that sign nobody in.
func TestPasskeyRefused(t *testing.T) {
	t.Parallel()
	const refused = "This passkey wasn't accepted. Try again."
	const unknown = "We don't know this passkey. It may have been removed. Sign in another way."
	type attempt struct {
		s    *apptest.Site
		v    *apptest.Visitor
		key  *apptest.SecurityKey
		bens *apptest.SecurityKey // the passkey of another account
	}
	sign := func(a attempt) string { return a.key.Sign(a.v.Post("/sign-in/passkey", nil)) }
	tests := map[string]struct {
		answer func(a attempt) string
		says   string
	}{
		"broken":    {func(attempt) string { return `{"id":"x"}` }, refused},
		"not JSON":  {func(attempt) string { return "x" }, refused},
		"cancelled": {func(attempt) string { return "" }, "The request was canceled or took too long. Try again when you're ready."},
		"an old challenge": {func(a attempt) string {
			answer := sign(a)
			a.s.SetTime("passkey_ceremonies", "expires_at", time.Now())
			return answer
		}, refused},
		"a challenge that was answered": {func(a attempt) string {
			answer := sign(a)
			a.v.Post("/sign-in", apptest.Fill("credential", answer)).LeadsTo("/dashboard")
			a.v.Post("/sign-out", nil).LeadsTo("/")
			return answer
		}, refused},
		"a challenge of another browser": {func(a attempt) string { return a.key.Sign(a.s.Visit(a.v.T).Post("/sign-in/passkey", nil)) }, refused},
		"a challenge of nobody": {func(a attempt) string {
			options := a.v.Post("/sign-in/passkey", nil)
			options.Body = strings.Replace(options.Body, `"challenge":"`, `"challenge":"AAAA`, 1)
			return a.key.Sign(options)
		}, refused},
		"another account's handle": {func(a attempt) string {
			a.key.Says.UserHandle = a.bens.Says.UserHandle
			return sign(a)
		}, unknown},
		"another account's credential": {func(a attempt) string {
			a.key.Key.ID = a.bens.Key.ID
			return sign(a)
		}, unknown},
		"no handle":             {func(a attempt) string { a.key.Says.UserHandle = nil; return sign(a) }, unknown},
		"another relying party": {func(a attempt) string { a.key.RP.ID = "example.com"; return sign(a) }, refused},
		"another origin":        {func(a attempt) string { a.key.RP.Origin = "https://localhost.example"; return sign(a) }, refused},
		"another key":           {func(a attempt) string { a.key.Key.Key = a.bens.Key.Key; return sign(a) }, refused},
		"an altered signature": {func(a attempt) string {
			return alter(a.v.T, sign(a), "signature", func(b []byte) { b[len(b)-1] ^= 1 })
		}, refused},
		"altered data": {func(a attempt) string {
			return alter(a.v.T, sign(a), "authenticatorData", func(b []byte) { b[36]++ }) // the counter
		}, refused},
		"no user verification": {func(a attempt) string { a.key.Says.UserNotVerified = true; return sign(a) }, refused},
		"no user presence":     {func(a attempt) string { a.key.Says.UserNotPresent = true; return sign(a) }, refused},
		"a disabled account": {func(a attempt) string {
			if err := a.s.DB.DisableUser(a.v.T.Context(), a.s.User(apptest.Anna.Username)); err != nil {
				a.v.T.Fatal(err)
			}
			return sign(a)
		}, "This account is disabled. Please contact the site's administrator."},
		"a removed passkey": {func(a attempt) string {
			answer := sign(a)
			user := a.s.User(apptest.Anna.Username)
			if err := a.s.DB.RemovePasskey(a.v.T.Context(), user, a.s.Passkeys()[0].ID); err != nil {
				a.v.T.Fatal(err)
			}
			return answer
		}, unknown},
		"a counter that went back": {func(a attempt) string {
			a.s.Visit(a.v.T).SignInWith(a.key).LeadsTo("/dashboard")
			a.key.Key.Counter--
			return sign(a)
		}, "This passkey was refused, because it may have been copied. Sign in another way, then replace it."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, apptest.OnLocalhost)
				key, bens := s.SecurityKey(), s.SecurityKey()
				s.Join(apptest.Anna)
				s.AddPasskey(key)
				ben := s.Visit(t)
				ben.Join(apptest.Ben)
				ben.AddPasskey(bens)
				s.Confirmed()
				s.Deliver()

				v := s.Visit(t)
				answer := tt.answer(attempt{s, v, key, bens})
				typed := apptest.Fill("login", "anna", "credential", answer)
				if answer == "" {
					typed.Set("problem", "NotAllowedError")
				}
				before := len(s.Sessions())
				a := v.Post("/sign-in", typed).Wants(http.StatusUnprocessableEntity).Page().Harmless().WantsErrors(nil)
				if text := a.Text(".form-error"); text != tt.says || a.Value("login") != "anna" {
					a.Failf("it says %q with %q typed, want %q", text, a.Value("login"), tt.says)
				}
				if signal := a.Find("[data-signal]").AttrOr("data-signal", ""); (signal != "") != (tt.says == unknown) || signal != "" && !strings.Contains(signal, `"credentialId":"`) {
					a.Failf("password managers are told %s", signal)
				}
				if len(s.Sessions()) != before || v.SignedIn() {
					t.Error("somebody is signed in")
				}
				copied := strings.Contains(tt.says, "copied")
				if recorded := slices.ContainsFunc(s.Events(), func(e models.Event) bool { return e.Kind == models.EventPasskeyRefused }); recorded != copied {
					t.Error("the audit log is wrong about copied passkeys")
				}
				sent := s.Deliver()
				if told := slices.ContainsFunc(sent, func(m apptest.Mail) bool { return m.Subject == apptest.PasskeyRefusedSubject }); told != copied {
					t.Errorf("sent are %+v", sent)
				}
			})
		})
	}
}

// alter changes a part of an answer.
func alter(t testing.TB, answer, field string, change func([]byte)) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		t.Fatal(err)
	}
	response := all["response"].(map[string]any)
	b, err := base64.RawURLEncoding.DecodeString(response[field].(string))
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	response[field] = base64.RawURLEncoding.EncodeToString(b)
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestPasskeyOnceAtATime sends the same answer in many requests at the same moment.
func TestPasskeyOnceAtATime(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost)
		s.Join(apptest.Anna)
		key := s.SecurityKey()
		s.AddPasskey(key)
		v := s.Visit(t)
		answer := key.Sign(v.Post("/sign-in/passkey", nil))
		before := len(s.Sessions())
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				w := s.Visit(t)
				w.SetCookie("passkey", v.Cookie("passkey"))
				w.Post("/sign-in", apptest.Fill("credential", answer))
			})
		}
		group.Wait()
		if n := len(s.Sessions()) - before; n != 1 {
			t.Errorf("%d sessions began, want 1", n)
		}
	})
}

func TestConfirmWithAPasskey(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.AgePassword()
		if n := s.Get("/account/email").Wants(http.StatusForbidden).Find("[data-passkey]").Length(); n > 0 {
			t.Error("a user without a passkey is asked for one")
		}
		s.Post("/account/passkeys/confirm", nil).Wants(http.StatusNotFound)
		s.Age("authenticated_at", time.Now())
		key, bens := s.SecurityKey(), s.SecurityKey()
		s.AddPasskey(key)
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		ben.AddPasskey(bens)

		for path, form := range sensitive {
			s.AgePassword()
			before := s.Cookie("session")
			page := asksForPassword(s.Get(path), path)
			asksForPassword(s.ConfirmWith(page, bens, options...), path).Says("We don't know this passkey.")
			guest := key.Sign(s.Post("/sign-in/passkey", nil)) // a challenge for something else
			asksForPassword(s.Submit(page, apptest.SudoForm, apptest.Fill("sudo_credential", guest), options...), path).Says("This passkey wasn't accepted.")
			asksForPassword(s.Submit(page, apptest.SudoForm, apptest.Fill("sudo_problem", "NotAllowedError"), options...), path).Says("canceled or took too long")
			s.ConfirmWith(page, key, options...).LeadsTo(path)
			if s.Get(path).Wants(http.StatusOK).Find(form).Length() != 1 || s.Cookie("session") == before {
				t.Errorf("%s does not open, or the token is not renewed", path)
			}
		}
		// What was typed goes on.
		s.AgePassword()
		page := asksForPassword(s.Post("/account/email", apptest.Fill("email", "new@example.com", "current_password", ""), options...), "/account/email")
		if got := values(page, "email"); !slices.Equal(got, []string{"new@example.com"}) {
			t.Errorf("kept is %v", got)
		}
		s.ConfirmWith(page, key, options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"current_password": apptest.WantsCurrentPassword})
	}, apptest.OnLocalhost)
}

// TestSignInAgainWithAPasskey goes on with a form after the session has ended.
func TestSignInAgainWithAPasskey(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost)
		s.Join(apptest.Anna)
		key := s.SecurityKey()
		s.AddPasskey(key)
		page := s.Get("/account")
		for _, session := range s.Sessions() {
			if err := s.DB.DeleteSession(t.Context(), session.UserID, session.ID); err != nil {
				t.Fatal(err)
			}
		}
		asked := s.Submit(page, "form#account", apptest.Fill("first_name", "Annette")).AsksToSignIn(http.StatusForbidden)
		asked = s.Submit(asked, "form#sign-in-again", apptest.Fill("again_problem", "NotAllowedError")).AsksToSignIn(http.StatusUnprocessableEntity).Says("canceled or took too long")
		answer := key.Sign(s.Post("/sign-in/passkey", nil))
		s.Submit(asked, "form#sign-in-again", apptest.Fill("again_credential", answer)).LeadsTo("/account")
		if name := s.Users()[0].FirstName; name != "Annette" || !s.SignedIn() {
			t.Errorf("the name is %s", name)
		}
	})
}

func TestSignUpWithAPasskey(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		key := s.SecurityKey()
		page := s.Get("/sign-up").Wants(http.StatusOK)
		if button := page.Find("form#sign-up [data-passkey=create]"); button.AttrOr("data-with", "") != "username first_name last_name email" {
			page.Failf("there is no button for a passkey")
		}
		// What is wrong is said before a passkey is created.
		wrong := apptest.With(apptest.Anna.Form(), "username", "a", "password", "", "confirm_password", "")
		if a := s.Post("/sign-up/passkey", wrong).Wants(http.StatusUnprocessableEntity); a.Body != "" {
			a.Failf("it says %s", a.Body)
		}
		s.Submit(page, "form#sign-up", apptest.With(wrong, "problem", "OptionsError"), options...).
			Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"username": apptest.AtLeast5})
		cancelled := apptest.With(wrong, "username", apptest.Anna.Username, "problem", "NotAllowedError")
		s.Submit(page, "form#sign-up", cancelled, options...).Wants(http.StatusUnprocessableEntity).WantsErrors(nil).Says("The request was canceled")
		if len(s.Users()) > 0 {
			t.Error("there is an account already")
		}

		s.JoinWith(apptest.Anna, key, options...).LeadsTo("/dashboard")
		u := s.User(apptest.Anna.Username)
		if u.HasPassword() || u.Verified() || len(s.Passkeys()) != 1 || !s.SignedIn() {
			t.Errorf("the user is %+v", u)
		}
		s.MailTo(apptest.Anna.Email, apptest.VerifySubject)
		if e := s.Events(); len(e) != 1 || e[0].Kind != models.EventSignUp {
			t.Errorf("the events are %+v", e)
		}
		s.Visit(t).SignInWith(key, options...).LeadsTo("/dashboard")
		for _, pw := range []string{"x", apptest.Anna.Password} {
			s.Visit(t).Post("/sign-in", apptest.Credentials(apptest.Anna.Username, pw), options...).Wants(http.StatusUnprocessableEntity).Says(apptest.WrongSignIn)
		}

		// Somebody else with the same name, or the same passkey.
		other := s.Visit(t)
		other.Post("/sign-up/passkey", apptest.Anna.Form()).Wants(http.StatusUnprocessableEntity)
		form := apptest.With(apptest.Ben.Form(), "credential", key.Create(other.Post("/sign-up/passkey", apptest.Ben.Form())))
		other.Post("/sign-up", form, options...).Wants(http.StatusUnprocessableEntity).Says("This passkey is already in use.")
		if len(s.Users()) != 1 || other.SignedIn() {
			t.Error("there is another account")
		}
	}, apptest.OnLocalhost)
}

func TestPasskeyIsOfferedOnce(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		able := apptest.With(apptest.Anna.Credentials(), "passkey_able", "1")
		s.Visit(t).Post("/sign-in?next=%2Faccount", apptest.Anna.Credentials(), options...).LeadsTo("/account") // a script didn't say that it's of use

		v := s.Visit(t)
		const offer = "/account/passkeys/offer?next=%2Faccount"
		v.Post("/sign-in?next=%2Faccount", able, options...).LeadsTo(offer)
		page := v.Get(offer).Wants(http.StatusOK).Page().Says("Sign in faster next time")
		if href := page.Find(".aside a").AttrOr("href", ""); href != "/account" {
			page.Failf("not now leads to %s", href)
		}
		s.Visit(t).Post("/sign-in", able, options...).LeadsTo("/dashboard")

		key := s.SecurityKey()
		answer := key.Create(v.Post("/account/passkeys/options", nil))
		v.Submit(page, "form#add-passkey", apptest.Fill("problem", "NotAllowedError"), options...).Wants(http.StatusUnprocessableEntity).Says("The request was canceled")
		v.Submit(page, "form#add-passkey", apptest.Fill("credential", answer), options...).LeadsTo("/account")
		s.Visit(t).SignInWith(key, options...).LeadsTo("/dashboard")

		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		ben.AddPasskey(s.SecurityKey())
		s.Visit(t).Post("/sign-in", apptest.With(apptest.Ben.Credentials(), "passkey_able", "1"), options...).LeadsTo("/dashboard")
	}, apptest.OnLocalhost)
}

// TestPasskeyInPlaceOfACode uses a passkey where a password alone doesn't suffice.
func TestPasskeyInPlaceOfACode(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.AddAuthenticator()
		key, bens := s.SecurityKey(), s.SecurityKey()
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		ben.AddPasskey(bens)

		v := s.Visit(t)
		v.Post("/sign-in?next=%2Faccount", apptest.Anna.Credentials(), options...).LeadsTo("/sign-in/second-factor?next=%2Faccount")
		if n := v.Get("/sign-in/second-factor").Find("[data-passkey]").Length(); n > 0 {
			t.Error("a user without a passkey is asked for one")
		}
		s.AddPasskey(key).LeadsTo("/account/passkeys") // which ends the sign-in that waits
		v.Get("/sign-in/second-factor").LeadsTo("/sign-in")
		v.Post("/sign-in?next=%2Faccount", apptest.Anna.Credentials(), options...)
		page := v.Get("/sign-in/second-factor?next=%2Faccount").Wants(http.StatusOK)
		for key, says := range map[*apptest.SecurityKey]string{bens: "This passkey is for another account.", nil: "The request was canceled"} {
			typed := apptest.Fill("problem", "NotAllowedError")
			if key != nil {
				typed = apptest.Fill("credential", key.Sign(v.Post("/sign-in/passkey", nil)))
			}
			v.Submit(page, apptest.SecondFactorForm, typed, options...).Wants(http.StatusUnprocessableEntity).WantsErrors(nil).Says(says)
		}
		if v.SignedIn() {
			t.Error("a refused passkey signs in")
		}
		v.Submit(page, apptest.SecondFactorForm, apptest.Fill("credential", key.Sign(v.Post("/sign-in/passkey", nil))), options...).LeadsTo("/account")
		if !v.SignedIn() {
			t.Error("a passkey doesn't sign in")
		}
		s.AgePassword()
		s.ConfirmWith(s.Get("/account/email").Wants(http.StatusForbidden), key, options...).LeadsTo("/account/email")
	}, apptest.OnLocalhost)
}
