package notes_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// writes adds a note, and returns its id.
func writes(s *apptest.Company, title, body string) uuid.UUID {
	s.T.Helper()
	n := &models.Note{OrganizationID: s.First.OrganizationID, AuthorID: s.First.UserID, Title: title, Body: body}
	if err := s.DB.CreateNote(s.T.Context(), n); err != nil {
		s.T.Fatal(err)
	}
	return n.ID
}

func TestNotes(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		member := s.AddMember("the.member", "Member")
		reader := s.AddMemberWith("the.reader", "Reader")
		page := member.Get("/o/acme/notes").Wants(http.StatusOK).Page().Says("No notes yet.")
		if off := page.Find("#create-note textarea[required]").AttrOr("autocomplete", ""); off != "off" {
			t.Errorf("autocomplete of the text is %q", off)
		}
		if page.Find("#create-note [name=title][dir=auto], #create-note textarea[dir=auto]").Length() != 2 || member.Get("/o/acme/notes?q=x").Find("[name=q][dir=auto][enterkeyhint=search]").Length() != 1 {
			t.Error("a field doesn't turn to the right for scripts that do")
		}
		member.Submit(page, "form#create-note", apptest.Fill("title", "", "body", ""), options...).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"title": "Enter a title.", "body": "Enter a text."})
		a := member.Post("/o/acme/notes/check?field=title", apptest.Fill("title", strings.Repeat("a", 101)), apptest.HTMX).Wants(http.StatusOK)
		if got := a.Text("#title-error"); got != "Use at most 100 characters." {
			a.Failf("it says %q", got)
		}
		member.Submit(page, "form#create-note", apptest.Fill("title", "Größe & <b>", "body", "one\r\ntwo"), options...).LeadsTo("/o/acme/notes")
		page = reader.Get("/o/acme/notes").Wants(http.StatusOK).Page().Says("Größe & <b> one two").Says("by Ben Jones")
		if page.Find("#notes p[dir=auto] > strong").Length() != 1 || page.Find("#notes pre[dir=auto]").Length() != 1 {
			t.Error("a title and its text don't turn alike")
		}
		if page.Find("main form[method=post], main a[href*='/notes/']").Length() > 0 {
			t.Error("who may only read sees buttons")
		}

		edit := member.Get("/o/acme/notes").Find("#notes a").AttrOr("href", "")
		if a := member.Get(edit, options...).Wants(http.StatusOK); len(options) > 0 {
			a.Fragment("li")
		} else {
			a.Page()
		}
		if a := member.Get(edit+"/row", options...); len(options) > 0 { // Cancel
			a.Wants(http.StatusOK).Fragment("li[autofocus]").Says("Größe & <b> one two")
		} else {
			a.LeadsTo("/o/acme/notes")
		}
		page = member.Get(edit)
		form := `form[action="` + edit + `"]`
		a = member.Submit(page, form, apptest.Fill("body", " "), options...).Wants(http.StatusUnprocessableEntity).Says("Enter a text.")
		prefix := "#note-" + edit[strings.LastIndex(edit, "/")+1:] + "-"
		if a.Text(prefix+"body-error") == "" || a.Find(prefix+"body").AttrOr("aria-invalid", "") != "true" {
			t.Error("the error is not at its field")
		}
		member.Post(edit+"/check?field=body", apptest.Fill("body", ""), apptest.HTMX).Wants(http.StatusOK).Fragment(prefix + "body-field")
		a = member.Submit(page, form, apptest.Fill("title", "Weight"), options...)
		if len(options) > 0 {
			a.Wants(http.StatusOK).Fragment("li").Says("Weight one two").Says("Note saved")
		} else {
			a.LeadsTo("/o/acme/notes")
		}
		member.Submit(member.Get("/o/acme/notes").Says("Weight"), `#notes form`, nil, options...)
		member.Get("/o/acme/notes").Says("No notes yet.")
		member.Get(edit).Wants(http.StatusNotFound)
		member.Post(edit, apptest.Fill("title", "a", "body", "b"), options...).Wants(http.StatusNotFound)
	})
}

