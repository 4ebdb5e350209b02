package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// three tries are free, and then the test would wait for long.
var three = models.Limit{Free: 3, First: time.Minute, Longest: time.Hour, Forget: 24 * time.Hour}

// waited lets every wait pass.
func waited(s *apptest.Site) { s.SetTime("throttles", "until", time.Now()) }

// Each form that can be abused refuses when it was sent too often, in words that
// stand in the form.
func TestThrottles(t *testing.T) {
	t.Parallel()
	wrong := apptest.Credentials("anna.smith", "not the password")
	tests := map[string]struct {
		limit    func(c *app.Config)
		path     string
		form     func(try int) url.Values
		as       func(s *apptest.Site) *apptest.Visitor // who tries; a stranger unless set
		ok       int                                    // the status of a free try
		selector string                                 // of the form
	}{
		"wrong passwords for an account": {
			func(c *app.Config) { c.LimitAccount = three }, "/sign-in",
			func(int) url.Values { return wrong }, nil, http.StatusUnprocessableEntity, "form#sign-in",
		},
		"wrong passwords for nobody": {
			func(c *app.Config) { c.LimitAccount = three }, "/sign-in",
			func(int) url.Values { return apptest.Credentials("nobody", "not the password") }, nil, http.StatusUnprocessableEntity, "form#sign-in",
		},
		"wrong passwords from an address": {
			func(c *app.Config) { c.LimitAddress = three }, "/sign-in",
			func(try int) url.Values { return apptest.Credentials(fmt.Sprint("somebody", try), "not the password") }, nil, http.StatusUnprocessableEntity, "form#sign-in",
		},
		"sign-ups": {
			func(c *app.Config) { c.LimitSignUp = three }, "/sign-up",
			func(try int) url.Values {
				return apptest.With(apptest.Ben.Form(), "username", fmt.Sprint("somebody", try), "email", fmt.Sprintf("somebody%d@example.com", try))
			},
			nil, http.StatusSeeOther, "form#sign-up",
		},
		"probing at sign-up": {
			func(c *app.Config) { c.LimitCheck = three }, "/sign-up",
			func(try int) url.Values { return apptest.Fill("username", fmt.Sprint("somebody", try)) }, nil, http.StatusUnprocessableEntity, "form#sign-up",
		},
		"probing at the profile": {
			func(c *app.Config) { c.LimitCheck = three }, "/account",
			func(try int) url.Values { return apptest.Fill("username", fmt.Sprint("somebody", try)) },
			func(s *apptest.Site) *apptest.Visitor { return s.Visitor }, http.StatusUnprocessableEntity, "form#account",
		},
		"forgotten passwords of one": {
			func(c *app.Config) { c.LimitMail = three }, "/forgot-password",
			func(int) url.Values { return apptest.Fill("email", apptest.Anna.Email) }, nil, http.StatusOK, "form#forgot-password",
		},
		"forgotten passwords from an address": {
			func(c *app.Config) { c.LimitSignUp = three }, "/forgot-password",
			func(try int) url.Values { return apptest.Fill("email", fmt.Sprintf("somebody%d@example.com", try)) }, nil, http.StatusOK, "form#forgot-password",
		},
		"whether emails are taken, by somebody signed in": {
			func(c *app.Config) { c.LimitCheck = three }, "/account/email",
			func(try int) url.Values {
				return apptest.Fill("current_password", apptest.Anna.Password, "email", fmt.Sprintf("anna%d@example.com", try))
			},
			func(s *apptest.Site) *apptest.Visitor { return s.Visitor }, http.StatusOK, "form#change-email",
		},
		"changes of the email from an address": {
			func(c *app.Config) { c.LimitSignUp = three }, "/account/email",
			func(try int) url.Values {
				return apptest.Fill("current_password", apptest.Anna.Password, "email", fmt.Sprintf("anna%d@example.com", try))
			},
			func(s *apptest.Site) *apptest.Visitor { return s.Visitor }, http.StatusOK, "form#change-email",
		},
		"wrong current passwords": {
			func(c *app.Config) { c.LimitAccount = three }, "/account/password",
			func(int) url.Values {
				return apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", "not the password")
			},
			func(s *apptest.Site) *apptest.Visitor { return s.Visitor }, http.StatusUnprocessableEntity, "form#change-password",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, func(c *app.Config) {
					tt.limit(c)
					c.LimitSignUp.Free++ // for anna herself
					c.LimitCheck.Free++
					if c.LimitSignUp.Free == 1 {
						c.LimitSignUp = models.Limit{}
					}
					if c.LimitCheck.Free == 1 {
						c.LimitCheck = models.Limit{}
					}
				})
				s.Join(apptest.Anna)
				try := 0
				next := func() (*apptest.Visitor, url.Values) {
					try++
					if tt.as != nil {
						return tt.as(s), tt.form(try)
					}
					return s.Visit(t), tt.form(try)
				}
				free := 3
				if tt.selector == "form#account" || strings.HasPrefix(name, "whether emails") ||
					strings.Contains(name, "from an address") && tt.path != "/sign-in" && tt.path != "/sign-up" {
					free = 4 // it shares its setting with the sign-up, not its count
				}
				for range free {
					v, form := next()
					v.Post(tt.path, form).Wants(tt.ok)
				}
				v, form := next()
				early := v.Post(tt.path, form).TooEarly().Page()
				if !slices.ContainsFunc(s.Log.Of(early), func(l apptest.LogLine) bool { return l["msg"] == "throttled" }) {
					t.Errorf("the log says %v", s.Log.Of(early))
				}
				v.Post(tt.path, form, apptest.HTMX).TooEarly().Fragment(tt.selector)
				waited(s)
				v.Post(tt.path, form).Wants(tt.ok) // it did not count that it came too early
				v, form = next()
				v.Post(tt.path, form, apptest.HTMX).Wants(http.StatusTooManyRequests) // the wait is twice as long
			})
		})
	}
}

