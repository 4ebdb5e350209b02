package account_test

import (
	"bytes"
	"image/png"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

const authenticator = "/account/authenticator"

func TestAuthenticator(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Deliver()
		page := s.Get(authenticator).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store")
		secret := page.Text("#secret")
		if c := page.Sets("set_up"); c == nil || !c.HttpOnly || strings.Contains(c.Value, secret) {
			page.Failf("the cookie is %v", c)
		}
		if again := s.Get(authenticator).Text("#secret"); again != secret {
			t.Errorf("another look shows another secret: %s, not %s", again, secret)
		}
		secret = strings.ReplaceAll(secret, " ", "")
		qr := s.Get(page.Find("img.qr").AttrOr("src", "")).Wants(http.StatusOK).WantsHeader("Content-Type", "image/png").WantsHeader("Cache-Control", "no-store")
		if image, err := png.Decode(bytes.NewReader([]byte(qr.Body))); err != nil || image.Bounds().Dx() < 150 {
			t.Error(err)
		}
		if s.Dump("authenticators") != "" {
			t.Error("an app is stored before it is confirmed")
		}
		code := func(d time.Duration) string {
			code, err := totp.GenerateCode(secret, time.Now().Add(d))
			if err != nil {
				t.Fatal(err)
			}
			return code
		}
		for typed, wrong := range map[string]string{"": "Enter the code from the app.", code(time.Hour): "That code is wrong. Check that your device's clock is right, then enter the code that it shows now."} {
			a := s.Submit(page, "form#authenticator", apptest.Fill("code", typed, "name", "Phone"), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"code": wrong})
			if a.Value("name") != "Phone" || a.Value("code") != "" {
				a.Failf("the name is gone, or the code came back")
			}
		}
		now := code(0)
		s.Submit(page, "form#authenticator", apptest.Fill("code", now, "name", "Phone"), options...).LeadsTo("/account/recovery-codes").Clears("set_up")
		s.Submit(page, "form#authenticator", apptest.Fill("code", now), options...).LeadsTo(authenticator) // sent twice
		s.Get(authenticator + "/qr").Wants(http.StatusNotFound)
		s.MailTo(apptest.Anna.Email, "An authenticator app was added")
		list := s.Get(authenticator).Wants(http.StatusOK).Says("Phone")
		if list.Find("#apps li").Length() != 1 || list.Find("#secret").Length() != 0 {
			list.Failf("it shows %s", list.Text("main"))
		}
		if all := s.Everything(); strings.Contains(all, secret) {
			t.Error("the secret is stored in the clear")
		}

		rename := list.Find("#apps a").AttrOr("href", "")
		s.Submit(s.Get(rename).Wants(http.StatusOK), "form#rename-authenticator", apptest.Fill("name", strings.Repeat("x", 51)), options...).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"name": "Use at most 50 characters."})
		s.Submit(s.Get(rename), "form#rename-authenticator", apptest.Fill("name", "<b>Tablet</b>"), options...).LeadsTo(authenticator)
		list = s.Get(authenticator).Harmless().Says("<b>Tablet</b>")
		s.RecoveryCodes()
		s.Deliver()
		s.Submit(list, "#apps form", nil, options...).LeadsTo(authenticator)
		s.MailTo(apptest.Anna.Email, "An authenticator app was removed")
		if s.Dump("authenticators")+s.Dump("recovery_codes") != "" {
			t.Error("the app, or the codes that stand in for it, are still there")
		}
		kinds := s.Kinds()
		if want := []string{"authenticator-added", "authenticator-renamed", "recovery-codes-created", "authenticator-removed"}; !slices.Equal(kinds[1:], want) {
			t.Errorf("the audit log has %v, want %v", kinds[1:], want)
		}
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
	})
}

// TestAuthenticatorIsItsOwners sets up an app on a browser that two people use, and
// touches the apps of others.
func TestAuthenticatorIsItsOwners(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		a := s.AddAuthenticator()
		secret := s.Get(authenticator + "?another").Text("#secret")
		list := s.Get(authenticator)
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Join(apptest.Ben)
		s.Get(authenticator + "/qr").Wants(http.StatusNotFound)
		if s.Get(authenticator).Text("#secret") == secret {
			t.Error("Ben sets up the app of Anna")
		}
		rename := list.Find("#apps a").AttrOr("href", "")
		s.Get(rename).Wants(http.StatusNotFound)
		s.Post(rename, apptest.Fill("name", "Ben's")).Wants(http.StatusNotFound)
		s.Post(rename+"/remove", nil).Wants(http.StatusNotFound)
		s.AddAuthenticator()

		// Not even in the database is Anna's secret of use to Ben.
		if _, err := db.Bun().NewUpdate().Model((*models.Authenticator)(nil)).
			Set("secret = (?)", db.Bun().NewSelect().TableExpr("authenticators AS b").Column("b.secret").Where("b.user_id = ?", s.User("anna.smith").ID)).
			Where("user_id = ?", s.User("benjamin").ID).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		v := s.Visit(t)
		v.Post("/sign-in", apptest.Ben.Credentials()).LeadsTo("/sign-in/second-factor")
		s.Log.MayFail()
		v.Post("/sign-in/second-factor", apptest.Fill("code", a.Code())).Wants(http.StatusInternalServerError)
		if v.SignedIn() {
			t.Error("Anna's app signs Ben in")
		}
	})
}

