package app_test

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

	"vestibule/models"
	"vestibule/models/modelstest"
)

// The sentences that people read.
const (
	atLeast5      = "Use at least 5 characters."
	atLeast8      = "Use at least 8 characters."
	atMost32      = "Use at most 32 characters."
	atMost100     = "Use at most 100 characters."
	atMost128     = "Use at most 128 characters."
	atMost254     = "Use at most 254 characters."
	plainUsername = "Use only letters a to z, digits, dots, underscores and hyphens."
	wantsAddress  = "Enter an e-mail address such as name@example.com."
	oddCharacter  = "This holds a character that cannot be used here."
	common        = "This password is on lists of commonly used ones. Choose another."
	personal      = "Do not use your own name, username or e-mail in the password."
	unreadable    = "The password contains characters that cannot be read. Type it again."
	differ        = "The two passwords differ."
	takenUsername = "This username is already taken."
	takenEmail    = "There is already an account with this e-mail."
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
		{"username of 4", fields{"username": "abcd"}, fields{"username": atLeast5}},
		{"username of 4 and spaces", fields{"username": "  abcd  "}, fields{"username": atLeast5}},
		{"username of 5", fields{"username": "abcde"}, nil},
		{"username of 5 and spaces", fields{"username": " fghij\t"}, nil},
		{"username of 32", fields{"username": strings.Repeat("u", 32)}, nil},
		{"username of 33", fields{"username": strings.Repeat("u", 33)}, fields{"username": atMost32}},
		{"username of every kind", fields{"username": "Aa_z.0-9"}, nil},
		{"username with a space", fields{"username": "two words"}, fields{"username": plainUsername}},
		{"username with an @", fields{"username": "a@example.com"}, fields{"username": plainUsername}},
		{"username with an umlaut", fields{"username": "jürgen"}, fields{"username": plainUsername}},
		{"username with a Cyrillic a", fields{"username": "аdmin"}, fields{"username": plainUsername}},
		{"username with a slash", fields{"username": "../etc"}, fields{"username": plainUsername}},
		{"username with a line break", fields{"username": "anna\nsmith"}, fields{"username": oddCharacter}},
		{"username with NUL", fields{"username": "anna\x00smith"}, fields{"username": oddCharacter}},

		{"first name empty", fields{"first_name": ""}, fields{"first_name": "Enter your first name."}},
		{"first name of 1", fields{"first_name": "Ø"}, nil},
		{"first name of 100", fields{"first_name": strings.Repeat("é", 100)}, nil},
		{"first name of 101", fields{"first_name": strings.Repeat("é", 101)}, fields{"first_name": atMost100}},
		{"last name of spaces", fields{"last_name": "\u00a0 \u2003"}, fields{"last_name": "Enter your last name."}},
		{"last name of 100 emoji", fields{"last_name": strings.Repeat("🐎", 100)}, nil},
		{"last name of 101", fields{"last_name": strings.Repeat("x", 101)}, fields{"last_name": atMost100}},
		{"last name with marks", fields{"last_name": "O'Connor-d’Été Jr., 山田"}, nil},
		{"first name that leads away", fields{"first_name": "Unlock it at HTTPS://evil.example"}, fields{"first_name": "Leave out web addresses."}},
		{"last name that leads away", fields{"last_name": "Www.evil.example"}, fields{"last_name": "Leave out web addresses."}},
		{"last name with a tab", fields{"last_name": "Smith\tJones"}, fields{"last_name": oddCharacter}},
		{"last name turned around", fields{"last_name": "Smith\u202eJones"}, fields{"last_name": oddCharacter}},
		{"last name not UTF-8", fields{"last_name": "Sm\xffith"}, fields{"last_name": oddCharacter}},

		{"e-mail empty", fields{"email": ""}, fields{"email": "Enter your e-mail."}},
		{"e-mail without @", fields{"email": "anna.example.com"}, fields{"email": wantsAddress}},
		{"e-mail without host", fields{"email": "anna@"}, fields{"email": wantsAddress}},
		{"e-mail without person", fields{"email": "@example.com"}, fields{"email": wantsAddress}},
		{"e-mail with two @", fields{"email": "anna@smith@example.com"}, fields{"email": wantsAddress}},
		{"e-mail with a space", fields{"email": "anna smith@example.com"}, fields{"email": wantsAddress}},
		{"e-mail with a name", fields{"email": "Anna <anna@example.com>"}, fields{"email": wantsAddress}},
		{"two e-mails", fields{"email": "a@example.com,b@example.com"}, fields{"email": wantsAddress}},
		{"e-mail with a header", fields{"email": "a@example.com\r\nBcc: b@example.com"}, fields{"email": oddCharacter}},
		{"e-mail with a double dot", fields{"email": "anna@example..com"}, fields{"email": wantsAddress}},
		{"e-mail with a tag", fields{"email": "anna+news@mail.example.co.uk"}, nil},
		{"e-mail with spaces around", fields{"email": "  spaces@example.com "}, nil},
		{"e-mail of other scripts", fields{"email": "用户@例子.广告"}, nil},
		{"e-mail of 254", fields{"email": address(254)}, nil},
		{"e-mail of 255", fields{"email": address(255)}, fields{"email": atMost254}},

		{"password empty", password(""), fields{"password": "Enter your password.", "confirm_password": "Enter your password again."}},
		{"password of 7", password("zuvokel"), fields{"password": atLeast8}},
		{"password of 8", password("zuvokeli"), nil},
		{"password of 7 in NFC, 8 as typed", password("zuvoke\u0301l"), fields{"password": atLeast8}},
		{"password of 8 in NFC, 9 as typed", password("zuvoke\u0301li"), nil},
		{"password of 8 emoji", password("🐎🔋📎🌳🎲🚀🎻🍋"), nil},
		{"password of 128", password(strings.Repeat("zuvokeli", 16)), nil},
		{"password of 129", password(strings.Repeat("zuvokeli", 16) + "m"), fields{"password": atMost128}},
		{"password with spaces around", password("  zuvok  "), nil},
		{"password with NUL", password("zuvok\x00elimantra"), nil},
		{"password not UTF-8", password("zuvokelimantra\xff"), fields{"password": unreadable}},
		{"password without digits", password("zuvokelimantra"), nil},
		{"password common", password("Sunshine"), fields{"password": common}},
		{"password with the first name", fields{"first_name": "Ophelia", "password": "my OPHELIA 7", "confirm_password": "my OPHELIA 7"}, fields{"password": personal}},
		{"password with the last name", fields{"last_name": "Zoe\u0308-Li", "password": "42 zo\u00eb-li 42", "confirm_password": "42 zo\u00eb-li 42"}, fields{"password": personal}},
		{"password with the username", fields{"username": "walrus", "password": "the walrus!", "confirm_password": "the walrus!"}, fields{"password": personal}},
		{"password with the e-mail", fields{"email": "oyster@example.com", "password": "my oyster 1", "confirm_password": "my oyster 1"}, fields{"password": personal}},

		{"confirmation empty", fields{"confirm_password": ""}, fields{"confirm_password": "Enter your password again."}},
		{"confirmation in another case", fields{"confirm_password": "Correct horse battery"}, fields{"confirm_password": differ}},
		{"confirmation with a space", fields{"confirm_password": "correct horse battery "}, fields{"confirm_password": differ}},

		{"everything wrong",
			fields{"username": "a b", "first_name": "", "last_name": strings.Repeat("x", 101), "email": "anna", "password": "short", "confirm_password": "shirt"},
			fields{"username": atLeast5, "first_name": "Enter your first name.", "last_name": atMost100, "email": wantsAddress, "password": atLeast8, "confirm_password": differ}},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		joined := 0
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				person := with(anna(), "username", fmt.Sprintf("person%d", i), "email", fmt.Sprintf("person%d@example.com", i))
				for name, value := range tt.typed {
					person.Set(name, value)
				}
				v := s.visit(t)
				a := v.post("/sign-up", person)
				if len(tt.wrong) == 0 {
					a.leadsTo("/dashboard")
					joined++
					return
				}
				a.wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.wrong)
				for _, name := range []string{"username", "first_name", "last_name", "email"} {
					if got, want := a.value(name), parsed.Replace(strings.TrimSpace(person.Get(name))); got != want {
						t.Errorf("%s holds %q, want what was typed, %q", name, got, want)
					}
				}
				if a.value("password")+a.value("confirm_password") != "" {
					t.Error("the passwords came back")
				}
				if v.signedIn() {
					t.Error("a person who may not join is signed in")
				}
			})
		}
		if got := len(s.users()); got != joined {
			t.Errorf("there are %d users, want %d", got, joined)
		}
	})
}

