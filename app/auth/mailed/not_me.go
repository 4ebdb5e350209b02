package mailed

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// ShowNotMe shows what a mailed notice told, and what the button undoes. Once that was
// pressed, it shows what was undone.
func (h Handlers) ShowNotMe(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	form := forms.New(&view.NotMe{Token: c.Query("token")})
	token, err := h.reportToken(c, form.Token)
	if err != nil {
		return err
	}
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.NotMePage(f, form, token), view.NotMeForm(form, token))
}

// reportToken returns the token of a notice's link, or a [web.Refusal] if its holder has no
// say any more.
func (h Handlers) reportToken(c *gin.Context, secret string) (*models.Token, error) {
	token, err := h.linkToken(c, secret, models.ReportChange)
	if err != nil {
		return nil, err
	}
	may, err := h.DB.MayReport(c.Request.Context(), token)
	if err == nil && !may {
		err = goneLink(c, models.ReportChange)
	}
	return token, err
}

// NotMe undoes the change and locks everybody out, whoever holds the link: it proves only
// that they read mail at the address, which is what the way back in takes.
func (h Handlers) NotMe(c *gin.Context) error {
	form := forms.New(new(view.NotMe))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	token, err := h.reportToken(c, form.Token)
	if err != nil {
		return err
	}
	err = h.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		undone, again, err := tx.ReportChange(c.Request.Context(), token)
		if err != nil || again {
			return err
		}
		return recordReport(c, tx, token.User, undone)
	})
	switch {
	case errors.Is(err, models.ErrNotFound):
		return goneLink(c, models.ReportChange)
	case errors.As(err, new(*models.TakenError)):
		return web.Refuse(http.StatusConflict, "This email address is taken", "Another account now uses the email address, so nothing was changed. Please contact the site's administrator.")
	case err != nil:
		return err
	}
	if r := web.Current(c); r.User != nil && r.User.ID == token.UserID {
		h.ClearSessionCookie(c)
	}
	return web.Redirect(c, view.NotMePath(form.Token))
}

// recordReport records a report, and what it has undone as if the user had done that.
func recordReport(c *gin.Context, tx *models.DB, user *models.User, undone *models.Undone) error {
	kinds := []string{models.EventChangeReported}
	if undone.Passkeys > 0 {
		kinds = append(kinds, models.EventPasskeyRemoved)
	}
	if undone.Apps > 0 {
		kinds = append(kinds, models.EventAuthenticatorRemoved)
	}
	if undone.Connections > 0 {
		kinds = append(kinds, models.EventConnectionRemoved)
	}
	if undone.Recovery {
		kinds = append(kinds, models.EventRecoveryCanceled)
	}
	for _, kind := range kinds {
		if err := auth.RecordOwn(c, tx, kind, user, models.EventDetail{}); err != nil {
			return err
		}
	}
	if undone.EmailFrom == "" {
		return nil
	}
	return auth.RecordOwn(c, tx, models.EventEmailConfirmed, user, models.EventDetail{Email: undone.Email, EmailFrom: undone.EmailFrom})
}