// Many who sign in well from one address at the same moment wait for nothing.
func TestGoodSignInsTogether(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 5, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
			c.LimitAddress = models.Limit{Free: 30, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		var group sync.WaitGroup
		for i := range 8 {
			name := fmt.Sprint("somebody", i)
			s.Visit(t).JoinAs(apptest.With(apptest.Ben.Form(), "username", name, "email", name+"@example.com"))
			group.Go(func() {
				for range 15 {
					if a := s.Visit(t).Post("/sign-in", apptest.Credentials(name, apptest.Ben.Password)); a.StatusCode != http.StatusSeeOther {
						t.Errorf("a sign-in of %s: %d", name, a.StatusCode)
					}
				}
			})
		}
		group.Wait()
	})
}

// A check of one field answers no page, and its refusal is silent.
func TestFieldChecksAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitCheck = three })
		for range 3 {
			s.Post("/sign-up/check?field=username", apptest.Fill("username", "anna.smith"), apptest.HTMX).Wants(http.StatusOK)
		}
		s.Post("/sign-up/check?field=username", apptest.Fill("username", "anna.smith"), apptest.HTMX).Silent(http.StatusTooManyRequests)
	})
}

func TestEmailChecksAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitCheck = three })
		s.Join(apptest.Anna)
		for range 3 {
			s.Post("/account/email/check?field=email", apptest.Fill("email", "ben@example.com"), apptest.HTMX).Wants(http.StatusOK)
		}
		s.Post("/account/email/check?field=email", apptest.Fill("email", "ben@example.com"), apptest.HTMX).Silent(http.StatusTooManyRequests)
		s.Post("/account/email", apptest.NewEmail("ben@example.com")).TooEarly()
		neighbour := s.Visit(t) // at the same address
		neighbour.Join(apptest.Ben)
		neighbour.Post("/account", apptest.Fill("username", "benjamin", "first_name", "Benny", "last_name", "Jones")).LeadsTo("/account")
	})
}

func TestResentLinksAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitMail = three })
		s.Join(apptest.Anna)
		for range 3 {
			s.Deliver()
			s.SetTime("tokens", "created_at", time.Now().Add(-time.Hour))
			s.Post("/account/verify", nil, apptest.HTMX).Wants(http.StatusOK)
		}
		s.Deliver()
		s.SetTime("tokens", "created_at", time.Now().Add(-time.Hour))
		a := s.Post("/account/verify", nil, apptest.HTMX).Wants(http.StatusTooManyRequests)
		if a.Header.Get("Retry-After") == "" {
			a.Failf("there is no Retry-After")
		}
		s.NoMail()
	})
}

// Whoever guesses passwords for anna cannot keep her out of a browser that she
// has used before; and who knows her browser's name cannot use it.
func TestGuessersDoNotShutOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitAccount = three })
		s.Join(apptest.Anna)
		s.Post("/sign-out", nil).LeadsTo("/")
		guesser := s.Visit(t)
		for range 3 {
			guesser.Post("/sign-in", apptest.Credentials("anna.smith", "not the password")).Wants(http.StatusUnprocessableEntity)
		}
		guesser.Post("/sign-in", apptest.Anna.Credentials()).TooEarly() // not even with the right one
		if guesser.SignedIn() {
			t.Error("the guesser is in")
		}
		guesser.SetCookie("browser", strings.Repeat("A", 43))
		guesser.Post("/sign-in", apptest.Anna.Credentials()).TooEarly()
		s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		s.Post("/sign-out", nil).LeadsTo("/")
		for range 3 { // even her own browser is no way to guess
			s.Post("/sign-in", apptest.Credentials("anna.smith", "not the password")).Wants(http.StatusUnprocessableEntity)
		}
		s.Post("/sign-in", apptest.Anna.Credentials()).TooEarly()
	})
}

// The right password ends the count of wrong ones.
func TestSuccessForgetsWrongPasswords(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitAccount, c.LimitAddress = three, models.Limit{Free: 9, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		s.Join(apptest.Anna)
		v := s.Visit(t)
		for range 4 {
			for range 2 {
				v.Post("/sign-in", apptest.Credentials("anna.smith", "not the password")).Wants(http.StatusUnprocessableEntity)
			}
			v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
			v.Post("/sign-out", nil).LeadsTo("/")
		}
		v.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard") // of the address eight wrong ones count, and no right one
	})
}

// Limits are shared by all processes, and outlive each.
func TestThrottlesAreShared(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		limited := func(c *app.Config) { c.LimitAccount = three }
		one := apptest.NewSite(t, db, limited)
		one.Join(apptest.Anna)
		for range 3 {
			one.Visit(t).Post("/sign-in", apptest.Credentials("anna.smith", "not the password")).Wants(http.StatusUnprocessableEntity)
		}
		apptest.NewSite(t, db, limited).Post("/sign-in", apptest.Anna.Credentials()).TooEarly()
	})
}

