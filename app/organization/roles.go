package organization

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type roleForm struct {
	Name        string   `form:"name" label:"Name" noun:"the role's name" autocomplete:"off" validate:"required,max=40"`
	Permissions []string `form:"permissions" label:"It allows to" type:"choices"`
}

func newRoleForm(c *gin.Context, r *models.Role) (*roleForm, *forms.Form) {
	in := &roleForm{Name: r.Name}
	for _, p := range r.Permissions {
		in.Permissions = append(in.Permissions, string(p))
	}
	form := forms.New(in)
	form.CheckURL = web.Within(c, "/roles/check")
	var options []forms.Option
	for _, p := range models.Permissions {
		options = append(options, forms.Option{Value: string(p.Permission), Label: p.Label})
	}
	form.Offer("permissions", options)
	return in, form
}

func (in *roleForm) permissions() []models.Permission {
	allowed := []models.Permission{}
	for _, p := range in.Permissions {
		allowed = append(allowed, models.Permission(p))
	}
	slices.Sort(allowed)
	return slices.Compact(allowed)
}

func (h Handlers) ShowRoles(c *gin.Context) error {
	_, form := newRoleForm(c, new(models.Role))
	return h.renderRoles(c, http.StatusOK, form)
}

func (h Handlers) renderRoles(c *gin.Context, status int, form *forms.Form) error {
	roles, err := h.DB.Roles(c.Request.Context(), web.Current(c).Member.OrganizationID)
	if err != nil {
		return err
	}
	return h.Render(c, status, "roles", form, roles)
}

func (h Handlers) CreateRole(c *gin.Context) error {
	in, form := newRoleForm(c, new(models.Role))
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if form.Valid() {
		err := h.DB.CreateRole(c.Request.Context(), web.Current(c).Member, in.Name, in.permissions())
		if err == nil {
			h.Record(c, models.EventRoleCreated, nil)
			return h.RedirectWith(c, "saved", web.Within(c, "/roles"))
		}
		if !failRole(form, err) {
			return err
		}
	}
	return h.renderRoles(c, http.StatusUnprocessableEntity, form)
}

// failRole notes in form that the name is taken, or that there are too many. It
// returns false for another error.
func failRole(form *forms.Form, err error) bool {
	if errors.Is(err, models.ErrTooManyRoles) {
		form.Error = fmt.Sprintf("An organization may have %d roles of its own.", models.MaxRoles)
		return true
	}
	failed := new(models.TakenError)
	if !errors.As(err, &failed) {
		return false
	}
	form.Fail("name", "There is already a role of this name.")
	return true
}

func (h Handlers) ShowRole(c *gin.Context) error {
	r, err := h.role(c)
	if err != nil {
		return err
	}
	_, form := newRoleForm(c, r)
	return h.Render(c, http.StatusOK, "role", form, r)
}

// role finds the role in the path. It returns models.ErrNotFound unless the owners
// made it.
func (h Handlers) role(c *gin.Context) (*models.Role, error) {
	r, err := h.DB.RoleByID(c.Request.Context(), web.Current(c).Member.OrganizationID, web.ID(c))
	if err == nil && r.Kind != models.RoleCustom {
		err = models.ErrNotFound
	}
	return r, err
}

func (h Handlers) SaveRole(c *gin.Context) error {
	r, err := h.role(c)
	if err != nil {
		return err
	}
	in, form := newRoleForm(c, r)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if form.Valid() {
		changed := in.Name != r.Name || !slices.Equal(in.permissions(), r.Permissions) // else there is nothing to do, nor to record
		if changed {
			err = h.DB.UpdateRole(c.Request.Context(), web.Current(c).Member, r.ID, in.Name, in.permissions())
		}
		if err == nil {
			if changed {
				h.Record(c, models.EventRoleChanged, nil)
			}
			return h.RedirectWith(c, "saved", web.Within(c, "/roles"))
		}
		if !failRole(form, err) {
			return err
		}
	}
	return h.Render(c, http.StatusUnprocessableEntity, "role", form, r)
}

// CheckRole checks one field as the person leaves it.
func (h Handlers) CheckRole(c *gin.Context) error {
	_, form := newRoleForm(c, new(models.Role))
	if err := web.Bind(c, form); err != nil {
		return err
	}
	return h.CheckField(c, "roles", form)
}

func (h Handlers) DeleteRole(c *gin.Context) error {
	if err := h.DB.DeleteRole(c.Request.Context(), web.Current(c).Member, web.ID(c)); err != nil {
		return err
	}
	h.Record(c, models.EventRoleDeleted, nil)
	return h.RedirectWith(c, "role-deleted", web.Within(c, "/roles"))
}
