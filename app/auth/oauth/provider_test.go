package oauth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// What the site says about a provider that is called Acme.
const (
	acmeDown     = "Acme isn't answering right now. Try again later, or use another way."
	acmeRefused  = "Acme didn't confirm who you are. Try again, or use another way."
	acmeCanceled = "You canceled at Acme, so nothing was done."
	acmeHave     = "There's already an account with your email address. Sign in to it another way, then connect Acme."
	expiredThere = "That took too long, or began in another browser. Please try again."
)

// eachWayWithAcme is apptest.EachWay for a site with a provider.
func eachWayWithAcme(t *testing.T, test func(t *testing.T, s *apptest.Site, acme *apptest.OpenID, options ...apptest.Option)) {
	for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				acme := apptest.NewOpenID(t, "acme")
				test(t, apptest.NewSite(t, db, acme.Use), acme, options...)
			})
		})
	}
}

// identities reads the table.
func identities(s *apptest.Site) (all []models.Identity) {
	s.T.Helper()
	if err := s.DB.Bun().NewSelect().Model(&all).Order("id").Scan(s.T.Context()); err != nil {
		s.T.Fatal(err)
	}
	return all
}

func TestSignUpByProvider(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme := apptest.NewOpenID(t, "acme")
		s := apptest.NewSite(t, db, acme.Use)
		for path, label := range map[string]string{"/sign-in?next=/account": "Sign in with Acme", "/sign-up?next=/account": "Sign up with Acme"} {
			form := s.Get(path).Wants(http.StatusOK).Find("form[action='/auth/acme?next=%2Faccount']")
			if text := strings.TrimSpace(form.Find("button").Text()); text != label {
				t.Errorf("%s has the button %q", path, text)
			}
		}
		left := s.Post("/auth/acme?next=/account", nil).Page().WantsHeader("Cache-Control", "no-store")
		asked, err := url.Parse(left.Find("main a[href^='http']").AttrOr("href", ""))
		if err != nil || left.Header.Get("Refresh") != "0; url="+asked.String() {
			left.Failf("the page leads to %s (%v), and itself to %s", asked, err, left.Header.Get("Refresh"))
		}
		query := asked.Query()
		if query.Get("response_type") != "code" || query.Get("code_challenge_method") != "S256" || query.Get("scope") != "openid profile email" ||
			len(query.Get("code_challenge")) != 43 || len(query.Get("state")) != 43 || len(query.Get("nonce")) != 43 || query.Get("redirect_uri") != s.BaseURL+"/auth/acme/callback" || query.Has("prompt") {
			t.Errorf("the provider is asked %v", query)
		}
		if all := s.Dump("authorizations"); strings.Contains(all, query.Get("state")) || strings.Contains(all, s.Cookie("provider")) {
			t.Errorf("the database holds the state or the secret of the cookie: %s", all)
		}

		// Nothing but a username is missing. The page is shown again, and then sent. Nobody who
		// copied the cookie before finds it.
		copied := s.Cookie("provider")
		s.Get(s.GoesTo(left)).LeadsTo("/sign-up/provider?next=%2Faccount")
		thief := s.Visit(t)
		thief.SetCookie("provider", copied)
		thief.Get("/sign-up/provider").LeadsTo("/sign-up")
		if len(s.Users()) > 0 || len(s.Sessions()) > 0 {
			t.Error("an account is stored before anybody presses a button")
		}
		s.Get("/sign-up/provider?next=/account")
		page := s.Get("/sign-up/provider?next=/account").Wants(http.StatusOK).Page().Harmless().Says("Name Anna Smith Email anna@example.com")
		if page.Find("main input:not([type=hidden])").Length() != 1 || page.Value("username") != "anna.smith" {
			page.Failf("it asks for %s", page.Text("form#provider-sign-up"))
		}
		send := func(username string, options ...apptest.Option) *apptest.Answer {
			t.Helper()
			return s.Submit(page, "form#provider-sign-up", apptest.Fill("username", username, "email", "eve@example.com", "first_name", "Eve"), options...)
		}
		send("anna", apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#provider-sign-up").WantsErrors(map[string]string{"username": apptest.AtLeast5})
		s.Leaves("/sign-up/provider/check", "username", apptest.Fill("username", "anna"), map[string]string{"username": apptest.AtLeast5})
		send("anna.smith").LeadsTo("/account")
		u := s.User("anna.smith")
		if u.Email != apptest.Anna.Email || !u.Verified() || u.FullName() != "Anna Smith" || u.HasPassword() {
			t.Errorf("stored is %+v", u)
		}
		s.NoMail()
		send("anna.smith").LeadsTo("/account")
		s.Get("/sign-up/provider").LeadsTo("/dashboard")

		// The subject says who it is, whatever else changes there.
		acme.Person.Email, acme.Person.Username = "anna@elsewhere.example", "eve"
		v := s.Visit(t)
		v.ComesBy(acme).LeadsTo("/dashboard")
		s.MailTo(apptest.Anna.Email, apptest.NewBrowserSubject)
		if u := s.User("anna.smith"); !v.SignedIn() || u.Email != apptest.Anna.Email {
			t.Errorf("signed in is %+v", u)
		}
		if all := identities(s); len(all) != 1 || all[0].Name != "anna@elsewhere.example" || all[0].Subject != acme.Person.Subject || all[0].Issuer != acme.URL {
			t.Errorf("the identities are %+v", all)
		}
		if got := strings.Join(s.Kinds(), " "); got != "sign-up sign-in" {
			t.Errorf("the events are %s", got)
		}
		v.Get("/account/activity").Says("Signed up with Acme").Says("Signed in with Acme")

		// Another subject with the address of old is somebody else.
		acme.Person = apptest.OpenIDPerson{Subject: "another", Email: apptest.Anna.Email, Verified: true}
		other := s.Visit(t)
		other.LeadsBack(other.ComesBy(acme), "/sign-in?next=%2Faccount%2Fconnections", acmeHave)
	})
}

