// Package layouts draws what the pages of the site share around their content.
package layouts

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"vestibule/models"
	"vestibule/templates/components"
)

// Frame is what the layout of every page shows.
type Frame struct {
	Status int                // of the answer
	Path   string             // of the page
	User   *models.User       // nil for a stranger
	Member *models.Membership // the User's membership of the page's organization; nil on other pages

	Theme string // "light", "dark" or empty for the system's
	Toast components.Message
	Next  string // where sign-in leads

	SecondFactorDue time.Time        // when Member's organization begins to require the second factor that User lacks; zero if never
	Recovery        *models.Recovery // of User; nil if there is none
	Connections     bool             // the site has providers
	SignUp          bool             // people can sign up without an invitation
	Operates        bool             // the operator's pages are there for User

	Impersonation *models.Impersonation // of User by an operator; nil if there is none
	ReadOnly      bool                  // it changes nothing

	DeletedAt time.Time // when User is deleted unless they confirm their address; zero if never
}

// In reports whether the page is at path or below it.
func (f Frame) In(path string) bool {
	return f.Path == path || strings.HasPrefix(f.Path, path+"/")
}

// current returns the aria-current of a link to path, which is "true" on pages
// that are at or below one of under.
func (f Frame) current(path string, under []string) string {
	if f.Path == path {
		return "page"
	}
	for _, path := range under {
		if f.In(path) {
			return "true"
		}
	}
	return ""
}

// switcherPath is the path of the organizations to switch between.
func (f Frame) switcherPath() string {
	if f.Member == nil {
		return "/organizations/switcher"
	}
	return "/organizations/switcher?" + url.Values{"current": {f.Member.Organization.Slug}}.Encode()
}

// Title adds "Error: " to the title of a page whose form was refused, so that screen
// readers say it first (GOV.UK Design System, error summary).
func (f Frame) Title(title string) string {
	if f.Status == http.StatusUnprocessableEntity || f.Status == http.StatusTooManyRequests {
		return "Error: " + title
	}
	return title
}

// Within is the path of a page of the organization in use.
func (f Frame) Within(path string) string { return OrganizationPath(f.Member.Organization, path) }

// OrganizationPath returns the path of a page of o.
func OrganizationPath(o *models.Organization, path string) string { return "/o/" + o.Slug + path }

// May reports whether the User's role in the organization in use allows p.
func (f Frame) May(p models.Permission) bool { return f.Member.Role.May(p) }

// WithNext adds to a path of sign-in or sign-up where it leads.
func (f Frame) WithNext(path string) string { return WithNext(path, f.Next) }

// Home is where a signed-in person goes who asked for nothing else.
const Home = "/dashboard"

// WithNext adds to path the page that sign-in leads to.
func WithNext(path, next string) string {
	if next == "" || next == Home {
		return path
	}
	return path + "?" + url.Values{"next": {next}}.Encode()
}
