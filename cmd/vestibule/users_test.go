//go:build linux || darwin || freebsd

package main_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/password"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// operatorProgram builds the program once, beside the test binary, which the
// go command removes with its folder.
var operatorProgram = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "operator-vestibule")
	if err := build(".", path); err != nil {
		return "", err
	}
	return path, nil
})

const (
	oldPassword = "violet kettle thunder"
	newPassword = "marble autumn lantern"
)

// operator runs commands on a database, and in the end has seen no secret.
type operator struct {
	*testing.T
	url     string
	db      *models.DB
	site    http.Handler // on the same database, as a server that runs meanwhile
	seen    bytes.Buffer // all that the commands have printed
	secrets []string
}

func eachOperator(t *testing.T, test func(o *operator)) {
	t.Helper()
	t.Parallel()
	modelstest.EachURL(t, func(t *testing.T, url string) {
		config := app.Config{
			Env:             "development",
			Addr:            "localhost:8080",
			DatabaseURL:     url,
			SessionIdle:     time.Hour,
			SessionMax:      time.Hour,
			AuditRetention:  time.Hour,
			Argon2Memory:    7168,
			Argon2Time:      5,
			Argon2Threads:   1,
			LogLevel:        "info",
			SignUp:          "open",
			SecondFactor:    "optional",
			ProviderLinking: "ask",
			Impersonation:   "read",
		}
		if err := config.ValidateSite(); err != nil {
			t.Fatal(err)
		}
		o := &operator{T: t, url: url, db: modelstest.Open(t, url), secrets: []string{"$argon2id$", oldPassword, newPassword}}
		var err error
		if o.site, err = app.New(config, o.db, slog.New(slog.DiscardHandler), password.Here); err != nil {
			t.Fatal(err)
		}
		test(o)
		for _, secret := range o.secrets {
			if strings.Contains(o.seen.String(), secret) {
				t.Errorf("%q was printed:\n%s", secret, o.seen.String())
			}
		}
	})
}

// command is the program on the operator's database, in a folder of its own.
func (o *operator) command(args ...string) *exec.Cmd {
	o.Helper()
	program, err := operatorProgram()
	if err != nil {
		o.Fatal(err)
	}
	cmd := exec.CommandContext(o.Context(), program, args...)
	cmd.Dir = o.TempDir()
	cmd.Env = []string{"DATABASE_URL=" + o.url, "ARGON2_MEMORY=7168", "ARGON2_TIME=5", "PATH=" + os.Getenv("PATH")}
	return cmd
}

func (o *operator) run(input string, args []string) (stdout, stderr string, code int) {
	o.Helper()
	var out, complaint bytes.Buffer
	cmd := o.command(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &complaint
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		o.Fatal(err)
	}
	o.seen.Write(out.Bytes())
	o.seen.Write(complaint.Bytes())
	_, stderr = announced(complaint.String())
	return out.String(), stderr, cmd.ProcessState.ExitCode()
}

// does runs a command that works, and returns what it prints.
func (o *operator) does(args ...string) string { o.Helper(); return o.types("", args...) }

// types is does with words on standard input.
func (o *operator) types(input string, args ...string) string {
	o.Helper()
	out, complaint, code := o.run(input, args)
	if code != 0 || complaint != "" {
		o.Fatalf("vestibule %s: exit %d\n%s", strings.Join(args, " "), code, complaint)
	}
	return out
}

// fails runs a command that fails with these words.
func (o *operator) fails(want, input string, args ...string) {
	o.Helper()
	out, complaint, code := o.run(input, args)
	if code != 1 || out != "" || complaint != "vestibule: "+want+"\n" {
		o.Errorf("vestibule %s: exit %d\n%s%s\nwant exit 1:\nvestibule: %s", strings.Join(args, " "), code, out, complaint, want)
	}
}

// creates makes a user, who is verified, with oldPassword.
func (o *operator) creates(username, email, first, last string) {
	o.Helper()
	o.types(oldPassword+"\n", "users", "create", "--username", username, "--email", email,
		"--first-name", first, "--last-name", last, "--verified")
}