// TestSignUpByProviderAsksForWhatIsMissing signs up by providers that say little, or nothing
// that can be used.
func TestSignUpByProviderAsksForWhatIsMissing(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		person  apptest.OpenIDPerson
		asks    string // fields
		suggest string // the username
	}{
		"an unverified address": {apptest.OpenIDPerson{First: "Anna", Last: "Smith", Username: "anna.smith@example.com", Email: apptest.Anna.Email}, "username email", "anna.smith"},
		"nothing":               {apptest.OpenIDPerson{}, "username first_name last_name email", ""},
		"one name":              {apptest.OpenIDPerson{First: "Anna", Username: "anna smith", Email: "long.enough@example.com", Verified: true}, "username first_name last_name", "annasmith"},
		"a name that is a link": {apptest.OpenIDPerson{First: "www.evil.example", Last: "Smith", Email: "link.name@example.com", Verified: true}, "username first_name last_name", "link.name"},
		"no address":            {apptest.OpenIDPerson{First: "Anna", Last: "Smith", Email: "anna", Verified: true}, "username email", ""},
		"markup":                {apptest.OpenIDPerson{First: "<b>Anna", Last: `"><script>`, Username: "taken.name", Email: "taken.name@example.com", Verified: true}, "username", ""},
	}
	eachWayWithAcme(t, func(t *testing.T, s *apptest.Site, acme *apptest.OpenID, options ...apptest.Option) {
		s.Visit(t).JoinAs(apptest.With(apptest.Ben.Form(), "username", "taken.name"))
		s.Deliver()
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				acme.Person = tt.person
				acme.Person.Subject = name
				v.ComesBy(acme).LeadsTo("/sign-up/provider")
				page := v.Get("/sign-up/provider").Wants(http.StatusOK).Harmless()
				var asked []string
				page.Find("main input:not([type=hidden])").Each(func(_ int, e apptest.Selection) { asked = append(asked, e.AttrOr("name", "")) })
				if got := strings.Join(asked, " "); got != tt.asks || page.Value("username") != tt.suggest {
					t.Errorf("it asks for %s and suggests %q", got, page.Value("username"))
				}
				typed := apptest.Fill("username", "user."+strings.Fields(name)[0]+strings.Fields(name + " x")[1], "first_name", "Anna", "last_name", "Smith", "email", strings.ReplaceAll(name, " ", ".")+"@example.com")
				v.Submit(page, "form#provider-sign-up", typed, options...).LeadsTo("/dashboard")
				user := s.User(typed.Get("username"))
				asksEmail := strings.Contains(tt.asks, "email")
				if user.Verified() == asksEmail || asksEmail != (user.Email == typed.Get("email")) {
					t.Errorf("stored is %+v", user)
				}
				if asksEmail {
					s.MailTo(user.Email, apptest.VerifySubject)
				} else {
					s.NoMail()
				}
			})
		}
	})
}

