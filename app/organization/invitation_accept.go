package organization

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
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

// ShowInvitation shows what the link from a mail is about. A stranger signs in or
// up first, and comes back here.
func (h Handlers) ShowInvitation(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	i, err := h.invitation(c, c.Query("token"))
	if err != nil {
		return err
	}
	here := "/invitation?" + url.Values{"token": {c.Query("token")}}.Encode()
	data := invitationData{i, web.WithNext("/sign-in", here), web.WithNext("/sign-up", here) + "&" + url.Values{"email": {i.Email}}.Encode()}
	return h.Render(c, http.StatusOK, "invitation", forms.New(&invitationForm{Token: c.Query("token")}), data)
}

func (h Handlers) AcceptInvitation(c *gin.Context) error {
	in := new(invitationForm)
	if err := web.Bind(c, forms.New(in)); err != nil {
		return err
	}
	here := "/invitation?" + url.Values{"token": {in.Token}}.Encode()
	user := web.Current(c).User
	if user == nil {
		return web.Redirect(c, web.WithNext("/sign-in", here))
	}
	i, err := h.invitation(c, in.Token)
	if err != nil {
		return err
	}
	err = h.DB.AcceptInvitation(c.Request.Context(), i, user)
	switch {
	case errors.Is(err, models.ErrNotAllowed):
		return web.Redirect(c, here) // which says why
	case errors.Is(err, models.ErrNotFound):
		return web.Fail(http.StatusGone)
	case err != nil:
		return err
	default:
		if !user.Verified() {
			h.Record(c, models.EventEmailConfirmed, user)
		}
		h.RecordIn(c, i.OrganizationID, models.EventMemberJoined, user)
		return h.RedirectWith(c, "joined", "/o/"+i.Organization.Slug)
	}
}

// invitation finds the invitation of a link. It returns a [web.Refusal] when that
// was used or revoked, has expired or is wrong.
func (h Handlers) invitation(c *gin.Context, secret string) (*models.Invitation, error) {
	i, err := h.DB.InvitationBySecret(c.Request.Context(), secret)
	if errors.Is(err, models.ErrNotFound) {
		err = web.Fail(http.StatusGone)
	}
	return i, err
}