func TestThrottlesByAddress(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		trusted, first, second string // X-Forwarded-For
		same                   bool
	}{
		"another IPv4 address":           {"127.0.0.1", "192.0.2.1", "192.0.2.2", false},
		"the same, written as IPv6":      {"127.0.0.1", "192.0.2.1", "::ffff:192.0.2.1", true},
		"a neighbour in the same /64":    {"127.0.0.1", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"another /64":                    {"127.0.0.1", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"a client who forges the header": {"", "192.0.2.1", "192.0.2.2", true},
		"a client who forges its start":  {"127.0.0.1", "198.51.100.1, 192.0.2.1", "198.51.100.2, 192.0.2.1", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitAddress, c.TrustedProxies = three, tt.trusted })
				for try := range 3 {
					s.Post("/sign-in", apptest.Credentials(fmt.Sprint("somebody", try), "x"), apptest.Header("X-Forwarded-For", tt.first)).Wants(http.StatusUnprocessableEntity)
				}
				want := http.StatusUnprocessableEntity
				if tt.same {
					want = http.StatusTooManyRequests
				}
				s.Post("/sign-in", apptest.Credentials("another", "x"), apptest.Header("X-Forwarded-For", tt.second)).Wants(want)
				s.Post("/sign-in", apptest.Credentials("another", "x"), apptest.Header("X-Forwarded-For", tt.second), apptest.Header("X-Real-IP", "203.0.113.9")).Wants(want)
			})
		})
	}
}

// A page that is not limited asks the database for nothing more.
func TestThrottlesCostNothingElsewhere(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		asked := apptest.Watch(db)
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.LimitAccount, c.LimitAddress, c.LimitSignUp, c.LimitMail, c.LimitCheck = three, three, three, three, three
		})
		s.Join(apptest.Anna)
		for path, want := range map[string]int{"/": 1, "/account": 1, "/account/email": 2} { // the address that waits
			if got := asked.During(func() { s.Get(path).Wants(http.StatusOK) }); len(got) != want {
				t.Errorf("%s asks %q, want %d", path, got, want)
			}
		}
		if got := asked.During(func() { s.Visit(t).Get("/sign-in").Wants(http.StatusOK) }); len(got) != 0 {
			t.Errorf("a stranger's page asks %q", got)
		}
	})
}

// TestSignUpAgainAndAgain makes and deletes an account with an address that gets
// a mail each time.
func TestSignUpAgainAndAgain(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitMail = three })
		for range 3 {
			s.Visit(t).Join(apptest.Anna)
			if err := db.DeleteUser(t.Context(), s.User("anna.smith")); err != nil {
				t.Fatal(err)
			}
		}
		s.Visit(t).Post("/sign-up", apptest.Anna.Form()).TooEarly()
		s.Visit(t).Join(apptest.Ben)
	})
}

// TestHashFails has the check of a password fail, which is no wrong password.
func TestHashFails(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitAccount, c.LimitAddress = three, three })
		s.Join(apptest.Anna)
		good := s.User("anna.smith").PasswordHash
		set := func(hash string) {
			if _, err := db.Bun().NewUpdate().Table("users").Set("password_hash = ?", hash).Where("TRUE").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		set("no hash")
		s.Log.MayFail()
		guest := s.Visit(t)
		for range 5 {
			guest.Post("/sign-in", apptest.Anna.Credentials()).Wants(http.StatusInternalServerError)
			s.Post("/account/password", apptest.With(apptest.Twice(apptest.AnotherPassword), "current_password", apptest.Anna.Password)).Wants(http.StatusInternalServerError)
		}
		set(good)
		guest.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
	})
}

// TestNeighbours lets somebody guess from the address of a person whose browser
// is known.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitAddress = three })
		s.Join(apptest.Anna)
		s.Post("/sign-out", nil).LeadsTo("/")
		neighbour := s.Visit(t)
		for i := range 3 {
			neighbour.Post("/sign-in", apptest.Credentials(fmt.Sprint("somebody", i), "not the password")).Wants(http.StatusUnprocessableEntity)
		}
		neighbour.Post("/sign-in", apptest.Credentials("somebody", "not the password")).TooEarly()
		for range 5 { // to sign in again and again gives the neighbour no new tries
			s.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
			s.Post("/sign-out", nil).LeadsTo("/")
		}
		neighbour.Post("/sign-in", apptest.Credentials("somebody", "not the password")).TooEarly()
	})
}