// TestProviderRefused brings answers that sign nobody in.
func TestProviderRefused(t *testing.T) {
	t.Parallel()
	type attempt struct {
		s           *apptest.Site
		v           *apptest.Visitor
		acme, other *apptest.OpenID
	}
	claim := func(name string, value any) func(a attempt) {
		return func(a attempt) { a.acme.Claims = func(c map[string]any) { c[name] = value } }
	}
	answer := func(name string, value func(a attempt) string) func(a attempt) {
		return func(a attempt) {
			changed := value(a)
			a.acme.Answers = func(q url.Values) { q.Set(name, changed) }
		}
	}
	endpoint := func(path string, handle http.HandlerFunc) func(a attempt) {
		return func(a attempt) {
			a.acme.Intercept = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == path {
					handle(w, r)
				}
				return r.URL.Path == path
			}
		}
	}
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	tests := map[string]struct {
		change func(a attempt)
		open   func(a attempt, path string) *apptest.Answer // the path that the provider leads back to; nil for the browser that began
		toast  string
	}{
		"another nonce":    {claim("nonce", "another"), nil, acmeRefused},
		"no nonce":         {claim("nonce", nil), nil, acmeRefused},
		"another audience": {claim("aud", []string{"another"}), nil, acmeRefused},
		"more audiences": {func(a attempt) {
			a.acme.Claims = func(c map[string]any) { c["aud"] = []any{"another", c["aud"].([]any)[0]}; delete(c, "azp") }
		}, nil, acmeRefused},
		"another party":                 {claim("azp", "another"), nil, acmeRefused},
		"expired":                       {claim("exp", time.Now().Add(-2*time.Minute).Unix()), nil, acmeRefused},
		"another issuer":                {func(a attempt) { claim("iss", a.other.URL)(a) }, nil, acmeRefused},
		"no subject":                    {claim("sub", ""), nil, acmeRefused},
		"a subject that is too long":    {claim("sub", strings.Repeat("x", 256)), nil, acmeRefused},
		"another access token":          {claim("at_hash", "x"), nil, acmeRefused},
		"another key":                   {func(a attempt) { a.acme.Sign = apptest.NewKey("1").Sign }, nil, acmeRefused},
		"an unknown key":                {func(a attempt) { a.acme.Sign = apptest.NewKey("2").Sign }, nil, acmeRefused},
		"unsigned":                      {func(a attempt) { a.acme.Sign = unsigned }, nil, acmeRefused},
		"signed with the site's secret": {func(a attempt) { a.acme.Sign = signedWithSecret }, nil, acmeRefused},
		"another provider's token": {func(a attempt) {
			a.acme.Claims = func(c map[string]any) { c["iss"] = a.other.URL }
			a.acme.Sign = a.other.SignedBy
		}, nil, acmeRefused},
		"another provider's name in the answer": {answer("iss", func(a attempt) string { return a.other.URL }), nil, acmeRefused},
		"no code":                               {answer("code", func(attempt) string { return "" }), nil, acmeRefused},
		"a code that was used": {answer("code", func(a attempt) string {
			v := a.s.Visit(a.v.T)
			path := v.GoesTo(v.Post("/auth/acme", nil))
			v.Get(path).LeadsTo("/dashboard")
			return apptest.Parameter(a.v.T, path, "code")
		}), nil, acmeRefused},
		"the code of another browser": {answer("code", func(a attempt) string {
			v := a.s.Visit(a.v.T)
			return apptest.Parameter(a.v.T, v.GoesTo(v.Post("/auth/acme", nil)), "code")
		}), nil, acmeRefused},
		"another state": {answer("state", func(attempt) string { return strings.Repeat("A", 43) }), nil, expiredThere},
		"no state":      {answer("state", func(attempt) string { return "" }), nil, expiredThere},
		"another browser": {nil, func(a attempt, path string) *apptest.Answer {
			*a.v = *a.s.Visit(a.v.T)
			a.v.Post("/auth/acme", nil) // it has a secret of its own
			return a.v.Get(path)
		}, expiredThere},
		"a state that was used": {nil, func(a attempt, path string) *apptest.Answer {
			a.v.Get(path).LeadsTo("/dashboard")
			a.v.Post("/sign-out", nil)
			a.v.Get("/") // shows the toast
			return a.v.Get(path)
		}, expiredThere},
		"too late": {nil, func(a attempt, path string) *apptest.Answer {
			a.s.SetTime("authorizations", "expires_at", time.Now())
			return a.v.Get(path)
		}, expiredThere},
		"the callback of another provider": {nil, func(a attempt, path string) *apptest.Answer {
			return a.v.Get(strings.Replace(path, "/auth/acme", "/auth/other", 1))
		}, expiredThere},
		"canceled":                      {func(a attempt) { a.acme.Error = "access_denied" }, nil, acmeCanceled},
		"refused":                       {func(a attempt) { a.acme.Error = "unauthorized_client" }, nil, acmeRefused},
		"a fault":                       {func(a attempt) { a.acme.Error = "server_error" }, nil, acmeDown},
		"a fault of the token endpoint": {endpoint("/oauth/token", status(500, "{}")), nil, acmeDown},
		"a refusal of the endpoint":     {endpoint("/oauth/token", status(400, `{"error":"invalid_grant"}`)), nil, acmeRefused},
		"nonsense":                      {endpoint("/oauth/token", status(200, "<html>")), nil, acmeRefused},
		"no ID token":                   {endpoint("/oauth/token", status(200, `{"access_token":"x","token_type":"Bearer"}`)), nil, acmeRefused},
		"an answer that never ends":     {endpoint("/oauth/token", status(200, `{"access_token":"`+strings.Repeat("x", 2<<20)+`"}`)), nil, acmeRefused},
		"a redirect of the endpoint": {endpoint("/oauth/token", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}), nil, acmeRefused},
		"an endpoint that hangs up": {endpoint("/oauth/token", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), nil, acmeDown},
		"userinfo of another subject": {func(a attempt) {
			a.acme.Userinfo = true
			endpoint("/userinfo", status(200, `{"sub":"another","email":"eve@example.com"}`))(a)
		}, nil, acmeRefused},
		"a fault of the userinfo": {func(a attempt) { a.acme.Userinfo = true; endpoint("/userinfo", status(500, ""))(a) }, nil, acmeRefused},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme, other := apptest.NewOpenID(t, "acme"), apptest.NewOpenID(t, "other")
		other.Person.Subject = "somebody else"
		s := apptest.NewSite(t, db, acme.Use, other.Use)
		s.ComesBy(acme).LeadsTo("/sign-up/provider")
		s.Submit(s.Get("/sign-up/provider"), "form#provider-sign-up", nil).LeadsTo("/dashboard")
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				defer acme.Mend()
				a := attempt{s, s.Visit(t), acme, other}
				if tt.change != nil {
					tt.change(a)
				}
				path := a.v.GoesTo(a.v.Post("/auth/acme", nil))
				before := len(s.Sessions())
				open := tt.open
				if open == nil {
					open = func(a attempt, path string) *apptest.Answer { return a.v.Get(path) }
				}
				a.v.LeadsBack(open(a, path), "/sign-in", tt.toast)
				if a.v.SignedIn() || tt.open == nil && len(s.Sessions()) != before || len(s.Users()) != 1 || len(identities(s)) != 1 {
					t.Error("somebody is signed in or stored")
				}
				a.v.Get("/sign-up/provider").LeadsTo("/sign-up")
			})
		}
		for _, path := range []string{"/auth/nobody", "/auth/nobody/callback"} {
			s.Visit(t).Post(path, nil).Wants(http.StatusNotFound)
		}
		s.Get("/auth/nobody/callback").Wants(http.StatusNotFound)
		s.Post("/auth/acme/callback", nil).Wants(http.StatusNotFound) // only Apple posts its answers
	})
}

