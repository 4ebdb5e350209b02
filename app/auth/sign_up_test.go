package auth_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"vestibule/app/apptest"
	"vestibule/app/text"
	"vestibule/models"
	"vestibule/models/modelstest"
)

func TestSignUpRules(t *testing.T) {
	t.Parallel()
	type fields map[string]string
	password := func(pw string) fields { return fields{"password": pw, "confirm_password": pw} }
	tests := []struct {
		name  string
		typed fields
		wrong fields // the sentence at each field; none when the person may join
	}{
		{"username empty", fields{"username": ""}, fields{"username": "Enter your username."}},
		{"username of spaces", fields{"username": "      "}, fields{"username": "Enter your username."}},
		{"username of 4", fields{"username": "abcd"}, fields{"username": apptest.AtLeast5}},
		{"username of 4 and spaces", fields{"username": "  abcd  "}, fields{"username": apptest.AtLeast5}},
		{"username of 5", fields{"username": "abcde"}, nil},
		{"username of 5 and spaces", fields{"username": " fghij\t"}, nil},
		{"username of 32", fields{"username": strings.Repeat("u", 32)}, nil},
		{"username of 33", fields{"username": strings.Repeat("u", 33)}, fields{"username": apptest.AtMost32}},
		{"username of every kind", fields{"username": "Aa_z.0-9"}, nil},
		{"username with a space", fields{"username": "two words"}, fields{"username": apptest.PlainUsername}},
		{"username with an @", fields{"username": "a@example.com"}, fields{"username": apptest.PlainUsername}},
		{"username with an umlaut", fields{"username": "jürgen"}, fields{"username": apptest.PlainUsername}},
		{"username with a Cyrillic a", fields{"username": "аdmin"}, fields{"username": apptest.PlainUsername}},
		{"username with a slash", fields{"username": "../etc"}, fields{"username": apptest.PlainUsername}},
		{"username with a line break", fields{"username": "anna\nsmith"}, fields{"username": apptest.OddCharacter}},
		{"username with NUL", fields{"username": "anna\x00smith"}, fields{"username": apptest.OddCharacter}},

		{"first name empty", fields{"first_name": ""}, fields{"first_name": "Enter your first name."}},
		{"first name of 1", fields{"first_name": "Ø"}, nil},
		{"first name of 100", fields{"first_name": strings.Repeat("é", 100)}, nil},
		{"first name of 101", fields{"first_name": strings.Repeat("é", 101)}, fields{"first_name": apptest.AtMost100}},
		{"last name of spaces", fields{"last_name": "\u00a0 \u2003"}, fields{"last_name": "Enter your last name."}},
		{"last name of 100 emoji", fields{"last_name": strings.Repeat("🐎", 100)}, nil},
		{"last name of 101", fields{"last_name": strings.Repeat("x", 101)}, fields{"last_name": apptest.AtMost100}},
		{"last name with marks", fields{"last_name": "O'Connor-d’Été Jr., 山田"}, nil},
		{"first name that leads away", fields{"first_name": "Unlock it at HTTPS://evil.example"}, fields{"first_name": "Leave out web addresses."}},
		{"last name that leads away", fields{"last_name": "Www.evil.example"}, fields{"last_name": "Leave out web addresses."}},
		{"last name to call", fields{"last_name": "Call +1 (555) 010-9999"}, fields{"last_name": "Leave out phone numbers."}},
		{"last name with a domain", fields{"last_name": "You have won: prize.example.com/500"}, fields{"last_name": "Leave out web addresses."}},
		{"last name with an initial", fields{"last_name": "J.Smith"}, nil},
		{"first name of nothing but ZWSP", fields{"first_name": "\u200b"}, fields{"first_name": "Enter your first name."}},
		{"both names of nothing visible", fields{"first_name": "\u3164\u2800", "last_name": "\ufeff\u0301"}, fields{"first_name": "Enter your first name.", "last_name": "Enter your last name."}},
		{"last name in Persian", fields{"last_name": "نیک\u200cنام"}, nil},
		{"username of 4 and ZWSP", fields{"username": "abcd\u200b"}, fields{"username": apptest.AtLeast5}},
		{"last name with a tab", fields{"last_name": "Smith\tJones"}, fields{"last_name": apptest.OddCharacter}},
		{"last name turned around", fields{"last_name": "Smith\u202eJones"}, fields{"last_name": apptest.OddCharacter}},
		{"last name not UTF-8", fields{"last_name": "Sm\xffith"}, fields{"last_name": apptest.OddCharacter}},

		{"email empty", fields{"email": ""}, fields{"email": "Enter your email."}},
		{"email without @", fields{"email": "anna.example.com"}, fields{"email": apptest.WantsAddress}},
		{"email without host", fields{"email": "anna@"}, fields{"email": apptest.WantsAddress}},
		{"email without person", fields{"email": "@example.com"}, fields{"email": apptest.WantsAddress}},
		{"email with two @", fields{"email": "anna@smith@example.com"}, fields{"email": apptest.WantsAddress}},
		{"email with a space", fields{"email": "anna smith@example.com"}, fields{"email": apptest.WantsAddress}},
		{"email with a name", fields{"email": "Anna <anna@example.com>"}, fields{"email": apptest.WantsAddress}},
		{"two emails", fields{"email": "a@example.com,b@example.com"}, fields{"email": apptest.WantsAddress}},
		{"email with a header", fields{"email": "a@example.com\r\nBcc: b@example.com"}, fields{"email": apptest.OddCharacter}},
		{"email with a double dot", fields{"email": "anna@example..com"}, fields{"email": apptest.WantsAddress}},
		{"email with a tag", fields{"email": "anna+news@mail.example.co.uk"}, nil},
		{"email with spaces around", fields{"email": "  spaces@example.com "}, nil},
		{"email of other scripts", fields{"email": "用户@例子.广告"}, nil},
		{"email with ZWSP", fields{"email": "mira\u200b@exam\ufeffple.com"}, nil},
		{"email with a local part of 64", fields{"email": strings.Repeat("p", 64) + "@example.com"}, nil},
		{"email with a local part of 65", fields{"email": strings.Repeat("p", 65) + "@example.com"}, fields{"email": apptest.LongLocal}},
		{"email with a local part of 66 bytes", fields{"email": strings.Repeat("ü", 33) + "@example.com"}, fields{"email": apptest.LongLocal}},
		{"email at an IP address", fields{"email": "anna@[127.0.0.1]"}, fields{"email": apptest.WantsAddress}},
		{"email at one label", fields{"email": "anna@localhost"}, fields{"email": apptest.WantsAddress}},
		{"email at a root", fields{"email": "anna@example.com."}, fields{"email": apptest.WantsAddress}},
		{"email at an underscore", fields{"email": "anna@ex_ample.com"}, fields{"email": apptest.WantsAddress}},
		{"email at a label of 64", fields{"email": "anna@" + strings.Repeat("h", 64) + ".com"}, fields{"email": apptest.WantsAddress}},
		{"email at no A-label", fields{"email": "anna@xn--zzzzzzz-.example"}, fields{"email": apptest.WantsAddress}},
		{"password with a short name in a word", fields{"first_name": "Ian", "password": "piano lantern 27 fog", "confirm_password": "piano lantern 27 fog"}, nil},
		{"password with a short name", fields{"first_name": "Ian", "password": "the ian lantern 27", "confirm_password": "the ian lantern 27"}, fields{"password": apptest.Personal}},
		{"email of 254", fields{"email": apptest.EmailOf(254)}, nil},
		{"email of 255", fields{"email": apptest.EmailOf(255)}, fields{"email": apptest.AtMost254}},

		{"password empty", password(""), fields{"password": "Enter your password.", "confirm_password": "Enter your password again."}},
		{"password of 7", password("zuvokel"), fields{"password": apptest.AtLeast8}},
		{"password of 8", password("zuvokeli"), nil},
		{"password of 7 in NFC, 8 as typed", password("zuvoke\u0301l"), fields{"password": apptest.AtLeast8}},
		{"password of 8 in NFC, 9 as typed", password("zuvoke\u0301li"), nil},
		{"password of 8 emoji", password("🐎🔋📎🌳🎲🚀🎻🍋"), nil},
		{"password of 128", password(strings.Repeat("zuvokeli", 16)), nil},
		{"password of 129", password(strings.Repeat("zuvokeli", 16) + "m"), fields{"password": apptest.AtMost128}},
		{"password with spaces around", password("  zuvok  "), nil},
		{"password with NUL", password("zuvok\x00elimantra"), nil},
		{"password not UTF-8", password("zuvokelimantra\xff"), fields{"password": apptest.Unreadable}},
		{"password without digits", password("zuvokelimantra"), nil},
		{"password common", password("Sunshine"), fields{"password": apptest.TooCommon}},
		{"password with the first name", fields{"first_name": "Ophelia", "password": "my OPHELIA 7", "confirm_password": "my OPHELIA 7"}, fields{"password": apptest.Personal}},
		{"password with the last name", fields{"last_name": "Zoe\u0308-Li", "password": "42 zo\u00eb-li 42", "confirm_password": "42 zo\u00eb-li 42"}, fields{"password": apptest.Personal}},
		{"password with the username", fields{"username": "walrus", "password": "the walrus!", "confirm_password": "the walrus!"}, fields{"password": apptest.Personal}},
		{"password with the email", fields{"email": "oyster@example.com", "password": "my oyster 1", "confirm_password": "my oyster 1"}, fields{"password": apptest.Personal}},

		{"confirmation empty", fields{"confirm_password": ""}, fields{"confirm_password": "Enter your password again."}},
		{"confirmation in another case", fields{"confirm_password": "Correct horse battery"}, fields{"confirm_password": apptest.PasswordsDiffer}},
		{"confirmation with a space", fields{"confirm_password": "correct horse battery "}, fields{"confirm_password": apptest.PasswordsDiffer}},

		{"everything wrong",
			fields{"username": "a b", "first_name": "", "last_name": strings.Repeat("x", 101), "email": "anna", "password": "short", "confirm_password": "shirt"},
			fields{"username": apptest.AtLeast5, "first_name": "Enter your first name.", "last_name": apptest.AtMost100, "email": apptest.WantsAddress, "password": apptest.AtLeast8, "confirm_password": apptest.PasswordsDiffer}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		joined := 0
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				person := apptest.With(apptest.Anna.Form(), "username", fmt.Sprintf("person%d", i), "email", fmt.Sprintf("person%d@example.com", i))
				for name, value := range tt.typed {
					person.Set(name, value)
				}
				v := s.Visit(t)
				a := v.Post("/sign-up", person)
				if len(tt.wrong) == 0 {
					a.LeadsTo("/dashboard")
					joined++
					return
				}
				a.Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.wrong)
				for _, name := range []string{"username", "first_name", "last_name", "email"} {
					if got, want := a.Value(name), apptest.Parsed.Replace(text.Line(person.Get(name))); got != want {
						t.Errorf("%s holds %q, want what was typed, %q", name, got, want)
					}
				}
				if a.Value("password")+a.Value("confirm_password") != "" {
					t.Error("the passwords came back")
				}
				if v.SignedIn() {
					t.Error("a person who may not join is signed in")
				}
			})
		}
		if got := len(s.Users()); got != joined {
			t.Errorf("there are %d users, want %d", got, joined)
		}
	})
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
			t.Run(name, func(t *testing.T) {
				s := apptest.NewSite(t, db)
				person := apptest.With(apptest.Anna.Form(), "username", name+".Smith", "email", " "+name+"@Example.com ")
				s.Post("/sign-up", person, options...).LeadsTo("/dashboard")

				dashboard := s.Get("/dashboard").Wants(http.StatusOK).Page()
				if got := dashboard.Text("h1"); got != "Hello, Anna" {
					t.Errorf("the dashboard says %q", got)
				}
				if got := dashboard.Text("#toasts .toast p"); got != "Welcome! Your account is ready" {
					t.Errorf("the toast says %q", got)
				}
				if got := s.Get("/dashboard").Text("#toasts .toast p"); got != "" {
					t.Errorf("the toast comes again: %q", got)
				}
				i := slices.IndexFunc(s.Users(), func(u models.User) bool { return u.Username == name+".Smith" })
				if i < 0 {
					t.Fatal("the user is not stored")
				}
				u := s.Users()[i]
				if u.Email != name+"@Example.com" || u.FullName() != "Anna Smith" || u.ID.Version() != 7 {
					t.Errorf("stored is %+v", u)
				}
				if !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=7168,t=1,p=1$") {
					t.Errorf("the hash is %q", u.PasswordHash)
				}
			})
		}
	})
}

