package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vestibule/app"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// three tries are free, and then the test would wait for long.
var three = models.Limit{Free: 3, First: time.Minute, Longest: time.Hour, Forget: 24 * time.Hour}

// tooEarly wants the refusal of a try that came too early.
func (a *answer) tooEarly() *answer {
	a.t.Helper()
	a.wants(http.StatusTooManyRequests).says("Too many attempts. Try again in ")
	if seconds, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 60 {
		a.failf("Retry-After is %q, want 1 to 60 seconds", a.Header.Get("Retry-After"))
	}
	return a
}

// waited lets every wait pass.
func (s *site) waited() { s.setTime("throttles", "until", time.Now()) }

// Each form that can be abused refuses when it was sent too often, in words that
// stand in the form.
func TestThrottles(t *testing.T) {
	t.Parallel()
	wrong := credentials("anna.smith", "not the password")
	tests := map[string]struct {
		limit    func(c *app.Config)
		path     string
		form     func(try int) url.Values
		as       func(s *site) *visitor // who tries; a stranger unless set
		ok       int                    // the status of a free try
		selector string                 // of the form
	}{
		"wrong passwords for an account": {
			func(c *app.Config) { c.LimitAccount = three }, "/sign-in",
			func(int) url.Values { return wrong }, nil, http.StatusUnprocessableEntity, "form#sign-in",
		},
		"wrong passwords for nobody": {
			func(c *app.Config) { c.LimitAccount = three }, "/sign-in",
			func(int) url.Values { return credentials("nobody", "not the password") }, nil, http.StatusUnprocessableEntity, "form#sign-in",
		},
		"wrong passwords from an address": {
			func(c *app.Config) { c.LimitAddress = three }, "/sign-in",
			func(try int) url.Values { return credentials(fmt.Sprint("somebody", try), "not the password") }, nil, http.StatusUnprocessableEntity, "form#sign-in",
		},
		"sign-ups": {
			func(c *app.Config) { c.LimitSignUp = three }, "/sign-up",
			func(try int) url.Values {
				return with(ben(), "username", fmt.Sprint("somebody", try), "email", fmt.Sprintf("somebody%d@example.com", try))
			},
			nil, http.StatusSeeOther, "form#sign-up",
		},
		"probing at sign-up": {
			func(c *app.Config) { c.LimitCheck = three }, "/sign-up",
			func(try int) url.Values { return fill("username", fmt.Sprint("somebody", try)) }, nil, http.StatusUnprocessableEntity, "form#sign-up",
		},
		"probing at the profile": {
			func(c *app.Config) { c.LimitCheck = three }, "/account",
			func(try int) url.Values { return fill("username", fmt.Sprint("somebody", try)) },
			func(s *site) *visitor { return s.visitor }, http.StatusUnprocessableEntity, "form#account",
		},
		"forgotten passwords of one": {
			func(c *app.Config) { c.LimitMail = three }, "/forgot-password",
			func(int) url.Values { return fill("email", annasEmail) }, nil, http.StatusOK, "form#forgot-password",
		},
		"forgotten passwords from an address": {
			func(c *app.Config) { c.LimitSignUp = three }, "/forgot-password",
			func(try int) url.Values { return fill("email", fmt.Sprintf("somebody%d@example.com", try)) }, nil, http.StatusOK, "form#forgot-password",
		},
		"whether e-mails are taken, by somebody signed in": {
			func(c *app.Config) { c.LimitCheck = three }, "/account/email",
			func(try int) url.Values {
				return fill("current_password", annasPassword, "email", fmt.Sprintf("anna%d@example.com", try))
			},
			func(s *site) *visitor { return s.visitor }, http.StatusOK, "form#change-email",
		},
		"changes of the e-mail from an address": {
			func(c *app.Config) { c.LimitSignUp = three }, "/account/email",
			func(try int) url.Values {
				return fill("current_password", annasPassword, "email", fmt.Sprintf("anna%d@example.com", try))
			},
			func(s *site) *visitor { return s.visitor }, http.StatusOK, "form#change-email",
		},
		"wrong current passwords": {
			func(c *app.Config) { c.LimitAccount = three }, "/account/password",
			func(int) url.Values { return with(twice(anotherPassword), "current_password", "not the password") },
			func(s *site) *visitor { return s.visitor }, http.StatusUnprocessableEntity, "form#change-password",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := newSite(t, db, func(c *app.Config) {
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
				s.join(anna())
				try := 0
				next := func() (*visitor, url.Values) {
					try++
					if tt.as != nil {
						return tt.as(s), tt.form(try)
					}
					return s.visit(t), tt.form(try)
				}
				free := 3
				if strings.Contains(name, "from an address") && tt.path != "/sign-in" && tt.path != "/sign-up" {
					free = 4 // it shares its setting with the sign-ups, not its count
				}
				for range free {
					v, form := next()
					v.post(tt.path, form).wants(tt.ok)
				}
				v, form := next()
				early := v.post(tt.path, form).tooEarly().page()
				if !slices.ContainsFunc(s.log.of(early), func(l logLine) bool { return l["msg"] == "throttled" }) {
					t.Errorf("the log says %v", s.log.of(early))
				}
				v.post(tt.path, form, htmx).tooEarly().fragment(tt.selector)
				s.waited()
				v.post(tt.path, form).wants(tt.ok) // it did not count that it came too early
				v, form = next()
				v.post(tt.path, form, htmx).wants(http.StatusTooManyRequests) // the wait is twice as long
			})
		})
	}
}