func unsigned(claims []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(claims) + "."
}

func signedWithSecret(claims []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(apptest.ClientSecret))
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}

// TestProviderDiscovery finds a provider that is down at first, or says about itself what it
// must not.
func TestProviderDiscovery(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(acme *apptest.OpenID)
		toast  string
	}{
		"a fault": {func(acme *apptest.OpenID) {
			acme.Intercept = func(w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, "down", http.StatusInternalServerError)
				return true
			}
		}, acmeDown},
		"silence": {func(acme *apptest.OpenID) {
			acme.Intercept = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
		}, acmeDown},
		"another issuer": {func(acme *apptest.OpenID) {
			acme.Discovery = func(d map[string]any) { d["issuer"] = "https://evil.example" }
		}, acmeDown},
		"plain http": {func(acme *apptest.OpenID) {
			acme.Discovery = func(d map[string]any) { d["token_endpoint"] = "http://evil.example/token" }
		}, acmeRefused},
		"a script": {func(acme *apptest.OpenID) {
			acme.Discovery = func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" }
		}, acmeRefused},
		"keys elsewhere": {func(acme *apptest.OpenID) {
			acme.Discovery = func(d map[string]any) { d["jwks_uri"] = "" }
		}, acmeRefused},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme := apptest.NewOpenID(t, "acme")
		s := apptest.NewSite(t, db, acme.Use, func(c *app.Config) { c.Providers[0].Timeout = time.Second })
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				defer acme.Mend()
				tt.change(acme)
				v := s.Visit(t)
				v.LeadsBack(v.Post("/auth/acme?next=/account", nil), "/sign-in?next=%2Faccount", tt.toast)
			})
		}

		// A provider that names itself in its answers must do so in each (RFC 9207).
		acme.Discovery = func(d map[string]any) { d["authorization_response_iss_parameter_supported"] = true }
		s.LeadsBack(s.ComesBy(acme), "/sign-in", acmeRefused)
		acme.Answers = func(q url.Values) { q.Set("iss", acme.URL) }
		s.ComesBy(acme).LeadsTo("/sign-up/provider")

		// New keys are read at once, and clocks may be a minute apart.
		acme.NewKey("2")
		acme.Claims = func(c map[string]any) { c["exp"] = time.Now().Add(-30 * time.Second).Unix() }
		s.ComesBy(acme).LeadsTo("/sign-up/provider")
	})
}

