package organization_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"vestibule/app/apptest"
	"vestibule/models"
)

func TestMembersPage(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		for i := range 22 {
			u := &models.User{Username: fmt.Sprintf("person%02d", i), Email: fmt.Sprintf("p%02d@example.com", i), FirstName: "Per", LastName: fmt.Sprintf("Son %02d", i)}
			if err := s.DB.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			s.Admit(u.Username, "Member")
		}
		member := s.AddMember("the.member", "Member")
		a := s.Owner.Get("/o/acme/members").Wants(http.StatusOK).Page().Says("Anna Smith You").Says("p03@example.com")
		seen := a.Find("#members strong").Length()
		for more := a.Find("#members a").AttrOr("href", ""); more != ""; {
			a = s.Owner.Get(more, apptest.HTMX).Wants(http.StatusOK).Fragment("li")
			seen += a.Find("strong").Length()
			more = a.Find("a").AttrOr("href", "")
		}
		if seen != 24 {
			t.Errorf("seen are %d members, want 24", seen)
		}
		search := func(v *apptest.Visitor, text string, want ...string) {
			t.Helper()
			for _, options := range [][]apptest.Option{nil, {apptest.HTMX}} {
				a := v.Get("/o/acme/members?"+url.Values{"q": {text}}.Encode(), options...).Wants(http.StatusOK)
				var got []string
				a.Find("li strong").Each(func(_ int, e apptest.Selection) { got = append(got, e.Text()) })
				if !slices.Equal(got, want) {
					a.Failf("found are %q, want %q", got, want)
				}
				if options == nil && a.Value("q") != text {
					a.Failf("the field holds %q", a.Value("q"))
				}
				told := fmt.Sprintf("%d results.", len(want))
				switch len(want) {
				case 0:
					told = "No results."
				case 1:
					told = "1 result."
				}
				if got := a.Text(`hx-partial[hx-target="#finds"]`); options != nil && got != told {
					a.Failf("those who hear the page are told %q, want %q", got, told)
				}
			}
		}
		search(s.Owner, "son 07", "Per Son 07")
		search(s.Owner, "PERSON1", "Per Son 10", "Per Son 11", "Per Son 12", "Per Son 13", "Per Son 14", "Per Son 15", "Per Son 16", "Per Son 17", "Per Son 18", "Per Son 19")
		search(s.Owner, "p07@", "Per Son 07")
		search(s.Owner, "%")
		search(member, "p07@") // the addresses are not for members to find
		if a := member.Get("/o/acme/members").Wants(http.StatusOK); strings.Contains(a.Body, "p03@example.com") || a.Find("#members select").Length() != 0 {
			t.Error("a member sees addresses, or may choose roles")
		}
		for _, strange := range []string{"\x00", "\xff", strings.Repeat("é", 5000)} {
			s.Owner.Get("/o/acme/members?" + url.Values{"q": {strange}}.Encode()).Wants(http.StatusOK)
		}
		s.Owner.Get("/o/acme/members?after=nonsense").Wants(http.StatusOK).Says("Anna Smith")
	})
}

