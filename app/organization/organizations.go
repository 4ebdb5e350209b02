package organization

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/gosimple/slug"

	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/app/web"
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

func (h Handlers) ShowOrganizations(c *gin.Context) error {
	_, form := newOrganizationForm()
	return h.renderOrganizations(c, http.StatusOK, form)
}

func (h Handlers) CreateOrganization(c *gin.Context) error {
	in, form := newOrganizationForm()
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderOrganizations(c, http.StatusUnprocessableEntity, form)
	}
	foundings := web.PerIP(c, "organizations", h.Config.LimitSignUp)
	if limited, err := h.Limited(c, form, foundings); err != nil {
		return err
	} else if limited {
		return h.renderOrganizations(c, http.StatusTooManyRequests, form)
	}
	o := &models.Organization{Name: in.Name, Slug: in.Slug}
	err := h.DB.CreateOrganization(c.Request.Context(), o, web.Current(c).User)
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail(failed.Field, takenSlug)
		return h.renderOrganizations(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		h.Refund(c, foundings)
		return err
	}
	h.RecordIn(c, o.ID, models.EventOrganizationCreated, web.Current(c).User)
	return h.RedirectWith(c, "organization-created", "/o/"+o.Slug)
}

// CheckOrganization checks one field as the person leaves it. After the name it
// proposes the address, unless one was typed.
func (h Handlers) CheckOrganization(c *gin.Context) error {
	in, form := newOrganizationForm()
	if err := web.Bind(c, form); err != nil {
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
	if c.Query("field") == "name" && c.PostForm("slug") == "" && in.Slug != "" {
		proposed := form.Refresh("slug")[0]
		proposed.OOB = true
		fields = append(fields, proposed)
	}
	return h.CheckFields(c, "organizations", fields)
}

func (h Handlers) renderOrganizations(c *gin.Context, status int, form *forms.Form) error {
	memberships, err := h.DB.Memberships(c.Request.Context(), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	return h.Render(c, status, "organizations", form, memberships)
}
