package organization

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/layouts"
	view "vestibule/templates/organization"
)

// reserved are addresses that look like the site's own. The site's name is one too.
var reserved = []string{
	"about", "account", "admin", "api", "app", "assets", "auth", "billing", "blog", "contact", "dashboard", "dev",
	"docs", "help", "invitation", "legal", "mail", "new", "o", "official", "organization", "organizations",
	"password", "pricing", "privacy", "root", "security", "settings", "sign-in", "sign-out", "sign-up", "static",
	"status", "support", "system", "team", "terms", "www",
}

// maxSlug is the length of an address.
const maxSlug = 40

const takenSlug = "There's already an organization at this address."

var tooManyOrganizations = fmt.Sprintf("You can own up to %d organizations and be a member of %d. Leave or delete one first.", models.MaxOwned, models.MaxMemberships)

func newCreate() *view.Create {
	form := forms.New(new(view.Create))
	form.CheckURL = "/organizations/check"
	form.Check = func() {
		if form.Slug == "" {
			form.Slug = text.Slug(form.Name, maxSlug)
		}
		switch {
		case form.Slug == "" && form.Name != "":
			form.Fail("slug", "Enter the organization's address.")
		case slices.Contains(reserved, form.Slug), slices.ContainsFunc(password.SiteWords, func(word string) bool { return text.Slug(word, maxSlug) == form.Slug }):
			form.Fail("slug", "This address is reserved. Choose another.")
		}
	}
	return form
}

// ShowOrganizations shows the user's organizations, and the form of a new one.
func (h Handlers) ShowOrganizations(c *gin.Context) error {
	return h.renderOrganizations(c, http.StatusOK, newCreate())
}

// CreateOrganization stores an organization that the user owns.
func (h Handlers) CreateOrganization(c *gin.Context) error {
	form := newCreate()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderOrganizations(c, http.StatusUnprocessableEntity, form)
	}
	attempt := web.PerIP(c, "organizations", h.Config.LimitSignUp)
	if limited, err := h.Limited(c, &form.Form, attempt); err != nil {
		return err
	} else if limited {
		return h.renderOrganizations(c, http.StatusTooManyRequests, form)
	}
	o := &models.Organization{Name: form.Name, Slug: form.Slug}
	user := web.Current(c).User
	err := h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		if err := tx.CreateOrganization(c.Request.Context(), o, user); err != nil {
			return err
		}
		return web.RecordDetail(c, tx, o.ID, models.EventOrganizationCreated, user, models.EventDetail{Organization: o.Name})
	})
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail(failed.Field, takenSlug)
		return h.renderOrganizations(c, http.StatusUnprocessableEntity, form)
	}
	if web.Full(&form.Form, err, tooManyOrganizations) {
		h.Refund(c, attempt)
		return h.renderOrganizations(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		h.Refund(c, attempt)
		return err
	}
	return h.RedirectWith(c, "organization-created", layouts.OrganizationPath(o, ""))
}

// CheckOrganization checks one field as the user leaves it. After the name it proposes
// an address, unless one was typed.
func (h Handlers) CheckOrganization(c *gin.Context) error {
	form := newCreate()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if err := h.Attempt(c, h.EnumerationLimit(c)); err != nil {
		return err
	}
	if good := form.ValidValue("slug"); good != "" {
		taken, err := h.DB.SlugTaken(c.Request.Context(), good)
		if err != nil {
			return err
		}
		if taken {
			form.Fail("slug", takenSlug)
		}
	}
	fields := form.Refresh(c.Query("field"))
	if c.Query("field") == "name" && c.PostForm("slug") == "" && form.Slug != "" {
		proposed := form.Refresh("slug")[0]
		proposed.OOB = true
		fields = append(fields, proposed)
	}
	return web.CheckFields(c, fields)
}

func (h Handlers) renderOrganizations(c *gin.Context, status int, form *view.Create) error {
	memberships, err := h.DB.Memberships(c.Request.Context(), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.OrganizationsPage(f, form, memberships), view.CreateForm(form))
}