func TestAuthenticatorsHaveALimit(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		for range models.MaxAuthenticators {
			s.AddAuthenticator()
		}
		if s.Get(authenticator).Find("a[href='/account/authenticator?another']").Length() > 0 {
			t.Error("another app is offered")
		}
		page := s.Get(authenticator + "?another")
		code, err := totp.GenerateCode(strings.ReplaceAll(page.Text("#secret"), " ", ""), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		s.Submit(page, "form#authenticator", apptest.Fill("code", code)).Wants(http.StatusUnprocessableEntity).Says("You can have up to 10 apps. Remove one first.")
	})
}

func TestWithoutKeysNobodyAddsAnApp(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		keyless := func(c *app.Config) { c.SecretKeys = "" }
		v := apptest.NewSite(t, db, keyless)
		if err := v.App.CheckSecrets(t.Context()); err != nil {
			t.Error(err)
		}
		v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		if v.Get(authenticator).Wants(http.StatusOK).Says("the site's operator must set SECRET_KEYS first").Find("#secret, form#authenticator").Length() > 0 {
			t.Error("an app can be added")
		}
		v.Post(authenticator, url.Values{"code": {"000000"}}).LeadsTo(authenticator)
		s.AddAuthenticator()
		if err := v.App.CheckSecrets(t.Context()); err == nil || !strings.Contains(err.Error(), `SECRET_KEYS lacks the key "test"`) {
			t.Errorf("a site without the key of a secret starts: %v", err)
		}
	})
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Join(apptest.Anna)
		s.Confirmed()
		s.Get("/account/recovery-codes").Wants(http.StatusOK).Says("you don't have one yet")
		s.Post("/account/recovery-codes", nil).Wants(http.StatusSeeOther)
		if s.Dump("recovery_codes") != "" {
			t.Error("there are codes without an app")
		}
		s.AddAuthenticator()
		s.Deliver()
		page := s.Get("/account/recovery-codes").Says("You have no recovery codes.")
		shown := s.Submit(page, "form#create-codes", nil, options...).Wants(http.StatusOK).WantsHeader("Cache-Control", "no-store").Harmless()
		var codes []string
		shown.Find("#codes li").Each(func(_ int, li apptest.Selection) { codes = append(codes, li.Text()) })
		slices.Sort(codes)
		if len(slices.Compact(slices.Clone(codes))) != 10 || len(strings.ReplaceAll(codes[0], "-", "")) != 16 {
			t.Errorf("the codes are %v", codes)
		}
		file, err := url.PathUnescape(strings.TrimPrefix(shown.Find("a[download]").AttrOr("href", ""), "data:text/plain;charset=utf-8,"))
		if err != nil {
			t.Error(err)
		}
		everything := s.Everything()
		for _, code := range codes {
			if !strings.Contains(file, code+"\n") {
				t.Errorf("the file lacks %s:\n%s", code, file)
			}
			if strings.Contains(everything, code) || strings.Contains(everything, strings.ReplaceAll(code, "-", "")) {
				t.Error("a code is stored in the clear")
			}
		}
		s.MailTo(apptest.Anna.Email, "New recovery codes were created")
		if s.Get("/account/recovery-codes").Says("10 recovery codes left").Find("#codes").Length() > 0 {
			t.Error("the codes are shown again")
		}

		// Without a fresh proof, the page comes before new codes.
		page = s.Get("/account/recovery-codes")
		s.AgePassword()
		s.Submit(page, "#recovery-codes form", nil, options...).Wants(http.StatusForbidden)
		if s.Get("/account/recovery-codes").Wants(http.StatusForbidden).Find(apptest.SudoForm).Length() != 1 {
			t.Error("new codes need no proof")
		}
	})
}

// TestRecoveryCodesAreLimited makes one set after another, which costs ten hashes each.
func TestRecoveryCodesAreLimited(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 2, First: time.Minute, Longest: time.Minute, Forget: time.Hour}
		})
		s.Join(apptest.Anna)
		s.AddAuthenticator()
		s.RecoveryCodes()
		s.RecoveryCodes()
		before := s.Dump("recovery_codes")
		if computed := s.Hashes.During(func() {
			s.Post("/account/recovery-codes", nil).Wants(http.StatusTooManyRequests).Says("Try again in ")
		}); len(computed) > 0 {
			t.Errorf("a set too many computes %v", computed)
		}
		if s.Dump("recovery_codes") != before {
			t.Error("the last set is gone")
		}
	})
}