func TestNotesSearchAndPages(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		for i := range 45 {
			writes(s, fmt.Sprintf("Note %02d", i), "GRÜßE 100%")
		}
		titles := func(path string, options ...apptest.Option) (titles []string, more string) {
			a := s.Owner.Get(path, options...).Wants(http.StatusOK)
			a.Find("li strong").Each(func(_ int, e apptest.Selection) { titles = append(titles, e.Text()) })
			return titles, a.Find("li > a.quiet:only-child").AttrOr("href", "")
		}
		var all []string
		for path := "/o/acme/notes?q=gr%C3%BCsse"; path != ""; {
			found, more := titles(path, apptest.HTMX)
			all, path = append(all, found...), more
		}
		if len(all) != 45 || all[0] != "Note 44" || all[44] != "Note 00" || !slices.IsSortedFunc(all, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("found are %v", all)
		}
		if finds := s.Owner.Get("/o/acme/notes?q=07").Find("#finds[role=status]"); finds.Length() != 1 || finds.Text() != "" {
			t.Errorf("before a search, %d places say %q", finds.Length(), finds.Text())
		}
		for query, want := range map[string]string{"?q=07": "1 result.", "?q=x": "No results.", "?q=note": "The first 20 results.", "": "The first 20 results.",
			"?before=" + uuid.Max.String(): ""} {
			if got := s.Owner.Get("/o/acme/notes"+query, apptest.HTMX).Wants(http.StatusOK).Text(`hx-partial[hx-target="#finds"]`); got != want {
				t.Errorf("those who hear the page are told of %s: %q, want %q", query, got, want)
			}
		}
		for text, want := range map[string]int{"note 07": 1, "100%": 20, "_": 0, "x": 0, "\x00": 20} {
			if got, _ := titles("/o/acme/notes?" + url.Values{"q": {text}}.Encode()); len(got) != want {
				t.Errorf("%q finds %d on the first page, want %d", text, len(got), want)
			}
		}
		writes(s, "Long", strings.Repeat("ab", 150))
		for text, want := range map[string]int{strings.Repeat("ab", 45) + "x": 0, strings.Repeat("ab", 50) + "the rest is ignored": 1} {
			if got, _ := titles("/o/acme/notes?q=" + url.QueryEscape(text)); len(got) != want {
				t.Errorf("%q finds %d, want %d", text, len(got), want)
			}
		}
	})
}

// A note belongs to its organization alone.
func TestNotesAreApart(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		other := s.Visit(t)
		other.Join(apptest.Ben)
		other.Post("/organizations", apptest.Fill("name", "Other")).LeadsTo("/o/other")
		id := writes(s, "Plan", "Secret").String()
		other.Get("/o/other/notes/" + id).Wants(http.StatusNotFound)
		other.Post("/o/other/notes/"+id, apptest.Fill("title", "a", "body", "b")).Wants(http.StatusNotFound)
		other.Post("/o/other/notes/"+id+"/delete", nil).Wants(http.StatusNotFound)
		if a := other.Get("/o/other/notes").Wants(http.StatusOK); strings.Contains(a.Body, "Plan") {
			t.Error("another organization sees it")
		}
		s.Owner.Get("/o/acme/notes").Says("Plan Secret")
	})
}

// The download has the notes that the person wrote, as long as they may see them.
func TestDownloadNotes(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		member := s.AddMember("the.member", "Member")
		member.Post("/o/acme/notes", apptest.Fill("title", "Mine", "body", "one\ntwo")).LeadsTo("/o/acme/notes")
		writes(s, "Plan", "Secret")
		has := func(want string) {
			t.Helper()
			var data struct{ Notes []map[string]string }
			a := member.Get("/account/data").Wants(http.StatusOK)
			if err := json.Unmarshal([]byte(a.Body), &data); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, n := range data.Notes {
				if n["created_at"] == "" || len(n) != 4 {
					t.Errorf("a note is %v", n)
				}
				got += n["organization"] + ": " + n["title"] + ": " + n["body"] + "."
			}
			if got != want || data.Notes == nil {
				t.Errorf("the notes are %q, want %q", got, want)
			}
		}
		has("Acme: Mine: one\ntwo.")
		want, mine := "Acme: Mine: one\ntwo.", s.Membership("the.member")
		for i := range 450 { // more than are read at once
			n := &models.Note{OrganizationID: mine.OrganizationID, AuthorID: mine.UserID, Title: fmt.Sprint(i), Body: "<b>"}
			if err := s.DB.CreateNote(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			want += fmt.Sprintf("Acme: %d: <b>.", i)
		}
		has(want)
		member.Post("/o/acme/leave", nil).Wants(http.StatusSeeOther)
		has("")
		s.Owner.Get("/o/acme/notes?q=mine").Says("Mine") // which stays in the organization
	})
}

