package admin_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// secretInMail matches a code, and the token or code of a link.
var secretInMail = regexp.MustCompile(`\b[0-9A-Z]{4}-[0-9A-Z]{4}\b|(token|code)=[A-Za-z0-9_-]`)

// TestMail lists what waits and what failed, and reads one without its secrets. Reading one
// is recorded as a look at the person, and leaves no token.
func TestMail(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		s.Confirmed()
		s.Deliver()
		guest := s.Visit(t)
		ben := s.Visit(t)
		ben.Join(apptest.Ben) // verify-email, with a link and a code
		guest.Post("/sign-in", apptest.Fill("username", "benjamin", "code", "yes"))
		guest.Post("/forgot-password", apptest.Fill("email", apptest.Ben.Email)).Wants(http.StatusOK)
		_, request := models.NewCodeRequest(apptest.Ben.Email, "/dashboard")
		if err := db.QueueMail(t.Context(), models.Mail{Kind: models.MailSignInCode, Recipient: apptest.Ben.Email, Detail: models.MailDetail{Code: request}},
			models.Mail{Kind: models.MailResetPassword, Recipient: "nobody@example.com"}); err != nil {
			t.Fatal(err)
		}
		waiting := s.Queue()
		page := v.Get("/admin/mail").Wants(http.StatusOK).Page().Harmless()
		if n := page.Find("#mail li a.row").Length(); n != len(waiting) || n < 4 {
			page.Failf("it lists %d of %d mails", n, len(waiting))
		}
		id := s.User("benjamin").ID
		tokens := count(t, db, (*models.Token)(nil)) + count(t, db, (*models.Code)(nil))
		kinds := map[string]bool{}
		for _, m := range waiting {
			kinds[m.Kind] = true
			page := v.Get("/admin/mail/" + m.ID.String()).Wants(http.StatusOK).Page().Harmless()
			if found := secretInMail.FindString(page.Text("main pre, main h3")); found != "" {
				page.Failf("the mail %s shows %s", m.Kind, found)
			}
			e := s.Events()[len(s.Events())-1]
			if m.Recipient == "nobody@example.com" {
				page.Says("Nobody is left to send it to")
				if e.UserID != uuid.Nil {
					t.Errorf("a look at nobody is recorded as %+v", e)
				}
				continue
			}
			page.Says("Hello").Says("=…")
			if m.Kind == models.MailSignInCode || m.Kind == models.MailVerifyEmail {
				page.Says("····-····")
			}
			if e.Kind != models.EventLooked || e.UserID != id || e.Detail.Mail != m.Kind || e.OperatorRole != models.OperatorSupport {
				t.Errorf("the look at %s is recorded as %+v", m.Kind, e)
			}
		}
		if !kinds[models.MailSignInCode] || !kinds[models.MailVerifyEmail] || !kinds[models.MailResetPassword] {
			t.Errorf("only %v waits", kinds)
		}
		if n := count(t, db, (*models.Token)(nil)) + count(t, db, (*models.Code)(nil)); n != tokens {
			t.Errorf("reading mail left %d tokens and codes", n-tokens)
		}

		for i := range 30 {
			m := &models.Mail{ID: uuid.Must(uuid.NewV7()), Kind: models.MailNewBrowser, Recipient: fmt.Sprintf("no%d@example.com", i), UserID: id, CreatedAt: time.Now()}
			if err := db.RefuseMail(t.Context(), m, "550 no such user"); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		for path := "/admin/mail?state=failed"; path != ""; {
			page := v.Get(path, apptest.HTMX).Wants(http.StatusOK).Says("550 no such user")
			page.Find("li strong").Each(func(_ int, e apptest.Selection) { seen[e.Text()] = true })
			path = page.Find("li > a.quiet").AttrOr("href", "")
		}
		if len(seen) != 30 {
			t.Errorf("the pages list %d of 30 failed mails", len(seen))
		}
		failed := v.Get("/admin/mail?state=failed").Find("#mail a.row").AttrOr("href", "")
		v.Get(failed).Wants(http.StatusOK).Says("550 no such user").Says("isn't kept").Says("Not delivered")
		v.Get("/admin/mail/" + uuid.NewString()).Wants(http.StatusNotFound)
		if page := v.Get(failed); page.Find(`a[href$="/drop"]`).Length() != 0 {
			page.Failf("it offers actions to support")
		}
		overview := v.Get("/admin")
		if overview.Find(`a[href="/admin/mail"]`).Length() < 2 || overview.Find(`a[href="/admin/mail?state=failed"]`).Length() != 1 {
			overview.Failf("its numbers don't lead to the mail")
		}
	})
}