func TestSecurityPage(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		s.Join(apptest.Anna)
		page := s.Get("/account/security").Wants(http.StatusOK).Page().Says("Not set up")
		if page.Find("#factors li").Length() != 3 || page.Find(".side a[aria-current=page]").AttrOr("href", "") != "/account/security" {
			page.Failf("it shows %s", page.Text("main"))
		}
		a := s.AddAuthenticator()
		s.Get("/account/security").Says("Signing in takes a code from your app.").Says("You have none, so you can't sign in if you lose your app.").Says("Added an authenticator app")
		s.RecoveryCodes()
		s.Get("/account/security").Says("You have 10 recovery codes left.").Says("Every browser is asked for a code.")
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/sign-in/second-factor")
		s.Post("/sign-in/second-factor", apptest.Fill("code", a.Code(), "trust", "1")).LeadsTo("/dashboard")
		s.Get("/account/security").Says("1 browser isn't asked for a code.").Says("Trusted a browser")
	})
}

// TestSecondFactorOfEveryone signs up on a site that requires a second factor.
func TestSecondFactorOfEveryone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost, func(c *app.Config) { c.SecondFactor = "everyone" })
		s.Join(apptest.Anna)
		const setUp = "This site requires a second step, so that a stolen password isn't enough to get in."
		for _, path := range []string{"/dashboard", "/account", "/account/email", "/account/data", "/organizations", "/account/sessions"} {
			s.Get(path).Wants(http.StatusForbidden).Page().Says(setUp)
		}
		s.Get(authenticator).Wants(http.StatusOK)
		s.Get("/account/security").Wants(http.StatusOK).Says("This site requires a second step of everyone. You have none yet.")
		s.Post("/organizations", apptest.Fill("name", "Acme", "slug", "acme")).Wants(http.StatusForbidden).Says("Add a second step first")
		s.AddAuthenticator()
		s.Get("/dashboard").Wants(http.StatusOK)
		s.Submit(s.Get(authenticator), "#apps form", nil).LeadsTo(authenticator)
		s.Get("/dashboard").Wants(http.StatusForbidden).Says(setUp)

		// A passkey is as good. The password alone then no longer signs in.
		key := s.SecurityKey()
		add := s.Get(s.Get("/dashboard").Find("a[href*=passkeys]").AttrOr("href", "")).Wants(http.StatusOK)
		s.Submit(add, "form#add-passkey", apptest.Fill("credential", key.Create(s.Post("/account/passkeys/options", nil)))).LeadsTo("/dashboard")
		s.Get("/dashboard").Wants(http.StatusOK)
		s.Post("/sign-out", nil).LeadsTo("/")
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/sign-in/second-factor")
		s.SignInWith(key).LeadsTo("/dashboard")
		s.Get("/dashboard").Wants(http.StatusOK)

		// So it is if nothing else signs in.
		ben := s.Visit(t)
		ben.JoinWith(apptest.Ben, s.SecurityKey()).LeadsTo("/dashboard")
		ben.Get("/dashboard").Wants(http.StatusOK)
	})
}

// TestSecondFactorOfOperators makes somebody an operator of a site that requires a second
// factor of these alone.
func TestSecondFactorOfOperators(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, apptest.OnLocalhost, func(c *app.Config) { c.SecondFactor = "operators" })
		s.Join(apptest.Anna)
		ben := s.Visit(t)
		ben.Join(apptest.Ben)
		set := func(role models.OperatorRole) {
			t.Helper()
			if err := s.DB.SetOperator(t.Context(), s.User("anna.smith"), role); err != nil {
				t.Fatal(err)
			}
		}
		set(models.OperatorSupport)
		s.Get("/dashboard").Wants(http.StatusForbidden).Says("This site requires a second step")
		s.Get("/account/security").Wants(http.StatusOK).Says("This site requires a second step of its operators. You have none yet.")
		ben.Get("/dashboard").Wants(http.StatusOK)
		if ben.Get("/account/security").Wants(http.StatusOK).Find("#required").Length() > 0 {
			t.Error("a second step is required of somebody who is no operator")
		}
		set("")
		s.Get("/dashboard").Wants(http.StatusOK)

		// With a passkey, the password alone no longer signs an operator in.
		key := s.SecurityKey()
		s.Submit(s.Get("/account/passkeys"), "form#add-passkey", apptest.Fill("credential", key.Create(s.Post("/account/passkeys/options", nil))))
		again := s.Visit(t)
		again.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		again.Post("/sign-out", nil).LeadsTo("/")
		set(models.OperatorSupport)
		again.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/sign-in/second-factor")
		s.Get("/dashboard").Wants(http.StatusOK)
	})
}