// TestProviderMeetsAnAccount comes with an address that an account has.
func TestProviderMeetsAnAccount(t *testing.T) {
	t.Parallel()
	linking := func(c *app.Config) { c.ProviderLinking = "verified" }
	asIs := func(*app.Config) {}
	tests := map[string]struct {
		setting  func(*app.Config)
		verified bool // here
		there    bool
		app      bool // with a second factor
		leads    string
		toast    string
	}{
		"verified on both sides":       {asIs, true, true, false, "/sign-in?next=%2Faccount%2Fconnections", acmeHave},
		"verified and linking":         {linking, true, true, false, "/dashboard", "Acme connected"},
		"linking with a second factor": {linking, true, true, true, "/sign-in?next=%2Faccount%2Fconnections", acmeHave},
		"linking, unverified there":    {linking, true, false, false, "/sign-up/provider", ""},
		"unverified there":             {asIs, true, false, false, "/sign-up/provider", ""},
		"unverified here": {asIs, false, true, true, "/dashboard",
			"Signed in by Acme. Your email address wasn't confirmed before, so we removed the password and the devices that this account had."},
		"unverified on both sides": {linking, false, false, false, "/sign-up/provider", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				acme, other := apptest.NewOpenID(t, "acme"), apptest.NewOpenID(t, "other")
				s := apptest.NewSite(t, db, apptest.OnLocalhost, acme.Use, other.Use, tt.setting)
				s.Join(apptest.Anna)
				s.AddPasskey(s.SecurityKey()).LeadsTo("/account/passkeys")
				s.GetsConnected(other)
				if tt.app {
					s.AddAuthenticator()
				}
				if tt.verified {
					s.Confirmed()
				}
				s.Deliver()
				before := s.User(apptest.Anna.Username)

				v := s.Visit(t)
				acme.Person = apptest.OpenIDPerson{Subject: "of acme", First: "Eve", Last: "Jones", Email: "Anna@Example.com", Verified: tt.there}
				a := v.ComesBy(acme)
				if tt.toast == "" {
					a.LeadsTo(tt.leads)
					page := v.Get(tt.leads).Wants(http.StatusOK)
					v.Submit(page, "form#provider-sign-up", apptest.Fill("username", "eve.jones")).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": apptest.TakenEmail})
				} else {
					v.LeadsBack(a, tt.leads, tt.toast)
				}

				u := s.User(apptest.Anna.Username)
				claimed, linked := strings.HasPrefix(tt.toast, "Signed in by"), tt.toast == "Acme connected"
				if len(s.Users()) != 1 || u.FullName() != "Anna Smith" || u.HasPassword() == claimed || u.Verified() != (tt.verified || claimed) {
					t.Errorf("the account was %+v and is %+v", before, u)
				}
				if s.SignedIn() == claimed || v.SignedIn() != (claimed || linked) {
					t.Error("the wrong browser is signed in")
				}
				if passkeys := len(s.Passkeys()); passkeys != map[bool]int{true: 0, false: 1}[claimed] {
					t.Errorf("there are %d passkeys", passkeys)
				}
				if all, want := identities(s), 1+map[bool]int{true: 1}[linked]; len(all) != want || (all[len(all)-1].Provider == "acme") != (linked || claimed) {
					t.Errorf("the identities are %+v", all)
				}
				switch {
				case claimed:
					s.MailTo(apptest.Anna.Email, "A way to sign in was added")
					s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusUnprocessableEntity)
				case linked:
					if sent := s.Deliver(); len(sent) != 2 || sent[0].Subject != "A way to sign in was added" || !strings.Contains(sent[0].Text, "Your account at Acme was connected. It can be used to sign in.") {
						t.Errorf("sent are %+v", sent)
					}
				default:
					s.NoMail()
				}
			})
		})
	}
}

