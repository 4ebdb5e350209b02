package app

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// membersOnly is middleware for the pages of an organization. It finds the
// person's place in it, in one query; for everybody else there is no such page.
func (a *App) membersOnly(c *gin.Context) {
	if strings.ContainsRune(c.Param("slug"), 0) { // PostgreSQL takes no such text
		a.notFound(c)
		return
	}
	m, err := a.db.MembershipBySlug(c.Request.Context(), c.Param("slug"), current(c).User.ID)
	if err != nil {
		a.error(c, err)
		return
	}
	current(c).Member = m
}

// require is middleware for what takes a permission. It goes behind membersOnly.
func (a *App) require(p models.Permission) gin.HandlerFunc {
	return func(c *gin.Context) {
		if !current(c).Member.Role.May(p) {
			a.notAllowed(c)
		}
	}
}

func (a *App) notAllowed(c *gin.Context) {
	a.refuse(c, http.StatusForbidden, "Not for your role", "Your role in this organization does not allow this. Ask one of its owners.")
}

// lastOwnerSentence says what the last owner of an organization is to do first.
const lastOwnerSentence = "This is its last owner. Make somebody else an owner first, or delete the organization."

// within is the path of a page of the organization in use.
func within(c *gin.Context, path string) string { return organizationPath(current(c).Member, path) }

func organizationPath(m *models.Membership, path string) string {
	return "/o/" + m.Organization.Slug + path
}

// Within is the path of a page of the organization in use.
func (v view) Within(path string) string { return organizationPath(v.Member, path) }

// May tells whether the person's role in the organization in use allows p. A
// permission that there is not stops the template, and so shows in every test of
// the page.
func (v view) May(p models.Permission) (bool, error) {
	if !p.Known() {
		return false, errors.New("there is no permission " + string(p))
	}
	return v.Member.Role.May(p), nil
}

// id is the one in a request's path, or the zero id, which no row has.
func id(c *gin.Context) uuid.UUID {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return uuid.Nil
	}
	return id
}

func (a *App) showOrganization(c *gin.Context) { a.render(c, http.StatusOK, "organization", nil, nil) }

func (a *App) leaveOrganization(c *gin.Context) {
	if !a.mayMoveOwners(c, current(c).Member.Role) {
		return
	}
	if err := a.db.Leave(c.Request.Context(), current(c).Member); err != nil {
		a.error(c, err)
		return
	}
	a.record(c, models.EventMemberLeft, current(c).User)
	a.flash(c, "left")
	a.redirect(c, "/organizations")
}
