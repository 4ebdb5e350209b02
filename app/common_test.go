package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestCommonPages asks for the pages that are the same for all strangers, which
// are compressed, in between the same pages with something of a person's own,
// which must not be: neither compressed nor shown to anybody else.
func TestCommonPages(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := newSite(t, db)
		compressing := header("Accept-Encoding", "br")
		own := func(a *answer) *answer {
			t.Helper()
			return a.wantsHeader("Content-Encoding", "")
		}
		plain := map[string]string{}
		common := func() {
			t.Helper()
			for _, path := range []string{"/", "/sign-in", "/sign-up", "/forgot-password"} {
				body := own(s.visit(t).get(path, header("Accept-Encoding", "identity"))).wants(http.StatusOK).page().body
				if plain[path] == "" {
					plain[path] = body
				}
				a := s.visit(t).get(path, compressing).wants(http.StatusOK).wantsHeader("Content-Encoding", "br")
				if vary := strings.Join(a.Header.Values("Vary"), ", "); vary != "Cookie, HX-Request, Accept-Encoding" {
					t.Errorf("%s varies by %s", path, vary)
				}
				decoded, err := io.ReadAll(brotli.NewReader(strings.NewReader(a.body)))
				if err != nil || string(decoded) != body || body != plain[path] {
					t.Errorf("%s is not the same for everybody (%v)", path, err)
				}
			}
		}

		back := own(s.get("/sign-in?next=/account", compressing))
		if action := back.find("#sign-in").AttrOr("action", ""); action != "/sign-in?next=%2Faccount" {
			t.Errorf("sign-in leads to %s", action)
		}
		common()
		own(s.get("/sign-in", htmx, compressing)).fragment("#sign-in")
		own(s.post("/sign-in", credentials("anna.smith", ""), compressing)).wants(http.StatusUnprocessableEntity)
		own(s.post("/forgot-password", fill("email", "anna@example.com"), compressing)).wants(http.StatusOK)
		common()

		s.join(anna())
		for _, path := range []string{"/dashboard", "/", "/account"} {
			if own(s.get(path, compressing)).wants(http.StatusOK); s.get(path).find("form[action='/sign-out']").Length() != 1 {
				t.Errorf("%s is not the page of somebody signed in", path)
			}
		}
		common()
		s.post("/sign-out", nil).leadsTo("/")
		if toast := own(s.get("/", compressing)).text("#notices p"); toast != "You are signed out." {
			t.Errorf("the toast is %q", toast)
		}
		common()
		s.keep("session", strings.Repeat("A", 43))
		s.get("/", compressing).wantsHeader("Content-Encoding", "br").clears("session")
		own(s.get("/no-such-page", compressing)).wants(http.StatusNotFound)
		common()
	})
}
