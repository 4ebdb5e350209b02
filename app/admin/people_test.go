package admin_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// names returns the names of the people in a list.
func names(a *apptest.Answer) (names []string) {
	a.Find("li.member strong").Each(func(_ int, s apptest.Selection) { names = append(names, s.Text()) })
	return names
}

func TestPeople(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db)
		v := s.Operator(apptest.Anna, models.OperatorSupport)
		people := map[string]*models.User{}
		for i, name := range []string{"Zoë Åkesson", "Ben van Dyke", "Mary Ann Evans"} {
			first, last, _ := strings.Cut(name, " ")
			u := &models.User{Username: fmt.Sprintf("member_%d", i), Email: fmt.Sprintf("post%d@bücher.example", i), FirstName: first, LastName: last, PasswordHash: "x", VerifiedAt: time.Now()}
			if i == 1 {
				u.VerifiedAt = time.Time{}
			}
			if err := db.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			people[first] = u
		}
		if err := db.DisableUser(t.Context(), people["Mary"]); err != nil {
			t.Fatal(err)
		}
		if err := db.AddAuthenticator(t.Context(), people["Zoë"], &models.Authenticator{ID: people["Zoë"].ID, Secret: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		const anna, zoe, ben, mary = "Anna Smith", "Zoë Åkesson", "Ben van Dyke", "Mary Ann Evans"
		for query, want := range map[string][]string{
			"":                                    {mary, ben, zoe, anna},
			"q=zoË":                               {zoe},
			"q=member_":                           {ben, mary, zoe},
			"q=van+dy":                            {ben},
			"q=åk":                                {zoe},
			"q=ann":                               {anna, mary}, // the second is what follows Mary
			"q=post1@":                            {ben},
			"q=post1@b%C3%BCcher.example":         {ben},
			"q=" + people["Zoë"].ID.String():      {zoe},
			"q=nobody":                            nil,
			"q=%25":                               nil,
			"state=unconfirmed":                   {ben, anna},
			"state=disabled":                      {mary},
			"state=operators":                     {anna},
			"state=one-factor":                    {mary, ben, anna},
			"seen=1":                              {anna},
			"seen=-7":                             {mary, ben, zoe},
			"state=nonsense&seen=nonsense":        {mary, ben, zoe, anna},
			"q=member_&state=disabled&seen=-30":   {mary},
			"state=unconfirmed&seen=-30&q=member": {ben},
		} {
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				page := v.Get("/admin/people?"+query, options...).Wants(http.StatusOK).Harmless()
				if got := names(page); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s finds %q, want %q", query, got, want)
				}
			}
		}

		for i := range 60 {
			u := &models.User{Username: fmt.Sprintf("many%d", i), Email: fmt.Sprintf("many%d@example.com", i), FirstName: "Quincy", LastName: fmt.Sprint(i), PasswordHash: "x"}
			if err := db.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		seen := map[string]bool{}
		pages := 0
		for path := "/admin/people"; path != ""; pages++ {
			page := v.Get(path).Wants(http.StatusOK)
			for _, name := range names(page) {
				seen[name] = true
			}
			path = page.Find("#people > li:last-child > a.quiet").AttrOr("href", "")
		}
		if len(seen) != 64 || pages != 4 {
			t.Errorf("%d pages show %d people", pages, len(seen))
		}
		found := v.Get("/admin/people?q=quincy").Wants(http.StatusOK).Says("There are more.")
		if n := len(names(found)); n != 50 {
			t.Errorf("a search shows %d people", n)
		}
	})
}

// TestPerson wants a person's page to say what the site has, and why they can't sign in. Each
// look is recorded, and none is shown to the person.
func TestPerson(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewCompany(t, db)
		v := s.Operator(apptest.Nth(1), models.OperatorSupport)
		anna := s.User(apptest.Anna.Username)
		path := "/admin/people/" + anna.ID.String()
		page := v.Get(path).Wants(http.StatusOK).Page().Harmless().WantsHeader("Cache-Control", "no-store")
		page.Says("Nothing keeps them from signing in.").Says("anna@example.com").Says("Acme").Says("Created the organization Acme")

		limit := models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
		if err := db.Attempt(t.Context(), "mail by others to "+anna.Email, limit); err != nil {
			t.Fatal(err)
		}
		v.Get(path).Wants(http.StatusOK).Says("Nothing keeps them from signing in.").Says("Mail that others asked for")
		if err := db.RefuseMail(t.Context(), &models.Mail{ID: anna.ID, Kind: models.MailResetPassword, Recipient: anna.Email, UserID: anna.ID, CreatedAt: time.Now()}, "the mailbox is full"); err != nil {
			t.Fatal(err)
		}
		if err := db.Attempt(t.Context(), "password of "+anna.ID.String()+" by ", limit); err != nil {
			t.Fatal(err)
		}
		v.Get(path).Wants(http.StatusOK).Says("They can't sign in until ").Says("because of too many wrong passwords.").Says("the mailbox is full")
		if err := db.LiftThrottles(t.Context(), anna); err != nil {
			t.Fatal(err)
		}
		if err := db.DisableUser(t.Context(), s.User(anna.Username)); err != nil {
			t.Fatal(err)
		}
		v.Get(path).Wants(http.StatusOK).Says("They can't sign in: the account has been disabled since ").Says("They aren't signed in anywhere.")
		if err := db.EnableUser(t.Context(), s.User(anna.Username)); err != nil {
			t.Fatal(err)
		}

		looks := 0
		for _, e := range s.Events() {
			if e.Kind == models.EventLooked {
				looks++
				if e.UserID != anna.ID || e.ActorID != s.User(apptest.Nth(1).Username).ID || e.OperatorRole != models.OperatorSupport || e.IP == "" {
					t.Errorf("the look is recorded as %+v", e)
				}
			}
		}
		if looks != 4 {
			t.Errorf("%d looks are recorded", looks)
		}
		again := s.Visit(t)
		again.Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		for _, own := range []string{"/account/activity", "/account/data"} {
			if a := again.Get(own).Wants(http.StatusOK); strings.Contains(a.Body, "Looked at") {
				a.Failf("it shows that an operator looked")
			}
		}
	})
}