// signsIn returns the status of the answer and the session's cookie.
func (o *operator) signsIn(login, password string) (int, *http.Cookie) {
	o.Helper()
	r := httptest.NewRequestWithContext(o.Context(), http.MethodPost, "http://localhost:8080/sign-in",
		strings.NewReader(url.Values{"login": {login}, "password": {password}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	w := httptest.NewRecorder()
	o.site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if bits, err := base64.RawURLEncoding.DecodeString(c.Value); err == nil && len(bits) == 32 {
			sum := sha256.Sum256(bits)
			o.secrets = append(o.secrets, c.Value, hex.EncodeToString(sum[:]), base64.StdEncoding.EncodeToString(sum[:]))
			if strings.Contains(c.Name, "session") {
				return w.Code, c
			}
		}
	}
	return w.Code, nil
}

// enters signs in, which works, and returns the cookie.
func (o *operator) enters(login, password string) *http.Cookie {
	o.Helper()
	status, cookie := o.signsIn(login, password)
	if status != http.StatusSeeOther || cookie == nil {
		o.Fatalf("sign-in of %s: %d, cookie %v", login, status, cookie)
	}
	return cookie
}

// isRefused signs in, which does not work.
func (o *operator) isRefused(login, password string) {
	o.Helper()
	if status, cookie := o.signsIn(login, password); status != http.StatusUnprocessableEntity || cookie != nil {
		o.Errorf("sign-in of %s: %d, cookie %v; want 422 and none", login, status, cookie)
	}
}

// wantsSignedIn opens the dashboard with a cookie.
func (o *operator) wantsSignedIn(cookie *http.Cookie, want bool) {
	o.Helper()
	r := httptest.NewRequestWithContext(o.Context(), http.MethodGet, "http://localhost:8080/dashboard", nil)
	r.AddCookie(cookie)
	w := httptest.NewRecorder()
	o.site.ServeHTTP(w, r)
	if got := w.Code == http.StatusOK; got != want {
		o.Errorf("the dashboard answers %d, want signed in %v", w.Code, want)
	}
}

func (o *operator) user(login string) *models.User {
	o.Helper()
	u, err := o.db.UserByLogin(o.Context(), login)
	if err != nil {
		o.Fatalf("%s: %v", login, err)
	}
	return u
}

// object is what a reader of JSON gets.
type object = map[string]any

func readJSON[T any](o *operator, printed string) (value T) {
	o.Helper()
	if err := json.Unmarshal([]byte(printed), &value); err != nil {
		o.Fatalf("%v:\n%s", err, printed)
	}
	return value
}

// fieldsOf returns the fields of one name.
func fieldsOf(objects []object, name string) []string {
	var list []string
	for _, o := range objects {
		list = append(list, fmt.Sprint(o[name]))
	}
	return list
}

// cellsOf splits the lines of a table, whose columns are two spaces apart.
func cellsOf(table string) [][]string {
	var lines [][]string
	for line := range strings.Lines(table) {
		var cells []string
		for cell := range strings.SplitSeq(strings.TrimSpace(line), "  ") {
			if cell = strings.TrimSpace(cell); cell != "" {
				cells = append(cells, cell)
			}
		}
		lines = append(lines, cells)
	}
	return lines
}

func wantEqual(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func TestOperatorLifeOfAUser(t *testing.T) {
	eachOperator(t, func(o *operator) {
		printed := o.types(oldPassword+"\r\nand a second line\n", "users", "create", "--username=Anna.Smith", "--email=Anna@Example.com",
			"--first-name= Anna ", "--last-name=Smith", "--verified")
		anna := o.user("anna.smith")
		wantEqual(o.T, "create", printed, "Created Anna.Smith with ID "+anna.ID.String()+"\n")
		printed = o.types(oldPassword, "users", "create", "--username=benjamin", "--email=ben@example.com", "--first-name=Ben", "--last-name=Jones")
		ben := o.user("benjamin")
		deleted := ben.CreatedAt.Add(14 * 24 * time.Hour)
		wantEqual(o.T, "create without --verified", printed, "Created benjamin with ID "+ben.ID.String()+"\n"+
			"Unless the email address is confirmed, the account will be deleted at "+deleted.Format(time.DateTime)+" UTC (UNCONFIRMED_MAX)\n")
		if !anna.Verified() || ben.Verified() || anna.FirstName != "Anna" {
			o.Errorf("stored: %+v, %+v", anna, ben)
		}
		if mail, err := o.db.ClaimMail(o.Context(), models.MailFilter{}); err != nil || mail.Kind != models.MailVerifyEmail || mail.Recipient != ben.Email {
			o.Errorf("mail: %+v, %v; want the one that verifies Ben's address alone", mail, err)
		}

		wantEqual(o.T, "list", cellsOf(o.does("users", "list")), [][]string{
			{"USERNAME", "EMAIL", "NAME", "VERIFIED (UTC)", "DISABLED (UTC)", "CREATED (UTC)", "ID"},
			{"Anna.Smith", "Anna@Example.com", "Anna Smith", anna.VerifiedAt.Format(time.DateTime), "no", anna.CreatedAt.Format(time.DateTime), anna.ID.String()},
			{"benjamin", "ben@example.com", "Ben Jones", "no", "no", ben.CreatedAt.Format(time.DateTime), ben.ID.String()},
		})
		want := object{
			"id": anna.ID.String(), "username": "Anna.Smith", "email": "Anna@Example.com", "first_name": "Anna", "last_name": "Smith",
			"verified_at": anna.VerifiedAt.Format(time.RFC3339Nano), "disabled_at": nil,
			"created_at": anna.CreatedAt.Format(time.RFC3339Nano), "updated_at": anna.UpdatedAt.Format(time.RFC3339Nano),
		}
		wantEqual(o.T, "list --json", readJSON[[]object](o, o.does("users", "list", "--json"))[0], want)

		cookies := []*http.Cookie{o.enters("anna.smith", oldPassword), o.enters("anna@example.com", oldPassword)}
		want["sessions"], want["throttles"], want["refused_mail"] = 2, []any{}, 0
		want["can_sign_in"], want["sign_in"] = true, "yes"
		want["organizations"], want["failures"], want["mail"], want["refused"] = []any{}, []any{}, []any{}, []any{}
		want["disabled_at"] = nil
		want["factors"] = object{"password": true, "passkeys": 0, "authenticators": 0, "recovery_codes": 0, "trusted_browsers": 0, "connections": 0}
		want["second_factor_required_by"] = []any{}
		shown := readJSON[object](o, o.does("users", "show", "ANNA@EXAMPLE.COM", "--json"))
		if browsers := shown["browsers"].([]any); len(browsers) != 2 || browsers[0].(object)["trusted_until"] != nil {
			o.Errorf("the browsers are %v", browsers)
		}
		queued := shown["mail"].([]any) // about the second browser
		if len(queued) != 2 || queued[0].(object)["kind"] != "new-browser" {
			o.Errorf("the mail is %v", queued)
		}
		want["browsers"], want["mail"] = shown["browsers"], queued
		wantEqual(o.T, "show --json", shown, want)
		wantEqual(o.T, "show", cellsOf(o.does("users", "show", "ANNA.SMITH"))[:13], [][]string{
			{"Username", "Anna.Smith"}, {"Email", "Anna@Example.com"}, {"Name", "Anna Smith"}, {"Can sign in", "yes"},
			{"Verified (UTC)", anna.VerifiedAt.Format(time.DateTime)}, {"Disabled (UTC)", "no"}, {"Operator", "no"},
			{"Created (UTC)", anna.CreatedAt.Format(time.DateTime)}, {"Changed (UTC)", anna.UpdatedAt.Format(time.DateTime)},
			{"Factors", "password"}, {"Second factor", "not required"}, {"Sessions", "2"}, {"ID", anna.ID.String()},
		})

		o.types(newPassword+"\n", "users", "set-password", "anna.smith")
		for _, c := range cookies {
			o.wantsSignedIn(c, false)
		}
		o.isRefused("anna.smith", oldPassword)
		cookie := o.enters("anna.smith", newPassword)
		o.wantsSignedIn(cookie, true)

		wantEqual(o.T, "disable", o.does("users", "disable", "anna.smith"), "Disabled Anna.Smith and ended their sessions\n")
		o.wantsSignedIn(cookie, false)
		o.isRefused("anna.smith", newPassword)
		since := o.user("anna.smith").DisabledAt
		wantEqual(o.T, "disable again", o.does("users", "disable", "anna.smith"),
			"Anna.Smith has been disabled since "+since.Format(time.DateTime)+" UTC\n")
		wantEqual(o.T, "disabled_at", readJSON[object](o, o.does("users", "show", "anna.smith", "--json"))["disabled_at"],
			since.Format(time.RFC3339Nano))

		wantEqual(o.T, "enable", o.does("users", "enable", "anna.smith"), "Enabled Anna.Smith\n")
		o.wantsSignedIn(cookie, false)
		cookie = o.enters("anna.smith", newPassword)

		o.fails("deleting a user can't be undone: run it on a terminal to confirm, or pass --yes", "anna.smith\n", "users", "delete", "anna.smith")
		o.wantsSignedIn(cookie, true)
		wantEqual(o.T, "delete", o.does("users", "delete", "anna.smith", "--yes"), "Deleted Anna.Smith\n")
		o.wantsSignedIn(cookie, false)
		o.isRefused("anna.smith", newPassword)
		if left, err := o.db.Sessions(o.Context(), anna.ID); err != nil || len(left) > 0 {
			o.Errorf("sessions after delete: %v, %v", left, err)
		}
		wantEqual(o.T, "left", fieldsOf(readJSON[[]object](o, o.does("users", "list", "--json")), "username"), []string{"benjamin"})

		lines := cellsOf(o.does("users", "show", "benjamin"))
		wantEqual(o.T, "show of an unconfirmed account", lines[13], []string{"Deleted after (UTC)", deleted.Format(time.DateTime)})
		wantEqual(o.T, "delete_after", readJSON[object](o, o.does("users", "show", "benjamin", "--json"))["delete_after"], deleted.Format(time.RFC3339Nano))
		wantEqual(o.T, "verify", o.does("users", "verify", "benjamin"), "Marked the email address of benjamin as verified\n")
		since = o.user("benjamin").VerifiedAt
		wantEqual(o.T, "verify again", o.does("users", "verify", "benjamin"),
			"The email address of benjamin has been verified since "+since.Format(time.DateTime)+" UTC\n")
		wantEqual(o.T, "kept", readJSON[object](o, o.does("users", "show", "benjamin", "--json"))["delete_after"], nil)
	})
}

func TestOperatorHearsWhatIsWrong(t *testing.T) {
	eachOperator(t, func(o *operator) {
		create := func(username, email, first, last string) []string {
			return []string{"users", "create", "--username", username, "--email", email, "--first-name", first, "--last-name", last}
		}
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")

		o.fails("the user was not created:\n"+
			"Username: Use at least 5 characters.\n"+
			"First name: Enter your first name.\n"+
			"Last name: This contains a character that can't be used here.\n"+
			"Email: Enter an email address such as name@example.com.\n"+
			"Password: Use at least 8 characters.", "short\n", create("adé", "nowhere", " ", "x\x1b[31m")...)
		o.fails("the user was not created:\nUsername: Use only letters a to z, digits, dots, underscores and hyphens.", oldPassword,
			create("ben jones", "ben@example.com", "Ben", "Jones")...)
		o.fails("the user was not created:\nPassword: Don't use your own name, username or email address in the password.", "my jones 1906",
			create("benjamin", "ben@example.com", "Ben", "Jones")...)
		o.fails("the user was not created:\nUsername: This username is already taken.", oldPassword,
			create("ANNA.smith", "other@example.com", "Anna", "King")...)
		o.fails("the user was not created:\nEmail: There's already an account with this email address.", oldPassword,
			create("augusta", "ANNA@example.com", "Anna", "King")...)
		o.fails("no password on standard input: nothing was done", "", create("augusta", "a@example.com", "Anna", "King")...)
		o.fails("missing flags: --email=ADDRESS, --first-name=NAME, --last-name=NAME", "", "users", "create", "--username=augusta")
		wantEqual(o.T, "users", len(readJSON[[]object](o, o.does("users", "list", "--json"))), 1)

		cookie := o.enters("anna.smith", oldPassword)
		o.fails("the password was not changed:\nNew password: This password is too common. Try a few unrelated words.",
			"password1\n", "users", "set-password", "anna.smith")
		o.fails("the password was not changed:\nNew password: Don't use your own name, username or email address in the password.",
			"a smith engine\n", "users", "set-password", "anna.smith")
		o.fails("no password on standard input: nothing was done", "\n", "users", "set-password", "anna.smith")
		o.wantsSignedIn(cookie, true)

		for _, args := range [][]string{
			{"users", "show"}, {"users", "set-password"}, {"users", "verify"}, {"users", "disable"}, {"users", "enable"}, {"users", "unlock"}, {"users", "delete", "--yes"},
			{"mail", "refused"},
			{"sessions", "list"}, {"sessions", "revoke", "--user"},
		} {
			o.fails("no user nobody", oldPassword, append(args, "nobody")...)
			o.fails("no user \uFFFD[31m@\uFFFD", oldPassword, append(args, "\x1b[31m@\xff")...)
		}

		which := "pass exactly one of ID, --user LOGIN and --all"
		id := uuid.NewString()
		o.fails(which, "", "sessions", "revoke")
		o.fails(which, "", "sessions", "revoke", id, "--all")
		o.fails(which, "", "sessions", "revoke", "--user=anna.smith", "--all")
		o.fails("no session "+id, "", "sessions", "revoke", id)
		o.fails("first is not a session ID: run vestibule sessions list to find it", "", "sessions", "revoke", "first")
		o.wantsSignedIn(cookie, true)
	})
}

// TestOperatorPastes names a user in other spellings, and with characters that nobody sees.
func TestOperatorPastes(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("\ufeffmira\u200b.k", "\u202amira\u200b@bücher.example\u202c", "Zoe\u0308\u00ad", "\u2060Kovács")
		mira := o.user("mira.k")
		wantEqual(o.T, "stored", []string{mira.Username, mira.Email, mira.FullName()}, []string{"mira.k", "mira@xn--bcher-kva.example", "Zoë Kovács"})
		for _, login := range []string{"mira@bücher.example", "MIRA@xn--bcher-kva.example", "mi\u200bra@bu\u0308cher.example", "\u202amira.k\u202c "} {
			wantEqual(o.T, "show", cellsOf(o.does("users", "show", login))[:3], [][]string{
				{"Username", "mira.k"}, {"Email", "mira@bücher.example"}, {"Name", "Zoë Kovács"},
			})
			o.enters(login, oldPassword)
		}
		for _, search := range []string{"bücher", "BÜCHER.ex", "xn--bcher", "mira@bücher.example", "zoe\u0308", " Zoë\u200b Kovács "} {
			wantEqual(o.T, "list --search="+search, fieldsOf(readJSON[[]object](o, o.does("users", "list", "--json", "--search="+search)), "username"), []string{"mira.k"})
		}
		o.fails("the user was not created:\n"+
			"First name: Leave out phone numbers.\n"+
			"Last name: Enter your last name.\n"+
			"Email: Use at most 64 characters before the @.", oldPassword,
			"users", "create", "--username=benjamin", "--email="+strings.Repeat("p", 65)+"@example.com", "--first-name=Call 555 0100", "--last-name=\u3164\u200b")
		o.fails("the user was not created:\nEmail: There's already an account with this email address.", oldPassword,
			"users", "create", "--username=benjamin", "--email=mira@bücher.example", "--first-name=Ben", "--last-name=Jones")
		// An id names a user, too, but not in a form that may be somebody's username.
		id := mira.ID.String()
		o.creates(strings.ReplaceAll(id, "-", ""), "hex@example.com", "Hex", "Digits")
		for login, username := range map[string]string{" " + strings.ToUpper(id) + "\u200b": "mira.k", strings.ReplaceAll(id, "-", ""): strings.ReplaceAll(id, "-", "")} {
			wantEqual(o.T, "show", cellsOf(o.does("users", "show", login))[0], []string{"Username", username})
			wantEqual(o.T, "events", fieldsOf(readJSON[[]object](o, o.does("audit", "--json", "--kind=created", login)), "username"), []string{username})
		}
		nobody := uuid.NewString()
		o.fails("no user "+nobody, "", "users", "show", nobody)
		o.does("users", "delete", "--yes", id)
	})
}

func TestOperatorSessions(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		o.creates("benjamin", "ben@example.com", "Ben", "Jones")
		anna, ben := o.user("anna.smith"), o.user("benjamin")
		first, second := o.enters("anna.smith", oldPassword), o.enters("anna.smith", oldPassword)
		other := o.enters("benjamin", oldPassword)

		life := models.Lifetime{Idle: time.Hour, Max: time.Hour}
		if _, _, err := o.db.Prove(o.Context(), ben, models.Step{Factor: models.FactorPassword, Device: models.Device{IP: "::1"}}); err != nil {
			o.Fatal(err)
		}
		agent := "\x1b]0;title\a\x7f\u009b31m\u202eevil/1.0"
		evil, _, err := o.db.Prove(o.Context(), ben, models.Step{Factor: models.FactorPassword, Device: models.Device{IP: "::1", UserAgent: agent}, Lifetime: life})
		if err != nil {
			o.Fatal(err)
		}

		all := readJSON[[]object](o, o.does("sessions", "list", "--json"))
		wantEqual(o.T, "the living", fieldsOf(all, "username"), []string{"anna.smith", "anna.smith", "benjamin", "benjamin"})
		wantEqual(o.T, "user agent", all[3]["user_agent"], "]0;title31mevil/1.0")
		table := o.does("sessions", "list")
		if strings.ContainsFunc(strings.ReplaceAll(o.seen.String(), "\n", ""), func(r rune) bool {
			return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e'
		}) {
			o.Errorf("what a browser says of itself acts on the terminal: %q", o.seen.String())
		}
		wantEqual(o.T, "lines of the table", strings.Count(table, "\n"), 5)

		stored, err := o.db.Sessions(o.Context(), anna.ID)
		if err != nil || len(stored) != 2 {
			o.Fatal(stored, err)
		}
		s := stored[slices.IndexFunc(stored, func(s models.Session) bool { return s.ID.String() == all[0]["id"] })]
		wantEqual(o.T, "list LOGIN", cellsOf(o.does("sessions", "list", "ANNA.smith"))[:2], [][]string{
			{"USERNAME", "DEVICE", "IP", "CREATED (UTC)", "LAST SEEN (UTC)", "EXPIRES (UTC)", "ID"},
			{"anna.smith", "Firefox on Linux", s.IP, s.CreatedAt.Format(time.DateTime), s.LastSeenAt.Format(time.DateTime),
				s.ExpiresAt.Format(time.DateTime), s.ID.String()},
		})
		wantEqual(o.T, "list LOGIN --json", readJSON[[]object](o, o.does("sessions", "list", "anna@example.com", "--json"))[0], object{
			"id": s.ID.String(), "user_id": anna.ID.String(), "username": "anna.smith", "device": "Firefox on Linux", "user_agent": s.UserAgent,
			"ip": s.IP, "created_at": s.CreatedAt.Format(time.RFC3339Nano), "last_seen_at": s.LastSeenAt.Format(time.RFC3339Nano),
			"expires_at": s.ExpiresAt.Format(time.RFC3339Nano),
		})

		wantEqual(o.T, "revoke ID", o.does("sessions", "revoke", s.ID.String()), "Ended 1 session\n")
		o.wantsSignedIn(first, false)
		o.wantsSignedIn(second, true)
		wantEqual(o.T, "revoke --user", o.does("sessions", "revoke", "--user", "Anna@Example.com"), "Ended 1 session\n")
		o.wantsSignedIn(second, false)
		o.wantsSignedIn(other, true)
		wantEqual(o.T, "left", fieldsOf(readJSON[[]object](o, o.does("sessions", "list", "--json")), "id")[1], evil.ID.String())
		wantEqual(o.T, "revoke --all", o.does("sessions", "revoke", "--all"), "Ended 3 sessions\n")
		o.wantsSignedIn(other, false)
		wantEqual(o.T, "none", o.does("sessions", "list", "--json"), "[]\n")
	})
}