// Many who sign in well from one address at the same moment wait for nothing.
func TestGoodSignInsTogether(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) {
			c.LimitAccount = models.Limit{Free: 5, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
			c.LimitAddress = models.Limit{Free: 30, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		var group sync.WaitGroup
		for i := range 8 {
			name := fmt.Sprint("somebody", i)
			s.visit(t).join(with(ben(), "username", name, "email", name+"@example.com"))
			group.Go(func() {
				for range 15 {
					if a := s.visit(t).post("/sign-in", credentials(name, annasPassword)); a.StatusCode != http.StatusSeeOther {
						t.Errorf("a sign-in of %s: %d", name, a.StatusCode)
					}
				}
			})
		}
		group.Wait()
	})
}

// A check of one field answers no page: the refusal is a toast.
func TestFieldChecksAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitCheck = three })
		for range 3 {
			s.post("/sign-up/check?field=username", fill("username", "anna.smith"), htmx).wants(http.StatusOK)
		}
		a := s.post("/sign-up/check?field=username", fill("username", "anna.smith"), htmx).tooEarly()
		a.wantsHeader("HX-Retarget", "#alerts").fragment(".toast.alert")
	})
}

func TestEmailChecksAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitCheck = three })
		s.join(anna()) // which is a check too
		for range 2 {
			s.post("/account/email/check?field=email", fill("email", "ben@example.com"), htmx).wants(http.StatusOK)
		}
		s.post("/account/email/check?field=email", fill("email", "ben@example.com"), htmx).tooEarly()
		s.post("/account/email", newEmail("ben@example.com")).tooEarly()
	})
}

func TestResentLinksAreThrottled(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitMail = three })
		s.join(anna())
		for range 3 {
			s.deliver()
			s.setTime("tokens", "created_at", time.Now().Add(-time.Hour))
			s.post("/account/verify", nil, htmx).wants(http.StatusOK)
		}
		s.deliver()
		s.setTime("tokens", "created_at", time.Now().Add(-time.Hour))
		a := s.post("/account/verify", nil, htmx).wants(http.StatusTooManyRequests)
		if a.Header.Get("Retry-After") == "" {
			a.failf("there is no Retry-After")
		}
		s.noLetter()
	})
}

// Whoever guesses passwords for anna cannot keep her out of a browser that she
// has used before; and who knows her browser's name cannot use it.
func TestGuessersDoNotShutOut(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitAccount = three })
		s.join(anna())
		s.post("/sign-out", nil).leadsTo("/")
		guesser := s.visit(t)
		for range 3 {
			guesser.post("/sign-in", credentials("anna.smith", "not the password")).wants(http.StatusUnprocessableEntity)
		}
		guesser.post("/sign-in", annas()).tooEarly() // not even with the right one
		if guesser.signedIn() {
			t.Error("the guesser is in")
		}
		guesser.keep("browser", strings.Repeat("A", 43))
		guesser.post("/sign-in", annas()).tooEarly()
		s.post("/sign-in", annas()).leadsTo("/dashboard")
		s.post("/sign-out", nil).leadsTo("/")
		for range 3 { // even her own browser is no way to guess
			s.post("/sign-in", credentials("anna.smith", "not the password")).wants(http.StatusUnprocessableEntity)
		}
		s.post("/sign-in", annas()).tooEarly()
	})
}

