// Package organization has the pages of organizations: members, invitations, roles and
// settings.
package organization

import (
	"strings"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/web"
	"vestibule/models"
)

// Handlers answers the requests of this package's pages.
type Handlers struct{ *web.Kit }

func (h Handlers) auth() auth.Handlers { return auth.Handlers{Kit: h.Kit} }

// MembersOnly is middleware for the pages of an organization. It finds the user's
// membership in one query. Everyone else gets 404.
func (h Handlers) MembersOnly(c *gin.Context) error {
	if strings.ContainsRune(c.Param("slug"), 0) { // PostgreSQL refuses such text
		return models.ErrNotFound
	}
	m, err := h.DB.MembershipBySlug(c.Request.Context(), c.Param("slug"), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	web.Current(c).Member = m
	return nil
}

// SecondFactorOnly is middleware for the pages of an organization that may require a second
// factor. Before the organization does, pages tell members who have none. Put it after
// MembersOnly.
func (h Handlers) SecondFactorOnly(c *gin.Context) error {
	r := web.Current(c)
	o := r.Member.Organization
	switch {
	case o.RequiresSecondFactor():
		return h.auth().RequireSecondFactor(c, o)
	case o.SecondFactorFrom.IsZero() || r.Operator == nil && r.Session.HasSecondFactor(true):
		return nil
	}
	factors, err := h.Factors(c.Request.Context(), r.User)
	if err == nil && !factors.HasSecond() {
		r.SecondFactorDue = o.SecondFactorFrom
	}
	return err
}