func TestSignUpUnderHTMXAnswersTheFormAlone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		wrong := apptest.With(apptest.Anna.Form(), "email", "anna@")
		a := s.Post("/sign-up?next=%2Faccount", wrong, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#sign-up")
		a.WantsErrors(map[string]string{"email": apptest.WantsAddress})
		if got := a.Find("[autofocus]").AttrOr("name", ""); got != "email" {
			t.Errorf("the focus is on %q, want the first wrong field", got)
		}
		for _, attr := range []string{"action", "hx-post"} {
			if got := a.Find("form").AttrOr(attr, ""); got != "/sign-up?next=%2Faccount" {
				t.Errorf("%s is %q: it has lost the way back", attr, got)
			}
		}
		page := s.Post("/sign-up?next=%2Faccount", wrong).Wants(http.StatusUnprocessableEntity).Page()
		form, err := goquery.OuterHtml(page.Find("form#sign-up"))
		if err != nil {
			t.Fatal(err)
		}
		if alone, err := goquery.OuterHtml(a.Find("form")); err != nil || alone != form {
			t.Errorf("the form differs with htmx:\n%s\nand without:\n%s", alone, form)
		}
	})
}

func TestSignUpForm(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		page := apptest.NewSite(t, db).Get("/sign-up").Wants(http.StatusOK).Page().WantsErrors(nil)
		for name, autocomplete := range map[string]string{
			"username": "username", "first_name": "given-name", "last_name": "family-name",
			"email": "email", "password": "new-password", "confirm_password": "new-password",
		} {
			if got := page.Find(`input[name="`+name+`"][required]`).AttrOr("autocomplete", ""); got != autocomplete {
				t.Errorf("autocomplete of %s is %q, want %q", name, got, autocomplete)
			}
			if page.Find(`label[for="`+name+`"]`).Length() != 1 {
				t.Errorf("%s has no label", name)
			}
		}
	})
}