// TestProviderAddressThatLooksAlike comes with an address that has the key of another one.
func TestProviderAddressThatLooksAlike(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme := apptest.NewOpenID(t, "acme")
		s := apptest.NewSite(t, db, acme.Use, func(c *app.Config) { c.ProviderLinking = "verified" })
		s.JoinAs(apptest.With(apptest.Anna.Form(), "email", "sue@example.com"))
		for range 2 {
			acme.Person.Email = "\u017Fue@example.com" // a long s
			v := s.Visit(t)
			v.LeadsBack(v.ComesBy(acme), "/sign-in?next=%2Faccount%2Fconnections", acmeHave)
			acme.Person.Email = "sue@\u212Aate.example" // a Kelvin sign, which in a domain is a k
			v.ComesBy(acme).LeadsTo("/sign-up/provider")
			v.Get("/sign-up/provider").Says("sue@Kate.example")
			acme.Person.Email = "\u212Aate@example.com"
			v.ComesBy(acme).LeadsTo("/sign-up/provider")
			if n := v.Get("/sign-up/provider").Find("[name=email]").Length(); n != 1 {
				t.Error("another mailbox counts as verified")
			}
			s.Confirmed()
		}
		if len(identities(s)) > 0 || !s.SignedIn() {
			t.Error("the account is another's")
		}
		s.Deliver()
	})
}

// TestOtherWaysAfterAProvider asks for the second factor, and lets nobody in who is disabled.
func TestOtherWaysAfterAProvider(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme := apptest.NewOpenID(t, "acme")
		s := apptest.NewSite(t, db, acme.Use)
		s.Join(apptest.Anna)
		s.Confirmed()
		s.GetsConnected(acme)
		anna := s.AddAuthenticator()
		s.Deliver()

		v := s.Visit(t)
		v.ComesBy(acme).LeadsTo(apptest.SecondFactorPath)
		if v.SignedIn() {
			t.Fatal("a provider alone signs in somebody with a second factor")
		}
		v.Submit(v.Get(apptest.SecondFactorPath).Wants(http.StatusOK), apptest.SecondFactorForm, apptest.Fill("code", anna.Code(), "trust", "1")).LeadsTo("/dashboard")
		v.Post("/sign-out", nil)
		v.ComesBy(acme).LeadsTo("/dashboard") // a trusted browser

		// Whoever is signed in already stays so.
		ben := s.Visit(t)
		path := ben.GoesTo(ben.Post("/auth/acme", nil))
		ben.Join(apptest.Ben)
		ben.LeadsBack(ben.Get(path), "/account/security", expiredThere)

		if err := s.DB.DisableUser(t.Context(), s.User(apptest.Anna.Username)); err != nil {
			t.Fatal(err)
		}
		guest := s.Visit(t)
		guest.LeadsBack(guest.ComesBy(acme), "/sign-in", "This account is disabled. Please contact the site's administrator.")
	})
}