// parsed does what a parser of HTML does to an attribute.
var parsed = strings.NewReplacer("\x00", "\uFFFD", "\r\n", "\n")

// address returns a valid e-mail address of n characters.
func address(n int) string {
	const tail = ".example.com"
	host := strings.Repeat("h", 60)
	a := strings.Repeat("p", 60) + "@" + host + "." + host + "."
	return a + strings.Repeat("h", n-len(a)-len(tail)) + tail
}

func TestSignUp(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, options := range map[string][]option{"plain": nil, "htmx": {htmx}} {
			t.Run(name, func(t *testing.T) {
				s := newSite(t, db)
				person := with(anna(), "username", name+".Smith", "email", " "+name+"@Example.com ")
				s.post("/sign-up", person, options...).leadsTo("/dashboard")

				dashboard := s.get("/dashboard").wants(http.StatusOK).page()
				if got := dashboard.text("h1"); got != "Hello, Anna" {
					t.Errorf("the dashboard says %q", got)
				}
				if got := dashboard.text("#toasts .toast p"); got != "Your account is ready. Welcome!" {
					t.Errorf("the toast says %q", got)
				}
				if got := s.get("/dashboard").text("#toasts .toast p"); got != "" {
					t.Errorf("the toast comes again: %q", got)
				}
				i := slices.IndexFunc(s.users(), func(u models.User) bool { return u.Username == name+".Smith" })
				if i < 0 {
					t.Fatal("the user is not stored")
				}
				u := s.users()[i]
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
		s := newSite(t, db)
		wrong := with(anna(), "email", "anna@")
		a := s.post("/sign-up?next=%2Faccount", wrong, htmx).wants(http.StatusUnprocessableEntity).fragment("form#sign-up")
		a.wantsErrors(map[string]string{"email": wantsAddress})
		if got := a.find("[autofocus]").AttrOr("name", ""); got != "email" {
			t.Errorf("the focus is on %q, want the first wrong field", got)
		}
		for _, attr := range []string{"action", "hx-post"} {
			if got := a.find("form").AttrOr(attr, ""); got != "/sign-up?next=%2Faccount" {
				t.Errorf("%s is %q: it has lost the way back", attr, got)
			}
		}
		page := s.post("/sign-up?next=%2Faccount", wrong).wants(http.StatusUnprocessableEntity).page()
		form, err := goquery.OuterHtml(page.find("form#sign-up"))
		if err != nil {
			t.Fatal(err)
		}
		if alone, err := goquery.OuterHtml(a.find("form")); err != nil || alone != form {
			t.Errorf("the form differs with htmx:\n%s\nand without:\n%s", alone, form)
		}
	})
}

func TestSignUpForm(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		page := newSite(t, db).get("/sign-up").wants(http.StatusOK).page().wantsErrors(nil)
		for name, autocomplete := range map[string]string{
			"username": "username", "first_name": "given-name", "last_name": "family-name",
			"email": "email", "password": "new-password", "confirm_password": "new-password",
		} {
			if got := page.find(`input[name="`+name+`"][required]`).AttrOr("autocomplete", ""); got != autocomplete {
				t.Errorf("autocomplete of %s is %q, want %q", name, got, autocomplete)
			}
			if page.find(`label[for="`+name+`"]`).Length() != 1 {
				t.Errorf("%s has no label", name)
			}
		}
	})
}