// TestOperatorAudit lists what operators and people did.
func TestOperatorAudit(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		o.creates("benjamin", "ben@example.com", "Ben", "Jones")
		o.creates("operator", "third@example.com", "Otto", "Perator")
		anna, ben, otto := o.user("anna.smith"), o.user("benjamin"), o.user("operator")
		o.enters("anna.smith", oldPassword)
		o.isRefused("benjamin", newPassword)
		o.types(newPassword+"\n", "users", "set-password", "anna.smith")
		o.enters("anna.smith", newPassword)
		stored, err := o.db.Sessions(o.Context(), anna.ID)
		if err != nil || len(stored) != 1 {
			o.Fatal(stored, err)
		}
		o.does("sessions", "revoke", stored[0].ID.String())
		o.does("sessions", "revoke", "--user=benjamin")
		o.does("sessions", "revoke", "--all")
		o.does("users", "disable", "benjamin")
		o.does("users", "disable", "benjamin") // changes nothing
		o.does("users", "enable", "benjamin")
		o.fails("no session "+stored[0].ID.String(), "", "sessions", "revoke", stored[0].ID.String())
		o.does("users", "delete", "benjamin", "--yes")
		if err := o.db.Record(o.Context(), models.Event{Kind: models.EventSignOut, UserID: otto.ID, ActorID: otto.ID, IP: "::1", UserAgent: "\x1b[31m"}); err != nil {
			o.Fatal(err)
		}

		firefox := "Firefox on Linux"
		var times []string
		var got [][]string
		for _, cells := range cellsOf(o.does("audit"))[1:] {
			times = append(times, cells[0])
			got = append(got, cells[1:])
		}
		wantEqual(o.T, "audit", got, [][]string{
			{"sign-out", "operator", "operator", "::1", "Unknown browser"},
			{"deleted", ben.ID.String(), "(operator)"},
			{"enabled", ben.ID.String(), "(operator)"},
			{"disabled", ben.ID.String(), "(operator)"},
			{"all-sessions-ended", "-", "(operator)"},
			{"all-sessions-ended", ben.ID.String(), "(operator)"},
			{"session-ended", "anna.smith", "(operator)"},
			{"sign-in", "anna.smith", "anna.smith", "192.0.2.1", firefox},
			{"password-changed", "anna.smith", "(operator)"},
			{"sign-in-failed", ben.ID.String(), "-", "192.0.2.1", firefox},
			{"sign-in", "anna.smith", "anna.smith", "192.0.2.1", firefox},
			{"created", "operator", "(operator)"},
			{"created", ben.ID.String(), "(operator)"},
			{"created", "anna.smith", "(operator)"},
		})
		for _, at := range times {
			if _, err := time.Parse(time.DateTime, at); err != nil {
				o.Error(err)
			}
		}
		kinds := func(args ...string) []string {
			return fieldsOf(readJSON[[]object](o, o.does(append([]string{"audit", "--json"}, args...)...)), "kind")
		}
		wantEqual(o.T, "of Anna", kinds("ANNA@example.com"), []string{"session-ended", "sign-in", "password-changed", "sign-in", "created"})
		wantEqual(o.T, "of who was deleted", kinds(ben.ID.String()), []string{"deleted", "enabled", "disabled", "all-sessions-ended", "sign-in-failed", "created"})
		wantEqual(o.T, "of a kind", kinds("--kind=sign-in"), []string{"sign-in", "sign-in"})
		wantEqual(o.T, "of Anna and a kind", kinds("anna.smith", "--kind=created"), []string{"created"})
		wantEqual(o.T, "limited", kinds("--limit=2"), []string{"sign-out", "deleted"})

		row := readJSON[[]object](o, o.does("audit", "operator", "--json"))[0]
		id, at := row["id"], row["created_at"]
		wantEqual(o.T, "JSON", row, object{
			"id": id, "kind": "sign-out", "user_id": otto.ID.String(), "username": "operator", "login": "operator", "actor_id": otto.ID.String(), "actor": "operator",
			"operator": false, "ip": "::1", "device": "Unknown browser", "user_agent": "[31m", "request_id": "", "created_at": at,
		})
		row = readJSON[[]object](o, o.does("audit", "--kind=deleted", "--json"))[0]
		wantEqual(o.T, "JSON of who was deleted", row, object{
			"id": row["id"], "kind": "deleted", "user_id": ben.ID.String(), "username": nil, "login": nil, "actor_id": nil, "actor": nil,
			"operator": true, "ip": "", "device": "", "user_agent": "", "request_id": "", "created_at": row["created_at"],
		})
		row = readJSON[[]object](o, o.does("audit", "--kind=session-ended", "--json"))[0]
		wantEqual(o.T, "what was ended", row["detail"], any(map[string]any{"device": firefox}))
		o.fails("no user nobody", "", "audit", "nobody")

		// Events as old as they come with time.
		if _, err := o.db.Bun().NewUpdate().Model((*models.Event)(nil)).Set("created_at = ?", time.Now().UTC().Add(-48*time.Hour)).
			Where("kind <> ?", "enabled").Exec(o.Context()); err != nil {
			o.Fatal(err)
		}
		wantEqual(o.T, "of a day", kinds("--since=24h"), []string{"enabled"})
		wantEqual(o.T, "of three days", len(kinds("--since=72h")), len(got))

		err = o.db.InTx(o.Context(), func(tx *models.DB) error {
			for range 1100 {
				if err := tx.Record(o.Context(), models.Event{Kind: models.EventSignIn, UserID: anna.ID, IP: "::1"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			o.Fatal(err)
		}
		wantEqual(o.T, "by default", len(kinds()), 50)
		wantEqual(o.T, "all", len(kinds("--limit=0")), 1100+len(got))
	})
}

// TestOperatorListsMany lists more than fits on a page of a query.
func TestOperatorListsMany(t *testing.T) {
	eachOperator(t, func(o *operator) {
		const many = 1100
		life := models.Lifetime{Idle: time.Hour, Max: time.Hour}
		var usernames []string
		err := o.db.InTx(o.Context(), func(tx *models.DB) error {
			for i := range many {
				name := fmt.Sprintf("user.%d", i)
				u := &models.User{Username: name, Email: name + "@example.com", FirstName: "Zoë", LastName: "Ørsted", VerifiedAt: time.Now()}
				if i == many-1 {
					u.FirstName = "Œuvre 100%"
				}
				if err := tx.CreateUser(o.Context(), u); err != nil {
					return err
				}
				if _, _, err := tx.Prove(o.Context(), u, models.Step{Factor: models.FactorPassword, Lifetime: life}); err != nil {
					return err
				}
				usernames = append(usernames, name)
			}
			return nil
		})
		if err != nil {
			o.Fatal(err)
		}
		for what, args := range map[string][]string{
			"users":           {"users", "list", "--json"},
			"users of a name": {"users", "list", "--json", "--search", "ØRSTED"},
			"users of a host": {"users", "list", "--json", "--search", "@EXAMPLE.com"},
			"sessions":        {"sessions", "list", "--json"},
		} {
			got := fieldsOf(readJSON[[]object](o, o.does(args...)), "username")
			if !slices.Equal(got, usernames) {
				o.Errorf("%s: %d in another order, want %d", what, len(got), many)
			}
		}
		wantEqual(o.T, "table", strings.Count(o.does("users", "list"), "\n"), many+1)
		wantEqual(o.T, "limited table", strings.Count(o.does("users", "list", "--limit=7"), "\n"), 7+1)
		for search, want := range map[string][]string{
			"user.1099":     usernames[1099:],
			"ER.1034@exam":  usernames[1034:1035],
			"uvre 100% ørs": usernames[1099:],
			"e_ö":           nil,
		} {
			got := fieldsOf(readJSON[[]object](o, o.does("users", "list", "--json", "--search", search)), "username")
			wantEqual(o.T, search, got, want)
		}
		limited := readJSON[[]object](o, o.does("users", "list", "--json", "--search=zoë", "--limit=3"))
		wantEqual(o.T, "search with a limit", fieldsOf(limited, "username"), usernames[:3])
	})
}

// TestOperatorAtATerminal types at one, which script(1) of util-linux makes.
func TestOperatorAtATerminal(t *testing.T) {
	if out, err := exec.Command("script", "--version").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("util-linux")) {
		t.Skip("there is no script(1) of util-linux")
	}
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")

		// at types each word when the question before it is asked, and returns
		// all that the terminal shows, with the state it is left in.
		at := func(args string, dialogue ...string) string {
			o.Helper()
			cmd := o.command()
			line := cmd.Path + " " + args + `; echo exit $?; stty -a | grep -wo -e "-\?echo"`
			cmd = exec.CommandContext(o.Context(), "script", "-qc", line, "/dev/null")
			shell := o.command()
			cmd.Dir, cmd.Env = shell.Dir, append(shell.Env, "SHELL=/bin/sh")
			keys, err := cmd.StdinPipe()
			if err != nil {
				o.Fatal(err)
			}
			screen, err := cmd.StdoutPipe()
			if err != nil {
				o.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				o.Fatal(err)
			}
			var shown strings.Builder
			reader := bufio.NewReader(screen)
			for i := 0; i < len(dialogue); i += 2 {
				for question := dialogue[i]; !strings.HasSuffix(shown.String(), question); {
					b, err := reader.ReadByte()
					if err != nil {
						o.Fatalf("%s: %v before %q:\n%s", args, err, question, shown.String())
					}
					shown.WriteByte(b)
				}
				if _, err := io.WriteString(keys, dialogue[i+1]); err != nil {
					o.Fatal(err)
				}
			}
			if _, err := io.Copy(&shown, reader); err != nil {
				o.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				o.Fatal(err)
			}
			o.seen.WriteString(shown.String())
			_, rest := announced(strings.ReplaceAll(shown.String(), "\r\n", "\n"))
			return rest
		}

		wantEqual(o.T, "two that differ", at("users set-password anna.smith", "New password: ", newPassword+"\n", "Confirm password: ", oldPassword+"\n"),
			"New password: \nConfirm password: \nvestibule: the password was not changed:\nConfirm new password: The passwords don't match.\nexit 1\necho\n")
		o.enters("anna.smith", oldPassword)
		wantEqual(o.T, "set-password", at("users set-password anna.smith", "New password: ", newPassword+"\n", "Confirm password: ", newPassword+"\n"),
			"New password: \nConfirm password: \nChanged the password of anna.smith and ended their sessions\nexit 0\necho\n")
		cookie := o.enters("anna.smith", newPassword)

		ask := "Type anna.smith to permanently delete this account and everything it owns: "
		wantEqual(o.T, "another name", at("users delete anna.smith", ask, "benjamin\n"),
			ask+"benjamin\nvestibule: the username doesn't match: nothing was deleted\nexit 1\necho\n")
		o.wantsSignedIn(cookie, true)
		wantEqual(o.T, "delete", at("users delete anna@example.com", ask, "Anna.Smith\n"), ask+"Anna.Smith\nDeleted anna.smith\nexit 0\necho\n")
		o.wantsSignedIn(cookie, false)

		all := o.does("migrate", "status")
		ask = "This can't be undone. Type yes to continue: "
		if shown := at("migrate down", ask, "y\n"); !strings.HasSuffix(shown, ask+"y\nvestibule: nothing was reverted\nexit 1\necho\n") || o.does("migrate", "status") != all {
			o.Errorf("y reverts a migration:\n%s", shown)
		}
		if shown := at("migrate down", ask, "yes\n"); !strings.Contains(shown, " DROP ") || !strings.HasSuffix(shown, "\nexit 0\necho\n") || o.does("migrate", "status") == all {
			o.Errorf("yes doesn't revert a migration:\n%s", shown)
		}
	})
}