func TestSignUpTaken(t *testing.T) {
	t.Parallel()
	username, email := map[string]string{"username": apptest.TakenUsername}, map[string]string{"email": apptest.TakenEmail}
	both := maps.Clone(username)
	maps.Copy(both, email)
	tests := map[string]struct {
		username, email string
		want            map[string]string
	}{
		"the same username":          {"anna.smith", "else@example.com", username},
		"the username, another case": {"ANNA.Smith", "else@example.com", username},
		"the same email":             {"someone", "anna@example.com", email},
		"the email, another case":    {"someone", "Anna@EXAMPLE.com", email},
		"the email, spaces around":   {"someone", "  anna@example.com ", email},
		"both of one person":         {"anna.smith", "anna@example.com", both},
		"those of two":               {"Anna.Smith", "BEN@example.com", both},
		"an email of other scripts":  {"someone", "STRASSE@example.com", email},
		"a taken and an invalid one": {"Anna.Smith", "ben@", map[string]string{"username": apptest.TakenUsername, "email": apptest.WantsAddress}},
		"the email in decomposition": {"someone", "zoe\u0308@example.com", email},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for i, person := range []url.Values{apptest.Anna.Form(), apptest.Ben.Form(), apptest.With(apptest.Ben.Form(), "username", "sharp.s", "email", "straße@example.com"), apptest.With(apptest.Ben.Form(), "username", "zoe.li", "email", "zo\u00eb@example.com")} {
			s.Visit(t).JoinAs(person)
			if got := len(s.Users()); got != i+1 {
				t.Fatalf("there are %d users, want %d", got, i+1)
			}
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				v := s.Visit(t)
				person := apptest.With(apptest.Anna.Form(), "username", tt.username, "email", tt.email)
				v.Post("/sign-up", person).Wants(http.StatusUnprocessableEntity).Page().WantsErrors(tt.want)
				v.Post("/sign-up", person, apptest.HTMX).Wants(http.StatusUnprocessableEntity).Fragment("form#sign-up").WantsErrors(tt.want)
			})
		}
		if got := len(s.Users()); got != 4 {
			t.Errorf("there are %d users, want 4", got)
		}
	})
}