func TestSignUpTaken(t *testing.T) {
	t.Parallel()
	username, email := map[string]string{"username": takenUsername}, map[string]string{"email": takenEmail}
	both := maps.Clone(username)
	maps.Copy(both, email)
	tests := map[string]struct {
		username, email string
		want            map[string]string
	}{
		"the same username":           {"anna.smith", "else@example.com", username},
		"the username, another case":  {"ANNA.Smith", "else@example.com", username},
		"the same e-mail":             {"someone", "anna@example.com", email},
		"the e-mail, another case":    {"someone", "Anna@EXAMPLE.com", email},
		"the e-mail, spaces around":   {"someone", "  anna@example.com ", email},
		"both of one person":          {"anna.smith", "anna@example.com", both},
		"those of two":                {"Anna.Smith", "BEN@example.com", both},
		"an e-mail of other scripts":  {"someone", "STRASSE@example.com", email},
		"a taken and an invalid one":  {"Anna.Smith", "ben@", map[string]string{"username": takenUsername, "email": wantsAddress}},
		"the e-mail in decomposition": {"someone", "zoe\u0308@example.com", email},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		for i, person := range []url.Values{anna(), ben(), with(ben(), "username", "sharp.s", "email", "straße@example.com"), with(ben(), "username", "zoe.li", "email", "zo\u00eb@example.com")} {
			s.visit(t).join(person)
			if got := len(s.users()); got != i+1 {
				t.Fatalf("there are %d users, want %d", got, i+1)
			}
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				v := s.visit(t)
				person := with(anna(), "username", tt.username, "email", tt.email)
				v.post("/sign-up", person).wants(http.StatusUnprocessableEntity).page().wantsErrors(tt.want)
				v.post("/sign-up", person, htmx).wants(http.StatusUnprocessableEntity).fragment("form#sign-up").wantsErrors(tt.want)
			})
		}
		if got := len(s.users()); got != 4 {
			t.Errorf("there are %d users, want 4", got)
		}
	})
}