// The right password ends the count of wrong ones.
func TestSuccessForgetsWrongPasswords(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) {
			c.LimitAccount, c.LimitAddress = three, models.Limit{Free: 9, First: time.Minute, Longest: time.Hour, Forget: time.Hour}
		})
		s.join(anna())
		v := s.visit(t)
		for range 4 {
			for range 2 {
				v.post("/sign-in", credentials("anna.smith", "not the password")).wants(http.StatusUnprocessableEntity)
			}
			v.post("/sign-in", annas()).leadsTo("/dashboard")
			v.post("/sign-out", nil).leadsTo("/")
		}
		v.post("/sign-in", annas()).leadsTo("/dashboard") // of the address eight wrong ones count, and no right one
	})
}

// Limits are shared by all processes, and outlive each.
func TestThrottlesAreShared(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		limited := func(c *app.Config) { c.LimitAccount = three }
		one := newSite(t, db, limited)
		one.join(anna())
		for range 3 {
			one.visit(t).post("/sign-in", credentials("anna.smith", "not the password")).wants(http.StatusUnprocessableEntity)
		}
		newSite(t, db, limited).post("/sign-in", annas()).tooEarly()
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
				s := newSite(t, db, func(c *app.Config) { c.LimitAddress, c.TrustedProxies = three, tt.trusted })
				for try := range 3 {
					s.post("/sign-in", credentials(fmt.Sprint("somebody", try), "x"), header("X-Forwarded-For", tt.first)).wants(http.StatusUnprocessableEntity)
				}
				want := http.StatusUnprocessableEntity
				if tt.same {
					want = http.StatusTooManyRequests
				}
				s.post("/sign-in", credentials("another", "x"), header("X-Forwarded-For", tt.second)).wants(want)
				s.post("/sign-in", credentials("another", "x"), header("X-Forwarded-For", tt.second), header("X-Real-IP", "203.0.113.9")).wants(want)
			})
		})
	}
}

// A page that is not limited asks the database for nothing more.
func TestThrottlesCostNothingElsewhere(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		asked := watch(db)
		s := newSite(t, db, func(c *app.Config) {
			c.LimitAccount, c.LimitAddress, c.LimitSignUp, c.LimitMail, c.LimitCheck = three, three, three, three, three
		})
		s.join(anna())
		for path, want := range map[string]int{"/": 1, "/dashboard": 1, "/account": 1} {
			if got := asked.during(func() { s.get(path).wants(http.StatusOK) }); len(got) != want {
				t.Errorf("%s asks %q, want %d", path, got, want)
			}
		}
		if got := asked.during(func() { s.visit(t).get("/sign-in").wants(http.StatusOK) }); len(got) != 0 {
			t.Errorf("a stranger's page asks %q", got)
		}
	})
}

// TestSignUpAgainAndAgain makes and deletes an account with an address that gets
// a mail each time.
func TestSignUpAgainAndAgain(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitMail = three })
		for range 3 {
			s.visit(t).join(anna())
			if err := db.DeleteUser(t.Context(), s.user("anna.smith")); err != nil {
				t.Fatal(err)
			}
		}
		s.visit(t).post("/sign-up", anna()).tooEarly()
		s.visit(t).join(ben())
	})
}

// TestHashFails has the check of a password fail, which is no wrong password.
func TestHashFails(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitAccount, c.LimitAddress = three, three })
		s.join(anna())
		good := s.user("anna.smith").PasswordHash
		set := func(hash string) {
			if _, err := db.Bun().NewUpdate().Table("users").Set("password_hash = ?", hash).Where("TRUE").Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		set("no hash")
		s.log.mayFail()
		guest := s.visit(t)
		for range 5 {
			guest.post("/sign-in", annas()).wants(http.StatusInternalServerError)
			s.post("/account/password", with(twice(anotherPassword), "current_password", annasPassword)).wants(http.StatusInternalServerError)
		}
		set(good)
		guest.post("/sign-in", annas()).leadsTo("/dashboard")
	})
}

// TestNeighbours lets somebody guess from the address of a person whose browser
// is known.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db, func(c *app.Config) { c.LimitAddress = three })
		s.join(anna())
		s.post("/sign-out", nil).leadsTo("/")
		neighbour := s.visit(t)
		for i := range 3 {
			neighbour.post("/sign-in", credentials(fmt.Sprint("somebody", i), "not the password")).wants(http.StatusUnprocessableEntity)
		}
		neighbour.post("/sign-in", credentials("somebody", "not the password")).tooEarly()
		for range 5 { // to sign in again and again gives the neighbour no new tries
			s.post("/sign-in", annas()).leadsTo("/dashboard")
			s.post("/sign-out", nil).leadsTo("/")
		}
		neighbour.post("/sign-in", credentials("somebody", "not the password")).tooEarly()
	})
}