func TestSignUpFiftyTimesAtOnceMakesOneUser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		const n = 50
		answers := make([]*apptest.Answer, n)
		var all sync.WaitGroup
		for i := range n {
			v := s.Visit(t)
			all.Go(func() { answers[i] = v.Post("/sign-up", apptest.Anna.Form()) })
		}
		all.Wait()
		joined := 0
		for _, a := range answers {
			if a.StatusCode == http.StatusSeeOther {
				joined++
				continue
			}
			a.Wants(http.StatusUnprocessableEntity).Page()
			if sentences := a.Errors(); sentences["username"] != apptest.TakenUsername && sentences["email"] != apptest.TakenEmail {
				a.Failf("it says %v, want which one is taken", sentences)
			}
		}
		if joined != 1 || len(s.Users()) != 1 || len(s.Sessions()) != 1 {
			t.Errorf("%d of %d joined, as %d users with %d sessions; want 1 each", joined, n, len(s.Users()), len(s.Sessions()))
		}
	})
}

func TestWhatIsTypedIsShownNotRun(t *testing.T) {
	t.Parallel()
	hostile := []string{
		`<script>alert(1)</script>`,
		`"><img src=x onerror=alert(1)>`,
		`' onfocus='alert(1)' autofocus='`,
		`{{.User.PasswordHash}}`,
		`Robert'); DROP TABLE users; --`,
		`<!-- --><svg/onload=alert(1)>`,
		`&lt;b&gt; &amp; &#60;`,
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		for i, text := range hostile {
			t.Run(text, func(t *testing.T) {
				v := s.Visit(t)
				person := apptest.With(apptest.Anna.Form(), "first_name", text, "last_name", text, "username", fmt.Sprintf("person%d", i), "email", fmt.Sprintf("p%d@example.com", i))
				refused := v.Post("/sign-up", apptest.With(person, "username", text, "email", text)).Wants(http.StatusUnprocessableEntity).Page().Harmless()
				for _, name := range []string{"username", "first_name", "last_name", "email"} {
					if got := refused.Value(name); got != text {
						t.Errorf("%s holds %q, want %q", name, got, text)
					}
				}
				v.JoinAs(person)
				if got := v.Get("/dashboard").Harmless().Text("h1"); got != "Hello, "+text {
					t.Errorf("the dashboard says %q", got)
				}
				if got := v.Get("/account").Harmless().Value("first_name"); got != text {
					t.Errorf("the account holds %q, want %q", got, text)
				}
			})
		}
		if got := len(s.Users()); got != len(hostile) {
			t.Errorf("there are %d users, want %d", got, len(hostile))
		}
	})
}

func TestSignUpQueuesOneMail(t *testing.T) {
	t.Parallel()
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		s.Post("/sign-up", apptest.With(apptest.Anna.Form(), "email", "anna@"), options...).Wants(http.StatusUnprocessableEntity)
		if mails := s.Queue(); len(mails) > 0 {
			t.Fatalf("a sign-up that failed queues %+v", mails)
		}
		s.Post("/sign-up", apptest.With(apptest.Anna.Form(), "email", "Anna@Example.com"), options...).LeadsTo("/dashboard")
		s.Visit(t).Post("/sign-up", apptest.With(apptest.Anna.Form(), "username", "someone"), options...).Wants(http.StatusUnprocessableEntity)
		if mails := s.Queue(); len(mails) != 1 || mails[0].Kind != models.MailVerifyEmail || mails[0].Recipient != "Anna@Example.com" || mails[0].UserID != s.Users()[0].ID {
			t.Errorf("the queue holds %+v", mails)
		}
		s.MailTo("Anna@Example.com", apptest.VerifySubject)
	})
}
