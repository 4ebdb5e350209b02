package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"vestibule/models"
)

// writes adds a note, and returns its id.
func (s *company) writes(title, body string) uuid.UUID {
	s.t.Helper()
	n := &models.Note{OrganizationID: s.first.OrganizationID, AuthorID: s.first.UserID, Title: title, Body: body}
	if err := s.db.CreateNote(s.t.Context(), n); err != nil {
		s.t.Fatal(err)
	}
	return n.ID
}

func TestNotes(t *testing.T) {
	companyEachWay(t, func(t *testing.T, s *company, options ...option) {
		member := s.employ("the.member", "Member")
		reader := s.employRole("the.reader", "Reader")
		page := member.get("/o/acme/notes").wants(http.StatusOK).page().says("None.")
		if off := page.find("#create-note textarea[required]").AttrOr("autocomplete", ""); off != "off" {
			t.Errorf("autocomplete of the text is %q", off)
		}
		member.submit(page, "form#create-note", fill("title", "", "body", ""), options...).wants(http.StatusUnprocessableEntity).
			wantsErrors(map[string]string{"title": "Enter a title.", "body": "Enter a text."})
		a := member.post("/o/acme/notes/check?field=title", fill("title", strings.Repeat("a", 101)), htmx).wants(http.StatusOK)
		if got := a.text("#title-error"); got != "Use at most 100 characters." {
			a.failf("it says %q", got)
		}
		member.submit(page, "form#create-note", fill("title", "Größe & <b>", "body", "one\r\ntwo"), options...).leadsTo("/o/acme/notes")
		page = reader.get("/o/acme/notes").wants(http.StatusOK).page().says("Größe & <b> one two").says("by Ben Jones")
		if page.find("form[method=post]:not(nav form), a[href*='/notes/']").Length() > 1 { // one confirms the e-mail
			t.Error("who may only read sees buttons")
		}

		edit := member.get("/o/acme/notes").find("#notes a").AttrOr("href", "")
		if a := member.get(edit, options...).wants(http.StatusOK); len(options) > 0 {
			a.fragment("li")
		} else {
			a.page()
		}
		page = member.get(edit)
		form := `form[action="` + edit + `"]`
		a = member.submit(page, form, fill("body", " "), options...).wants(http.StatusUnprocessableEntity).says("Enter a text.")
		prefix := "#note-" + edit[strings.LastIndex(edit, "/")+1:] + "-"
		if a.text(prefix+"body-error") == "" || a.find(prefix+"body").AttrOr("aria-invalid", "") != "true" {
			t.Error("the error is not at its field")
		}
		member.post(edit+"/check?field=body", fill("body", ""), htmx).wants(http.StatusOK).fragment(prefix + "body-field")
		a = member.submit(page, form, fill("title", "Weight"), options...)
		if len(options) > 0 {
			a.wants(http.StatusOK).fragment("li").says("Weight one two").says("Your changes are saved.")
		} else {
			a.leadsTo("/o/acme/notes")
		}
		member.submit(member.get("/o/acme/notes").says("Weight"), `#notes form`, nil, options...)
		member.get("/o/acme/notes").says("None.")
		member.get(edit).wants(http.StatusNotFound)
		member.post(edit, fill("title", "a", "body", "b"), options...).wants(http.StatusNotFound)
	})
}

func TestNotesSearchAndPages(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		for i := range 45 {
			s.writes(fmt.Sprintf("Note %02d", i), "GRÜßE 100%")
		}
		titles := func(path string, options ...option) (titles []string, more string) {
			a := s.owner.get(path, options...).wants(http.StatusOK)
			a.find("li strong").Each(func(_ int, e selection) { titles = append(titles, e.Text()) })
			return titles, a.find("li > a.quiet:only-child").AttrOr("href", "")
		}
		var all []string
		for path := "/o/acme/notes?q=gr%C3%BCsse"; path != ""; {
			found, more := titles(path, htmx)
			all, path = append(all, found...), more
		}
		if len(all) != 45 || all[0] != "Note 44" || all[44] != "Note 00" || !slices.IsSortedFunc(all, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("found are %v", all)
		}
		if finds := s.owner.get("/o/acme/notes?q=07").find("#finds[role=status]"); finds.Length() != 1 || finds.Text() != "" {
			t.Errorf("before a search, %d places say %q", finds.Length(), finds.Text())
		}
		for query, want := range map[string]string{"?q=07": "1 found.", "?q=x": "None found.", "?q=note": "20 found, and there are more.", "": "20 found, and there are more.",
			"?before=" + uuid.Max.String(): ""} {
			if got := s.owner.get("/o/acme/notes"+query, htmx).wants(http.StatusOK).text(`hx-partial[hx-target="#finds"]`); got != want {
				t.Errorf("those who hear the page are told of %s: %q, want %q", query, got, want)
			}
		}
		for text, want := range map[string]int{"note 07": 1, "100%": 20, "_": 0, "x": 0, "\x00": 20} {
			if got, _ := titles("/o/acme/notes?" + url.Values{"q": {text}}.Encode()); len(got) != want {
				t.Errorf("%q finds %d on the first page, want %d", text, len(got), want)
			}
		}
	})
}

// A note belongs to its organization alone.
func TestNotesAreApart(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		other := s.visit(t)
		other.join(ben())
		other.post("/organizations", fill("name", "Other")).leadsTo("/o/other")
		id := s.writes("Plan", "Secret").String()
		other.get("/o/other/notes/" + id).wants(http.StatusNotFound)
		other.post("/o/other/notes/"+id, fill("title", "a", "body", "b")).wants(http.StatusNotFound)
		other.post("/o/other/notes/"+id+"/delete", nil).wants(http.StatusNotFound)
		if a := other.get("/o/other/notes").wants(http.StatusOK); strings.Contains(a.body, "Plan") {
			t.Error("another organization sees it")
		}
		s.owner.get("/o/acme/notes").says("Plan Secret")
	})
}

// The download has the notes that the person wrote, as long as they may see them.
func TestDownloadNotes(t *testing.T) {
	eachCompany(t, func(t *testing.T, s *company) {
		member := s.employ("the.member", "Member")
		member.post("/o/acme/notes", fill("title", "Mine", "body", "one\ntwo")).leadsTo("/o/acme/notes")
		s.writes("Plan", "Secret")
		has := func(want string) {
			t.Helper()
			var data struct{ Notes []map[string]string }
			a := member.get("/account/data").wants(http.StatusOK)
			if err := json.Unmarshal([]byte(a.body), &data); err != nil {
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
		member.post("/o/acme/leave", nil).wants(http.StatusSeeOther)
		has("")
		s.owner.get("/o/acme/notes").says("Mine") // which stays in the organization
	})
}