// TestMailOfALaterVersion wants the page of mail whose kind this version doesn't know.
func TestMailOfALaterVersion(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorAdmin)
		s.Visit(t).Join(apptest.Ben)
		id := s.User("benjamin").ID
		if err := db.QueueMail(t.Context(), models.Mail{Kind: "birthday", Recipient: apptest.Ben.Email, UserID: id}); err != nil {
			t.Fatal(err)
		}
		queue := s.Queue()
		m := queue[slices.IndexFunc(queue, func(m models.Mail) bool { return m.Kind == "birthday" })]
		v.Get("/admin/mail").Wants(http.StatusOK).Says("birthday to ben@example.com")
		page := v.Get("/admin/mail/" + m.ID.String()).Wants(http.StatusOK).Page().Harmless()
		page.Says("Mail to ben@example.com").Says("Ben Jones").Says("This version doesn't know mail of this kind.").Says("Drop the mail")
		v.Get("/admin/people/" + id.String()).Wants(http.StatusOK).Says("birthday")
	})
}

// TestMailActions sends waiting mail at once and drops mail, each with a reason that is
// recorded.
func TestMailActions(t *testing.T) {
	apptest.EachWay(t, func(t *testing.T, s *apptest.Site, options ...apptest.Option) {
		v := s.Operator(apptest.Anna, models.OperatorAdmin)
		s.Confirmed()
		s.Deliver()
		s.Visit(t).Join(apptest.Ben)
		id := s.User("benjamin").ID
		m, err := s.DB.ClaimMail(t.Context(), models.MailFilter{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.DB.RetryMail(t.Context(), m, "later"); err != nil {
			t.Fatal(err)
		}
		path := "/admin/mail/" + m.ID.String()
		wants := func(kind string) {
			t.Helper()
			e := s.Events()[len(s.Events())-1]
			if e.Kind != kind || e.UserID != id || e.Detail.Mail != m.Kind || e.Detail.Reason != reason || e.OperatorRole != models.OperatorAdmin {
				t.Errorf("recorded is %+v", e)
			}
		}
		v.Get(path).Wants(http.StatusOK).Says("Send the mail now").Says("Drop the mail")
		page := v.Get(path + "/retry").Wants(http.StatusOK).Page().Harmless()
		v.Submit(page, "form#act", nil, options...).Wants(http.StatusUnprocessableEntity).Says("Enter the reason.")
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/admin/mail")
		wants(models.EventMailRetried)
		if due := s.Queue()[0]; due.NextAt.After(time.Now()) {
			t.Errorf("the next attempt is at %v", due.NextAt)
		}

		page = v.Get(path + "/drop").Wants(http.StatusOK)
		v.Post(path+"/drop", apptest.Fill("reason", reason, "confirm", "Drop the mail?", "confirm_label", "Drop mail")).Wants(http.StatusOK).Says("Drop the mail?")
		v.Submit(page, "form#act", apptest.Fill("reason", reason), options...).LeadsTo("/admin/mail")
		wants(models.EventMailDropped)
		if n := len(s.Queue()); n != 0 {
			t.Errorf("%d mails wait", n)
		}
		v.Get(path).Wants(http.StatusNotFound)
		v.Post(path+"/drop", apptest.Fill("reason", reason), options...).Wants(http.StatusNotFound)

		refused := &models.Mail{ID: uuid.Must(uuid.NewV7()), Kind: m.Kind, Recipient: "x@example.com", UserID: id, CreatedAt: time.Now()}
		if err := s.DB.RefuseMail(t.Context(), refused, "550"); err != nil {
			t.Fatal(err)
		}
		path = "/admin/mail/" + refused.ID.String()
		v.Post(path+"/retry", apptest.Fill("reason", reason), options...).Wants(http.StatusNotFound)
		v.Post(path+"/drop", apptest.Fill("reason", reason), options...).LeadsTo("/admin/mail")
		wants(models.EventMailDropped)
		if page := v.Get("/admin/mail?state=failed"); !strings.Contains(page.Text("#mail"), "was delivered") {
			page.Failf("failed mail is left")
		}

		// What tells an operator of what others did isn't theirs to drop.
		own := models.Mail{Kind: models.MailFactorChanged, Recipient: apptest.Anna.Email, UserID: s.User("anna.smith").ID}
		mails := []models.Mail{own}
		if err := s.DB.QueueMail(t.Context(), mails...); err != nil {
			t.Fatal(err)
		}
		v.Post("/admin/mail/"+s.Queue()[0].ID.String()+"/drop", apptest.Fill("reason", reason), options...).Wants(http.StatusForbidden).Says("Operators can't do this to themselves here.")
	})
}

func count(t *testing.T, db *models.DB, model any) int {
	t.Helper()
	n, err := db.Bun().NewSelect().Model(model).Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}