func TestSignUpFiftyTimesAtOnceMakesOneUser(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		const n = 50
		answers := make([]*answer, n)
		var all sync.WaitGroup
		for i := range n {
			v := s.visit(t)
			all.Go(func() { answers[i] = v.post("/sign-up", anna()) })
		}
		all.Wait()
		joined := 0
		for _, a := range answers {
			if a.StatusCode == http.StatusSeeOther {
				joined++
				continue
			}
			a.wants(http.StatusUnprocessableEntity).page()
			if sentences := a.errors(); sentences["username"] != takenUsername && sentences["email"] != takenEmail {
				a.failf("it says %v, want which one is taken", sentences)
			}
		}
		if joined != 1 || len(s.users()) != 1 || len(s.sessions()) != 1 {
			t.Errorf("%d of %d joined, as %d users with %d sessions; want 1 each", joined, n, len(s.users()), len(s.sessions()))
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
		s := newSite(t, db)
		for i, text := range hostile {
			t.Run(text, func(t *testing.T) {
				v := s.visit(t)
				person := with(anna(), "first_name", text, "last_name", text, "username", fmt.Sprintf("person%d", i), "email", fmt.Sprintf("p%d@example.com", i))
				refused := v.post("/sign-up", with(person, "username", text, "email", text)).wants(http.StatusUnprocessableEntity).page().harmless()
				for _, name := range []string{"username", "first_name", "last_name", "email"} {
					if got := refused.value(name); got != text {
						t.Errorf("%s holds %q, want %q", name, got, text)
					}
				}
				v.join(person)
				if got := v.get("/dashboard").harmless().text("h1"); got != "Hello, "+text {
					t.Errorf("the dashboard says %q", got)
				}
				if got := v.get("/account").harmless().value("first_name"); got != text {
					t.Errorf("the account holds %q, want %q", got, text)
				}
			})
		}
		if got := len(s.users()); got != len(hostile) {
			t.Errorf("there are %d users, want %d", got, len(hostile))
		}
	})
}

// harmless wants no element and no attribute that a stranger's text could have
// made: no inline script, style or event handler.
func (a *answer) harmless() *answer {
	a.t.Helper()
	if n := a.find("script:not([src^='/assets/']), style, svg, iframe, object, embed, base, img:not([src^='/assets/'])").Length(); n > 0 {
		a.failf("%d foreign elements in\n%s", n, a.body)
	}
	a.find("*").Each(func(_ int, e selection) {
		for _, attr := range e.Nodes[0].Attr {
			if strings.HasPrefix(attr.Key, "on") || attr.Key == "style" || strings.HasPrefix(attr.Key, "hx-on") ||
				attr.Key != "value" && strings.HasPrefix(strings.ToLower(strings.TrimSpace(attr.Val)), "javascript:") {
				a.failf("the attribute %s=%q", attr.Key, attr.Val)
			}
		}
	})
	return a
}