// TestResetEndsPreparedIdentities has somebody sign up with an address that isn't theirs, by
// a provider that doesn't verify any.
func TestResetEndsPreparedIdentities(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		acme := apptest.NewOpenID(t, "acme")
		s := apptest.NewSite(t, db, acme.Use)
		acme.Person.Verified = false
		s.ComesBy(acme).LeadsTo("/sign-up/provider")
		s.Submit(s.Get("/sign-up/provider"), "form#provider-sign-up", nil).LeadsTo("/dashboard")
		owner := s.Visit(t)
		link := s.MailTo(apptest.Anna.Email, apptest.VerifySubject).Link
		page := owner.Get(link).Wants(http.StatusOK)
		if action := page.Find("form[action^='/auth/acme']").AttrOr("action", ""); action != "/auth/acme?next="+url.QueryEscape(link) {
			page.Failf("the provider leads back by %s", action)
		}
		owner.Post("/verify-email/password", apptest.With(apptest.Twice(apptest.Anna.Password), "token", apptest.Parameter(t, link, "token"))).LeadsTo("/dashboard")
		if all := identities(s); len(all) > 0 || s.SignedIn() {
			t.Errorf("the stranger keeps %+v, or is signed in", all)
		}
	})
}

// TestConfirmByProvider has people without a password confirm who they are.
func TestConfirmByProvider(t *testing.T) {
	t.Parallel()
	eachWayWithAcme(t, func(t *testing.T, s *apptest.Site, acme *apptest.OpenID, options ...apptest.Option) {
		s.ComesBy(acme).LeadsTo("/sign-up/provider")
		s.Submit(s.Get("/sign-up/provider"), "form#provider-sign-up", nil).LeadsTo("/dashboard")
		confirms := func(asked *apptest.Answer) *apptest.Answer {
			t.Helper()
			form := "main form[action^='/auth/acme']"
			if asked.Request.Header.Get("HX-Request") != "" {
				form = "form[action^='/auth/acme']"
			}
			left := s.Submit(asked.Wants(http.StatusForbidden), form, nil)
			if query := left.Header.Get("Refresh"); !strings.Contains(query, "prompt=login") || !strings.Contains(query, "max_age=0") {
				left.Failf("the provider need not ask: %s", query)
			}
			return s.Get(s.GoesTo(left))
		}

		// A page opens after that.
		s.AgePassword()
		asked := s.Get("/account/email").Says("Sign in again to continue.")
		acme.Claims = func(c map[string]any) { c["auth_time"] = time.Now().Add(-time.Hour).Unix() }
		s.LeadsBack(confirms(asked), "/account/security", acmeRefused)
		acme.Mend()
		acme.Person.Subject = "another"
		s.LeadsBack(confirms(asked), "/account/security", "That account at Acme isn't connected to yours.")
		acme.Person = apptest.AnnaElsewhere
		confirms(asked).LeadsTo("/account/email")
		page := s.Get("/account/email").Wants(http.StatusOK)
		if n := len(s.Sessions()); n != 1 {
			t.Errorf("there are %d sessions", n)
		}

		// What was typed stays in its tab.
		s.AgePassword()
		asked = s.Submit(page, "form#change-email", apptest.Fill("email", "new@example.com"), options...).Wants(http.StatusForbidden).Says("Confirm it's you in another tab, then come back here to continue.")
		if target := asked.Find("form[action^='/auth/acme']").AttrOr("target", ""); target != "_blank" {
			asked.Failf("the provider opens in %q", target)
		}
		s.Submit(asked, apptest.SudoForm, nil, options...).Wants(http.StatusForbidden).Says("First confirm it's you in the other tab.")
		confirms(asked).LeadsTo("/account/security")
		s.Submit(asked, apptest.SudoForm, nil, options...).Wants(http.StatusOK).Says("We sent a link to new@example.com.")

		// So it does if the session has ended.
		s.Deliver()
		page = s.Get("/account")
		s.Post("/sign-out", nil).LeadsTo("/")
		asked = s.Submit(page, "form#account", apptest.Fill("last_name", "Jones"), options...).AsksToSignIn(http.StatusForbidden).Says("You can also sign in in another tab, then continue here.")
		s.ComesBy(acme).LeadsTo("/dashboard")
		if options == nil {
			s.Submit(asked, "form#sign-in-again", nil).LeadsTo("/account")
		} else {
			s.Submit(asked, "form#sign-in-again", nil, options...).Wants(http.StatusNoContent).WantsHeader("HX-Trigger", "signed-in")
			s.Submit(page, "form#account", apptest.Fill("last_name", "Jones"), options...).Wants(http.StatusOK)
		}
		if last := s.User(apptest.Anna.Username).LastName; last != "Jones" {
			t.Errorf("the last name is %s", last)
		}
	})
}