// TestWritesAreLimited has a user make more changes in a minute than allowed. What was
// typed is not lost.
func TestWritesAreLimited(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitWrites = 3 })
		s.Join(apptest.Anna)
		typed := apptest.Fill("username", "anna.smith", "first_name", "Anna", "last_name", "Jones & <b>")
		for range 3 {
			s.Post("/account", apptest.Fill("username", "")).Wants(http.StatusUnprocessableEntity)
		}
		for range 5 { // which change nothing
			s.Post("/account/check?field=last_name", typed, apptest.HTMX).Wants(http.StatusOK)
			s.Get("/account").Wants(http.StatusOK)
		}
		const sentence = "You've made a lot of changes in the last minute. Try again in "
		htmx := s.Post("/account", typed, apptest.HTMX).Wants(http.StatusTooManyRequests).WantsHeader("HX-Retarget", "#alerts").Fragment(".toast.problem").Says(sentence)
		if !slices.ContainsFunc(s.Log.Of(htmx), func(l apptest.LogLine) bool {
			return l["msg"] == "throttled" && l["limit"] == "writes" && l["account"] == s.User("anna.smith").ID.String()
		}) {
			htmx.Failf("the log says %v", s.Log.Of(htmx))
		}
		if htmx.Header.Get("Retry-After") == "" {
			htmx.Failf("there is no Retry-After")
		}
		page := s.Post("/account", apptest.With(typed, "current_password", apptest.AnotherPassword)).Wants(http.StatusTooManyRequests).Page().Harmless().Says(sentence)
		if page.Value("last_name") != "Jones & <b>" || page.Find("[name=current_password]").Length() > 0 {
			page.Failf("the form holds %q", page.Value("last_name"))
		}
		if counted := page.Find("main [data-wait]"); counted.AttrOr("data-wait", "") != page.Header.Get("Retry-After") || !strings.Contains(counted.Text(), sentence) {
			page.Failf("a script can't count down: %q", counted.Text())
		}
		if got := s.User("anna.smith").LastName; got != "Smith" {
			t.Errorf("the last name is %q", got)
		}
		// Nobody else is limited, and nobody is kept from leaving. Signing in counts too.
		other := s.Visit(t)
		other.Join(apptest.Ben)
		other.Post("/account", apptest.Fill("username", "")).Wants(http.StatusUnprocessableEntity)
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).TooEarly().Page()
		s.Visit(t).Post("/sign-in", apptest.Credentials(apptest.Anna.Username, "not the password")).Wants(http.StatusUnprocessableEntity)

		s.SetTime("throttles", "forget_at", time.Now()) // a minute later
		s.Submit(page, `main form[action="/account"]`, nil).LeadsTo("/account")
		if got := s.User("anna.smith").LastName; got != "Jones & <b>" {
			t.Errorf("after the minute, the last name is %q", got)
		}
		s.Post("/account", typed).LeadsTo("/account")
		s.Post("/account", typed).LeadsTo("/account")
		s.Post("/account", typed).Wants(http.StatusTooManyRequests).Says(sentence)
		s.Post("/sign-out", nil).LeadsTo("/")
	})
}

// TestGuessesBySomebodySignedIn guesses a password while signed in to another account. The
// person whose password it is learns where the guesses came from.
func TestGuessesBySomebodySignedIn(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) { c.LimitAccount = three })
		s.Join(apptest.Anna)
		guesser := s.Visit(t)
		guesser.Join(apptest.Ben)
		for range 4 {
			guesser.Post("/sign-in/again", apptest.Fill("again_login", apptest.Anna.Username, "again_password", "not the password"))
		}
		mine := s.Get("/account/activity").Says("Wrong password").Says("Too many attempts").Says("127.0.0.1")
		if strings.Contains(mine.Text("main"), "by someone else") {
			mine.Failf("the guesses are by someone, and so without an address")
		}
		if a := guesser.Get("/account/activity"); strings.Contains(a.Text("main"), "Too many attempts") {
			a.Failf("the wait is the guesser's")
		}
	})
}
