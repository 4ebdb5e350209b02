package app

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
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
	form.CheckURL = within(c, "/roles/check")
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

func (a *App) showRoles(c *gin.Context) {
	_, form := newRoleForm(c, new(models.Role))
	a.renderRoles(c, http.StatusOK, form)
}

func (a *App) renderRoles(c *gin.Context, status int, form *forms.Form) {
	roles, err := a.db.Roles(c.Request.Context(), current(c).Member.OrganizationID)
	if err != nil {
		a.error(c, err)
		return
	}
	a.render(c, status, "roles", form, roles)
}

func (a *App) createRole(c *gin.Context) {
	in, form := newRoleForm(c, new(models.Role))
	if !a.bind(c, form) {
		return
	}
	if form.Valid() {
		err := a.db.CreateRole(c.Request.Context(), current(c).Member, in.Name, in.permissions())
		if err == nil {
			a.record(c, models.EventRoleCreated, nil)
			a.flash(c, "saved")
			a.redirect(c, within(c, "/roles"))
			return
		}
		if !failRole(form, err) {
			a.error(c, err)
			return
		}
	}
	a.renderRoles(c, http.StatusUnprocessableEntity, form)
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

func (a *App) showRole(c *gin.Context) {
	r, ok := a.role(c)
	if !ok {
		return
	}
	_, form := newRoleForm(c, r)
	a.render(c, http.StatusOK, "role", form, r)
}

// role finds the role in the path, if it is one that owners made. It answers the
// request itself, and returns false, when it is not.
func (a *App) role(c *gin.Context) (*models.Role, bool) {
	r, err := a.db.RoleByID(c.Request.Context(), current(c).Member.OrganizationID, id(c))
	if err == nil && r.Kind != models.RoleCustom {
		err = models.ErrNotFound
	}
	if err != nil {
		a.error(c, err)
		return nil, false
	}
	return r, true
}

func (a *App) saveRole(c *gin.Context) {
	r, ok := a.role(c)
	if !ok {
		return
	}
	in, form := newRoleForm(c, r)
	if !a.bind(c, form) {
		return
	}
	if form.Valid() {
		changed := in.Name != r.Name || !slices.Equal(in.permissions(), r.Permissions) // else there is nothing to do, nor to record
		var err error
		if changed {
			err = a.db.UpdateRole(c.Request.Context(), current(c).Member, r.ID, in.Name, in.permissions())
		}
		if err == nil {
			if changed {
				a.record(c, models.EventRoleChanged, nil)
			}
			a.flash(c, "saved")
			a.redirect(c, within(c, "/roles"))
			return
		}
		if !failRole(form, err) {
			a.error(c, err)
			return
		}
	}
	a.render(c, http.StatusUnprocessableEntity, "role", form, r)
}

// checkRole checks one field as the person leaves it.
func (a *App) checkRole(c *gin.Context) {
	_, form := newRoleForm(c, new(models.Role))
	if a.bind(c, form) {
		a.checkField(c, "roles", form)
	}
}

func (a *App) deleteRole(c *gin.Context) {
	if err := a.db.DeleteRole(c.Request.Context(), current(c).Member, id(c)); err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventRoleDeleted, nil)
	a.flash(c, "role-deleted")
	a.redirect(c, within(c, "/roles"))
}