// TestMembersInOrder sorts the members by name and by when they joined, both ways, with a
// filter too, over several pages. A member before the next page may leave meanwhile.
func TestMembersInOrder(t *testing.T) {
	apptest.EachCompany(t, func(t *testing.T, s *apptest.Company) {
		if err := s.DB.CreateRole(t.Context(), s.First, "Host", nil); err != nil {
			t.Fatal(err)
		}
		names := []string{"Anna Smith"}
		hosts := []string{}
		for i := range 44 {
			// Pairs of one name, neither in the order of the alphabet.
			u := &models.User{Username: fmt.Sprintf("person%02d", i), Email: fmt.Sprintf("p%02d@example.com", i), FirstName: "Per", LastName: fmt.Sprintf("Son %02d", (i/2*7)%22)}
			if i%4 == 0 {
				u.FirstName = "per" // in any case
			}
			if err := s.DB.CreateUser(t.Context(), u); err != nil {
				t.Fatal(err)
			}
			role := "Member"
			if i%2 == 0 {
				role = "Host"
				hosts = append(hosts, u.FullName())
			}
			s.Admit(u.Username, role)
			names = append(names, u.FullName())
		}
		byName := func(all []string) []string {
			return slices.SortedStableFunc(slices.Values(all), func(a, b string) int { return strings.Compare(models.Key(a), models.Key(b)) })
		}
		reversed := func(all []string) []string {
			all = slices.Clone(all)
			slices.Reverse(all)
			return all
		}
		host := "&role=" + s.Role("Host").ID.String()
		for query, want := range map[string][]string{
			"":                             names,
			"sort=since":                   names,
			"sort=-since":                  reversed(names),
			"sort=name":                    byName(names),
			"sort=-name":                   reversed(byName(names)),
			"sort=nonsense&role=nonsense":  names,
			host[1:]:                       hosts,
			"sort=name" + host:             byName(hosts),
			"sort=-name" + host + "&q=PER": reversed(byName(hosts)),
			"sort=-since&q=person1":        reversed(names[11:21]),
		} {
			for way, options := range map[string][]apptest.Option{"plain": nil, "htmx": {apptest.HTMX}} {
				var got []string
				pages := 0
				for path := "/o/acme/members?" + query; path != ""; pages++ {
					a := s.Owner.Get(path, options...).Wants(http.StatusOK)
					a.Find("li strong").Each(func(_ int, e apptest.Selection) { got = append(got, e.Text()) })
					if heads := a.Find("#members-head").Length(); (heads == 0) != (way == "htmx" && pages > 0) {
						t.Errorf("%s, %s: page %d has %d heads", query, way, pages, heads)
					}
					path = a.Find(`li > a[href*="after="]`).AttrOr("href", "")
				}
				if !slices.Equal(got, want) || pages != (len(want)+19)/20 {
					t.Errorf("%s, %s: on %d pages are\n%q, want\n%q", query, way, pages, got, want)
				}
			}
		}

		// The heads say and reverse the order. They and the form keep all else.
		a := s.Owner.Get("/o/acme/members?sort=name&q=per" + host).Page().Says("45 members.")
		heads := a.Find("#members-head a")
		if got, want := heads.First().AttrOr("href", ""), "/o/acme/members?q=per"+host+"&sort=-name"; got != want || heads.First().AttrOr("aria-current", "") != "true" || heads.First().Text() != "Name, sorted A to Z" {
			a.Failf("the head %q leads to %s, want %s", heads.First().Text(), got, want)
		}
		if got, want := heads.Last().AttrOr("href", ""), "/o/acme/members?q=per"+host; got != want || heads.Last().Is("[aria-current]") {
			a.Failf("the other head leads to %s, want %s", got, want)
		}
		if got := []string{a.Value("q"), a.Value("sort"), a.Find(".filter [selected]").Text()}; !slices.Equal(got, []string{"per", "name", "Host"}) {
			a.Failf("the form holds %q", got)
		}
		if n := s.Owner.Get("/o/acme/members").Find(`#members .owner`).Length(); n != 1 {
			t.Errorf("%d owners are marked", n)
		}
		s.Owner.Get("/o/acme/members?q=nobody").Says("No members found.").Says("Show all members")

		// The last member of a page leaves before the next is read.
		first := s.Owner.Get("/o/acme/members?sort=name")
		last := first.Find("li strong").Last().Text()
		more := first.Find(`li > a[href*="after="]`).AttrOr("href", "")
		next := s.Owner.Get(more).Find("li strong").First().Text()
		path, _ := strings.CutSuffix(first.Find(`#members form[action$="/role"]`).Last().AttrOr("action", ""), "/role")
		s.Owner.Post(path+"/remove", nil).LeadsTo("/o/acme/members")
		if got := s.Owner.Get(more).Find("li strong").First().Text(); got != next {
			t.Errorf("after %s comes %s, want %s", last, got, next)
		}
		s.Owner.Get("/o/acme/members?sort=name&name=%00%ff&after=" + s.First.ID.String()).Wants(http.StatusOK)
	})
}

func TestChangeAndRemoveMembers(t *testing.T) {
	apptest.CompanyEachWay(t, func(t *testing.T, s *apptest.Company, options ...apptest.Option) {
		admin, member := s.AddMember("the.admin", "Admin"), s.AddMember("the.member", "Member")
		path := "/o/acme/members/" + s.Membership("the.member").ID.String()
		admin.Get("/o/acme/members").Wants(http.StatusOK).Says("the.member@example.com")
		sets := func(v *apptest.Visitor, of, role string) *apptest.Answer {
			t.Helper()
			return v.Post("/o/acme/members/"+s.Membership(of).ID.String()+"/role", apptest.Fill("role", s.Role(role).ID.String()), options...)
		}
		a := sets(admin, "the.member", "Admin")
		if len(options) == 0 {
			a.LeadsTo("/o/acme/members")
		} else {
			a.Wants(http.StatusOK).Fragment("li").Says("Role changed")
			if got := a.Text("option[selected]"); got != "Admin" {
				t.Errorf("the row shows %q", got)
			}
		}
		member.Get("/o/acme/invitations").Wants(http.StatusOK) // at once
		sets(s.Owner, "the.member", "Member")
		member.Get("/o/acme/invitations").Wants(http.StatusForbidden)
		sets(admin, "the.member", "Owner").Wants(http.StatusForbidden)
		sets(admin, "anna.smith", "Member").Wants(http.StatusForbidden)
		sets(s.Owner, "anna.smith", "Admin").Wants(http.StatusConflict).Says("An organization needs an owner").Says("Make someone else an owner first")
		s.Owner.Post(path+"/role", apptest.Fill("role", "nonsense"), options...).Wants(http.StatusNotFound)
		s.Owner.Post("/o/acme/members/nonsense/role", apptest.Fill("role", s.Role("Admin").ID.String()), options...).Wants(http.StatusNotFound)
		admin.Post("/o/acme/members/"+s.First.ID.String()+"/remove", nil, options...).Wants(http.StatusForbidden)

		if a := admin.Post(path+"/remove", nil, options...); len(options) == 0 {
			a.LeadsTo("/o/acme/members")
		} else {
			a.Wants(http.StatusOK).Says("Member removed")
		}
		member.Get("/o/acme").Wants(http.StatusNotFound)
		admin.Post(path+"/remove", nil, options...).Wants(http.StatusNotFound)

		admin.Submit(admin.Get("/o/acme/members"), `form[action$="/leave"]`, nil, options...).LeadsTo("/organizations")
		admin.Get("/organizations").Says("You've left the organization")
		admin.Get("/o/acme").Wants(http.StatusNotFound)
		s.Owner.Post("/o/acme/leave", nil, options...).Wants(http.StatusConflict).Says("An organization needs an owner").Says("Make someone else an owner first")
		s.Owner.Post("/o/acme/members/"+s.First.ID.String()+"/remove", nil, options...).Wants(http.StatusConflict)
		s.Owner.Get("/o/acme").Wants(http.StatusOK)
	})
}