func TestGitHub(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		github := apptest.NewGitHub(t)
		s := apptest.NewSite(t, db, github.Use)
		comes := func(v *apptest.Visitor) *apptest.Answer {
			t.Helper()
			return v.Get(v.GoesTo(v.Post("/auth/github", nil)))
		}
		comes(s.Visitor).LeadsTo("/sign-up/provider")
		page := s.Get("/sign-up/provider").Says("Name Anna Smith Email anna@example.com")
		if name := page.Value("username"); name != "anna-smith" {
			t.Errorf("it suggests %q", name)
		}
		s.Submit(page, "form#provider-sign-up", nil).LeadsTo("/dashboard")
		github.User["login"], github.Emails[1]["email"] = "renamed", "other@example.com"
		comes(s.Visit(t)).LeadsTo("/dashboard")
		if all := identities(s); len(all) != 1 || all[0].Subject != "38" || all[0].Issuer != github.URL || !s.User("anna-smith").Verified() {
			t.Errorf("the identities are %+v", all)
		}
		github.User["id"], github.Emails[1]["verified"] = 39, false
		v := s.Visit(t)
		comes(v).LeadsTo("/sign-up/provider")
		if n := v.Get("/sign-up/provider").Find("[name=email]").Length(); n != 1 {
			t.Error("an address that GitHub hasn't verified is taken for granted")
		}
		delete(github.User, "id")
		v.LeadsBack(comes(v), "/sign-in", "GitHub didn't confirm who you are. Try again, or use another way.")
		v.Get(v.GoesTo(v.Post("/auth/github", nil)) + "x").LeadsTo("/sign-in")
	})
}

// TestApplePostsItsAnswer has a provider answer in the body of a form, which comes from
// another site.
func TestApplePostsItsAnswer(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		apple := apptest.NewOpenID(t, "apple")
		s := apptest.NewSite(t, db, apple.Use)
		apple.Person = apptest.OpenIDPerson{Subject: "of apple", Email: apptest.Anna.Email, Verified: true}
		apple.Claims = func(c map[string]any) { c["email_verified"] = "true" }
		apple.Posted = url.Values{"user": {`{"name":{"firstName":"Anna","lastName":"Smith"},"email":"eve@example.com"}`}}
		before := s.Everything("authorizations")
		path := s.GoesTo(s.Post("/auth/apple", nil))
		if s.Everything("authorizations") != before {
			t.Error("a form of another site changes something")
		}
		s.Visit(t).Get(path).LeadsTo("/sign-in") // it counts in the browser that began alone
		s.Get(path).LeadsTo("/sign-up/provider")
		s.Get("/sign-up/provider").Says("Name Anna Smith Email anna@example.com")
	})
}

// TestUninvitedByProvider comes by a provider, in each mode, with an address that it has
// verified or not.
func TestUninvitedByProvider(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode, domains     string
		verified, invited bool
		may               bool
	}{
		{"closed", "", true, false, false},
		{"closed", "", true, true, true},
		{"closed", "", false, true, false},
		{"invited", "", true, false, false},
		{"invited", "", true, true, true},
		{"domains", "example.com", true, false, true},
		{"domains", "example.com", false, false, true}, // which asks for the address
		{"domains", "corp.example", true, false, false},
		{"domains", "corp.example", true, true, true},
	} {
		modelstest.Each(t, func(t *testing.T, db *models.DB) {
			acme := apptest.NewOpenID(t, "acme")
			s := apptest.NewSite(t, db, acme.Use, apptest.SignUpMode(tt.mode, tt.domains))
			acme.Person.Verified = tt.verified
			if tt.invited {
				s.InviteToSite(acme.Person.Email)
			}
			back := s.ComesBy(acme)
			if !tt.may {
				s.LeadsBack(back, "/sign-in", "You need an invitation to create an account here. Sign in another way if you have one.")
				return
			}
			back.LeadsTo("/sign-up/provider")
			form := url.Values{"username": {"anna.smith"}, "email": {"anna@elsewhere.example"}}
			if !tt.verified {
				s.Post("/sign-up/provider", form).Wants(http.StatusUnprocessableEntity).WantsErrors(map[string]string{"email": "Use an email address at example.com."})
				form.Set("email", "anna@example.com")
			}
			s.Post("/sign-up/provider", form).LeadsTo("/dashboard")
			if n, err := db.Bun().NewSelect().Model((*models.SiteInvitation)(nil)).Count(t.Context()); n != 0 || err != nil {
				t.Errorf("%+v: %d invitations are left (%v)", tt, n, err)
			}
		})
	}
}
