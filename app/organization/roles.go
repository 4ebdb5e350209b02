package organization

import (
	"errors"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

func newRole(c *gin.Context, r *models.Role) *view.Role {
	form := forms.New(&view.Role{Name: r.Name})
	form.CheckURL = web.Within(c, "/roles/check")
	for _, p := range r.Permissions {
		form.Permissions = append(form.Permissions, string(p))
	}
	var options []forms.Option
	for _, p := range models.Permissions {
		options = append(options, forms.Option{Value: string(p.Permission), Label: p.Label})
	}
	form.Offer(&form.Permissions, options)
	return form
}

// chosen returns the permissions that form holds, sorted.
func chosen(form *view.Role) []models.Permission {
	permissions := []models.Permission{}
	for _, p := range form.Permissions {
		permissions = append(permissions, models.Permission(p))
	}
	slices.Sort(permissions)
	return slices.Compact(permissions)
}

// ShowRoles shows the roles of an organization, and the form of a new one.
func (h Handlers) ShowRoles(c *gin.Context) error {
	return h.renderRoles(c, http.StatusOK, newRole(c, new(models.Role)))
}

func (h Handlers) renderRoles(c *gin.Context, status int, form *view.Role) error {
	roles, err := h.DB.Roles(c.Request.Context(), web.Current(c).Member.OrganizationID)
	if err != nil {
		return err
	}
	f := h.Frame(c, status)
	return web.Render(c, f, view.RolesPage(f, form, roles), view.CreateRoleForm(f, form))
}

// CreateRole stores a custom role of the organization.
func (h Handlers) CreateRole(c *gin.Context) error {
	form := newRole(c, new(models.Role))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if form.Valid() {
		err := h.AuditedDetail(c, models.EventRoleCreated, nil, &models.EventDetail{Role: form.Name}, func(tx *models.DB) error {
			return tx.CreateRole(c.Request.Context(), web.Current(c).Member, form.Name, chosen(form))
		})
		if err == nil {
			return h.RedirectWith(c, "role-created", web.Within(c, "/roles"))
		}
		if !failRole(&form.Form, err) {
			return err
		}
	}
	return h.renderRoles(c, http.StatusUnprocessableEntity, form)
}

// failRole sets an error in form if the name is taken or there are too many roles. It
// returns false for any other error.
func failRole(form *forms.Form, err error) bool {
	if web.Full(form, err, "An organization can have up to %s custom roles.") {
		return true
	}
	failed := new(models.TakenError)
	if !errors.As(err, &failed) {
		return false
	}
	form.Fail("name", "There's already a role with this name.")
	return true
}

// ShowRole shows the form that changes a role.
func (h Handlers) ShowRole(c *gin.Context) error {
	r, err := h.role(c)
	if err != nil {
		return err
	}
	form := newRole(c, r)
	return h.renderRole(c, http.StatusOK, form, r)
}

func (h Handlers) renderRole(c *gin.Context, status int, form *view.Role, r *models.Role) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.RolePage(f, form, r.Name), view.RoleForm(f, form))
}

// role returns the custom role in the path, or models.ErrNotFound.
func (h Handlers) role(c *gin.Context) (*models.Role, error) {
	r, err := h.DB.RoleByID(c.Request.Context(), web.Current(c).Member.OrganizationID, web.ID(c))
	if err == nil && r.Kind != models.RoleCustom {
		err = models.ErrNotFound
	}
	return r, err
}

// SaveRole changes a role.
func (h Handlers) SaveRole(c *gin.Context) error {
	r, err := h.role(c)
	if err != nil {
		return err
	}
	form := newRole(c, r)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if form.Valid() {
		if form.Name != r.Name || !slices.Equal(chosen(form), r.Permissions) {
			detail := &models.EventDetail{Role: form.Name}
			if form.Name != r.Name {
				detail.RoleFrom = r.Name
			}
			err = h.AuditedDetail(c, models.EventRoleChanged, nil, detail, func(tx *models.DB) error {
				return tx.UpdateRole(c.Request.Context(), web.Current(c).Member, r.ID, form.Name, chosen(form))
			})
		}
		if err == nil {
			return h.RedirectWith(c, "role-saved", web.Within(c, "/roles"))
		}
		if !failRole(&form.Form, err) {
			return err
		}
	}
	return h.renderRole(c, http.StatusUnprocessableEntity, form, r)
}

// CheckRole checks one field as the user leaves it.
func (h Handlers) CheckRole(c *gin.Context) error {
	return web.CheckField(c, &newRole(c, new(models.Role)).Form)
}

// DeleteRole deletes a role. Its members get the Member role.
func (h Handlers) DeleteRole(c *gin.Context) error {
	r, err := h.role(c)
	if err != nil {
		return err
	}
	err = h.AuditedDetail(c, models.EventRoleDeleted, nil, &models.EventDetail{Role: r.Name}, func(tx *models.DB) error {
		return tx.DeleteRole(c.Request.Context(), web.Current(c).Member, web.ID(c))
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "role-deleted", web.Within(c, "/roles"))
}
