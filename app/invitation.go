package app

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type invitationForm struct {
	Token string `form:"token"`
}

// invitationData is what the page of an invitation shows.
type invitationData struct {
	*models.Invitation
	SignIn, SignUp string // the way back from there leads here
}

// showInvitation shows what the link from a mail is about. A stranger signs in or
// up first, and comes back here.
func (a *App) showInvitation(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	i, ok := a.invitation(c, c.Query("token"))
	if !ok {
		return
	}
	here := "/invitation?" + url.Values{"token": {c.Query("token")}}.Encode()
	data := invitationData{i, withNext("/sign-in", here), withNext("/sign-up", here) + "&" + url.Values{"email": {i.Email}}.Encode()}
	a.render(c, http.StatusOK, "invitation", forms.New(&invitationForm{Token: c.Query("token")}), data)
}

func (a *App) acceptInvitation(c *gin.Context) {
	in := new(invitationForm)
	if !a.bind(c, forms.New(in)) {
		return
	}
	here := "/invitation?" + url.Values{"token": {in.Token}}.Encode()
	user := current(c).User
	if user == nil {
		a.redirect(c, withNext("/sign-in", here))
		return
	}
	i, ok := a.invitation(c, in.Token)
	if !ok {
		return
	}
	err := a.db.AcceptInvitation(c.Request.Context(), i, user)
	switch {
	case errors.Is(err, models.ErrNotAllowed):
		a.redirect(c, here) // which says why
	case errors.Is(err, models.ErrNotFound):
		a.fail(c, http.StatusGone)
	case err != nil:
		a.error(c, err)
	default:
		if !user.Verified() {
			a.record(c, models.EventEmailConfirmed, user)
		}
		a.recordIn(c, i.OrganizationID, models.EventMemberJoined, user)
		a.flash(c, "joined")
		a.redirect(c, "/o/"+i.Organization.Slug)
	}
}

// invitation finds the invitation of a link. It answers the request itself, and
// returns false, when that was used, taken back, is too old or wrong.
func (a *App) invitation(c *gin.Context, secret string) (*models.Invitation, bool) {
	i, err := a.db.InvitationBySecret(c.Request.Context(), secret)
	switch {
	case errors.Is(err, models.ErrNotFound):
		a.fail(c, http.StatusGone)
		return nil, false
	case err != nil:
		a.error(c, err)
		return nil, false
	}
	return i, true
}