// An organization has so many notes that a search can look at them all.
func TestNotesAreLimited(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		notes := make([]models.Note, models.MaxNotes)
		for i := range notes {
			notes[i] = models.Note{ID: uuid.New(), OrganizationID: s.First.OrganizationID, Title: "Full", CreatedAt: time.Now()}
		}
		if _, err := s.DB.Bun().NewInsert().Model(&notes).Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		page := s.Owner.Get("/o/acme/notes")
		typed := apptest.Fill("title", "One more", "body", "typed")
		a := s.Owner.Submit(page, "form#create-note", typed, options...).Wants(http.StatusUnprocessableEntity)
		a.Says("An organization can have up to 2,000 notes. Delete some first.")
		if a.Value("title") != "One more" || a.Text("textarea") != "typed" {
			a.Failf("the form holds %q and %q", a.Value("title"), a.Text("textarea"))
		}
		s.Owner.Post("/o/acme/notes/"+notes[0].ID.String()+"/delete", nil).Wants(http.StatusSeeOther)
		s.Owner.Submit(a, "form#create-note", nil, options...).LeadsTo("/o/acme/notes")
	})
}

// TestInvisibleCharactersInNotes pastes characters that nobody sees, with what is typed.
func TestInvisibleCharactersInNotes(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		paste := func(s string) string { return "\ufeff\u202a" + s[:2] + "\u200b\u00ad" + s[2:] + "\u2060\u200d\u202c " }
		s.Post("/o/acme/notes", apptest.Fill("title", paste("Plan"), "body", "one\u200b\r\n\ttwo\u00ad \r\n")).LeadsTo("/o/acme/notes")
		s.Post("/o/acme/notes", apptest.Fill("title", "\u200b", "body", "\u2800\r\n\ufeff")).Wants(http.StatusUnprocessableEntity).
			WantsErrors(map[string]string{"title": "Enter a title.", "body": "Enter a text."})
		for _, q := range []string{"plan", paste("PLAN"), "t\u200bwo"} {
			a := s.Get("/o/acme/notes?q=" + url.QueryEscape(q)).Wants(http.StatusOK).Page()
			if got := a.Find("#notes pre").Text(); got != "one\n\ttwo" || strings.ContainsAny(a.Body, "\u200b\u00ad\ufeff\u2060\u202a") {
				t.Errorf("the search for %+q finds %+q", q, got)
			}
		}
	})
}

// TestNotesOfAnImpersonation wants an operator who uses the site as a member to see the notes,
// and to change them only if the setting allows that. Notes have no code for it.
func TestNotesOfAnImpersonation(t *testing.T) {
	t.Parallel()
	for mode, status := range map[string]int{"read": http.StatusForbidden, "write": http.StatusSeeOther} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			modelstest.Each(t, func(t *testing.T, db *models.DB) {
				s := apptest.NewCompany(t, db, func(c *app.Config) { c.Impersonation = mode })
				operator := s.Operator(apptest.Nth(1), models.OperatorAdmin)
				operator.Impersonate("anna.smith")
				page := operator.Get("/o/acme/notes").Wants(http.StatusOK)
				operator.Submit(page, "form#create-note", apptest.Fill("title", "Plan", "body", "Secret")).Wants(status)
				notes := s.Get("/o/acme/notes").Wants(http.StatusOK)
				if n := notes.Find(".rows strong").Length(); (n == 1) != (mode == "write") {
					notes.Failf("there are %d notes", n)
				}
				sent := slices.ContainsFunc(s.Events(), func(e models.Event) bool { return e.Kind == models.EventFormSent && e.Detail.Form == "/o/:slug/notes" })
				if sent != (mode == "write") {
					t.Errorf("the form is recorded as sent: %v", sent)
				}
			})
		})
	}
}
