package mail

import (
	"html"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/templates/components"
)

func TestRender(t *testing.T) {
	t.Parallel()
	data := Data{
		Name: "<b>Zoë</b>", Email: "new@example.org", URL: "https://example.com/verify-email?token=x_-1&a=b", Site: "https://example.com",
		Browser: "Firefox on <i>Linux</i>", IP: "2001:db8::1", Organization: "Acme & Sons", Inviter: "Ada Lovelace",
		When: time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC), Username: "zoe.smith", Wait: "3 days", Code: "AB12-CD34", Event: models.EventRecoveryCodesCreated, DeletedAt: time.Date(2026, 2, 3, 15, 4, 0, 0, time.UTC),
	}
	shows := map[string][]string{ // besides the name and the link
		"verify-email":     {data.Username, data.Code, "3 February 2026, 15:04 UTC", "24 hours"},
		"change-email":     {data.Username, data.Email, data.Code, "24 hours", "10 minutes"},
		"email-changed":    {data.Username, data.Email},
		"reset-password":   {data.Username, data.Code, "10 minutes"},
		"password-changed": {data.Username},
		"password-reset":   {data.Username},
		"new-browser":      {data.Username, "Firefox on", data.IP, "2 January 2026, 15:04 UTC"},
		"factor-changed":   {data.Username, "New recovery codes were created. Older ones no longer work."},
		"account-deleted":  {data.Username},
		"invitation":       {data.Inviter, "Sons", "7 days"},
		"site-invitation":  {"create an account", "7 days"},
		"second-factor":    {data.Username, "Sons", "2 January 2026, 15:04 UTC"},
		"email-restored":   {data.Username},
		"codes-failed":     {data.Username, "Firefox on", data.IP, "2 January 2026, 15:04 UTC"},
		"recover":          {data.Username, "10 minutes", "3 days"},
		"recovery-begun":   {data.Username, "Firefox on", data.IP, "2 January 2026, 15:04 UTC"},
		"recovery-ready":   {data.Username, "2 January 2026, 15:04 UTC"},
		"impersonated":     {data.Username, "2 January 2026, 15:04 UTC", "3 days", "not possible"},
		"sign-in-code":     {data.Username, data.Code, "10 minutes"},
	}
	names, err := fs.Glob(files, "*.txt")
	if err != nil || len(names) != len(shows) || len(htmlBodies) != len(shows) {
		t.Errorf("%d texts and %d components, %v, want one of each for %d mails", len(names), len(htmlBodies), err, len(shows))
	}
	for kind, want := range shows {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			subject, text, page, err := Render(kind, data)
			if err != nil || !Known(kind) {
				t.Fatal(err)
			}
			if components.MailLabel(kind) == kind {
				t.Error("components.MailLabel has no words for it")
			}
			if subject == "" || len(subject) > 60 || strings.ContainsAny(subject, "\r\n") || strings.Contains(subject, "Zoë") {
				t.Errorf("subject: %q", subject)
			}
			if !strings.HasPrefix(text, "Hello <b>Zoë</b>,\n\n") {
				t.Errorf("text begins %.40q", text)
			}
			for _, s := range append(want, data.URL) {
				if !strings.Contains(text, s) {
					t.Errorf("the text does not have %q:\n%s", s, text)
				}
			}
			for _, s := range append(want, "Hello &lt;b&gt;Zoë&lt;/b&gt;,", strings.ReplaceAll(data.URL, "&", "&amp;")+"</a>") {
				if !strings.Contains(page, s) {
					t.Errorf("the page does not have %q:\n%s", s, page)
				}
			}
			why := reason.FindString(strings.ReplaceAll(text, "\n", " "))
			if s := strings.ReplaceAll(strings.TrimSpace(why), "'", "&#39;"); s == "" || !strings.Contains(page, s) {
				t.Errorf("the page does not say %q as the text does:\n%s", s, page)
			}
			for _, s := range []string{"<b>", "<i>", "<img", "<script"} {
				if strings.Contains(page, s) {
					t.Errorf("the page has %q:\n%s", s, page)
				}
			}
		})
	}
}

// TestNoticeWithoutALink wants words for a recipient who has no say.
func TestNoticeWithoutALink(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{models.MailEmailChanged, models.MailPasswordChanged, models.MailPasswordReset, models.MailNewBrowser, models.MailFactorChanged, models.MailCodesFailed} {
		_, text, page, err := Render(kind, Data{})
		const want = "Please contact the site's administrator."
		if plain := strings.ReplaceAll(text, "\n", " "); err != nil || !strings.Contains(plain, want) || !strings.Contains(html.UnescapeString(page), want) || strings.Contains(plain, "7 days") {
			t.Errorf("%s says %s\n%s (%v)", kind, text, page, err)
		}
	}
}

// reason matches why somebody got a mail, before the signature.
var reason = regexp.MustCompile(`You got this because .*?  `)

// TestBrand compares the brand of the mails with that of the pages.
func TestBrand(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("../../assets/vestibule.css")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"--accent: light-dark(" + accent + ", " + accentDark + ");",
		"--accent-fill: light-dark(" + fill + ", " + fillDark + ");",
		"--on-accent: " + onAccent + ";",
	} {
		if !strings.Contains(string(css), want) {
			t.Errorf("the stylesheet does not have %q", want)
		}
	}
	_, _, page, err := Render("verify-email", Data{URL: "https://example.com/verify-email"})
	if want := "background:" + fill; err != nil || !strings.Contains(strings.ReplaceAll(page, ": ", ":"), want) {
		t.Errorf("no button has %q (%v):\n%s", want, err, page)
	}
}

// TestSubjectOfAnInvitation invites in the name of somebody with much to say.
func TestSubjectOfAnInvitation(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ada Lovelace":           "Ada Lovelace invited you to Vestibule",
		strings.Repeat("ü", 40):  strings.Repeat("ü", 40) + " invited you to Vestibule",
		strings.Repeat("ü", 201): strings.Repeat("ü", 39) + "… invited you to Vestibule",
	} {
		if subject, _, _, err := Render("invitation", Data{Inviter: name}); err != nil || subject != want {
			t.Errorf("the subject is %q (%v), want %q", subject, err, want)
		}
	}
}
