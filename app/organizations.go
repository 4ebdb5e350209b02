package app

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/gosimple/slug"

	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/models"
)

type organizationForm struct {
	Name string `form:"name" label:"Name" noun:"the organization's name" autocomplete:"organization" validate:"required,max=60,wording"`
	Slug string `form:"slug" label:"Address" noun:"the organization's address" autocomplete:"off" hint:"What stands in its links, after /o/. It stays when the name changes." validate:"max=40,slug"`
}

// reserved are addresses that could be taken for the site's own, as could its name.
var reserved = []string{
	"about", "account", "admin", "api", "app", "assets", "auth", "billing", "blog", "contact", "dashboard", "dev",
	"docs", "help", "invitation", "legal", "mail", "new", "o", "official", "organization", "organizations",
	"password", "pricing", "privacy", "root", "security", "settings", "sign-in", "sign-out", "sign-up", "static",
	"status", "support", "system", "team", "terms", "www",
}

// Check proposes an address where none was typed.
func (in *organizationForm) Check(f *forms.Form) {
	if in.Slug == "" {
		in.Slug = proposeSlug(in.Name)
	}
	switch {
	case in.Slug == "" && in.Name != "":
		f.Fail("slug", "Enter the organization's address.")
	case slices.Contains(reserved, in.Slug), slices.ContainsFunc(password.SiteWords, func(word string) bool { return slug.Make(word) == in.Slug }):
		f.Fail("slug", "This address is reserved. Choose another.")
	}
}

// proposeSlug makes an address of a name in any script.
func proposeSlug(name string) string {
	s := slug.Make(name)
	if len(s) > 40 {
		s = slug.Make(s[:40])
	}
	return s
}

const takenSlug = "There is already an organization at this address."

func newOrganizationForm() (*organizationForm, *forms.Form) {
	in := new(organizationForm)
	form := forms.New(in)
	form.CheckURL = "/organizations/check"
	return in, form
}

func (a *App) showOrganizations(c *gin.Context) {
	_, form := newOrganizationForm()
	a.renderOrganizations(c, http.StatusOK, form)
}

func (a *App) createOrganization(c *gin.Context) {
	in, form := newOrganizationForm()
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.renderOrganizations(c, http.StatusUnprocessableEntity, form)
		return
	}
	foundings := perIP(c, "organizations", a.config.LimitSignUp)
	if a.limitedOn(c, form, a.renderOrganizations, foundings) {
		return
	}
	o := &models.Organization{Name: in.Name, Slug: in.Slug}
	err := a.db.CreateOrganization(c.Request.Context(), o, current(c).User)
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail(failed.Field, takenSlug)
		a.renderOrganizations(c, http.StatusUnprocessableEntity, form)
		return
	}
	if err != nil {
		a.refund(c, foundings)
		a.error(c, err)
		return
	}
	a.recordIn(c, o.ID, models.EventOrganizationCreated, current(c).User)
	a.flash(c, "organization-created")
	a.redirect(c, "/o/"+o.Slug)
}

// checkOrganization checks one field as the person leaves it. After the name it
// proposes the address, unless one was typed.
func (a *App) checkOrganization(c *gin.Context) {
	in, form := newOrganizationForm()
	if !a.bind(c, form) {
		return
	}
	if err := a.attempt(c, a.enumerationLimit(c)); err != nil {
		a.error(c, err)
		return
	}
	if good := form.ValidValue("slug"); good != "" {
		taken, err := a.db.SlugTaken(c.Request.Context(), good)
		if err != nil {
			a.error(c, err)
			return
		}
		if taken {
			form.Fail("slug", takenSlug)
		}
	}
	fields := form.Refresh(c.Query("field"))
	if c.Query("field") == "name" && c.PostForm("slug") == "" && in.Slug != "" {
		proposed := form.Refresh("slug")[0]
		proposed.OOB = true
		fields = append(fields, proposed)
	}
	a.checkFields(c, "organizations", fields)
}

func (a *App) renderOrganizations(c *gin.Context, status int, form *forms.Form) {
	memberships, err := a.db.Memberships(c.Request.Context(), current(c).User.ID)
	if err != nil {
		a.error(c, err)
		return
	}
	a.render(c, status, "organizations", form, memberships)
}
