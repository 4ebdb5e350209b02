package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/components"
)

// mailAction is what an admin does to a mail: on a page of its own, with a reason.
type mailAction struct {
	view.MailAction
	kind, toast string
	fits        func(view.MailRow) bool
	act         func(ctx context.Context, tx *models.DB, id uuid.UUID) error
}

// mailActions lists what admins do to mail.
func mailActions() []mailAction {
	return []mailAction{
		{view.MailAction{Name: "retry", Title: "Send the mail now", Button: "Send now", Means: "It's due at once, instead of at the next attempt. If it's being sent at this moment, it may arrive twice."},
			models.EventMailRetried, "mail-retried", func(m view.MailRow) bool { return !m.Failed() },
			func(ctx context.Context, tx *models.DB, id uuid.UUID) error { return tx.HurryMail(ctx, id) }},
		{view.MailAction{Name: "drop", Title: "Drop the mail", Button: "Drop mail", Grave: true, Means: "Nobody gets it any more. If it's being sent at this moment, it may still arrive. This can't be undone."},
			models.EventMailDropped, "mail-dropped", func(view.MailRow) bool { return true },
			func(ctx context.Context, tx *models.DB, id uuid.UUID) error { return tx.DropMail(ctx, id) }},
	}
}

// MailRoutes adds the actions on a mail to the operator's pages, for admins.
func (h Handlers) MailRoutes(operators web.Routes) {
	h.AddToasts(components.Good, map[string]string{"mail-retried": "Mail due now", "mail-dropped": "Mail dropped"})
	admins := operators.Group("/mail/:id", h.AdminsOnly)
	for _, a := range mailActions() {
		admins.GET("/"+a.Name, func(c *gin.Context) error { return h.actOnMail(c, a) })
		admins.POST("/"+a.Name, func(c *gin.Context) error { return h.actOnMail(c, a) })
	}
}

// actOnMail asks for the reason of an action or, with a reason, takes the action and records
// it in one transaction.
func (h Handlers) actOnMail(c *gin.Context, a mailAction) error {
	ctx := c.Request.Context()
	operator := web.Current(c).User
	row, _, err := h.mailByID(ctx, h.DB, web.ID(c))
	if err != nil {
		return err
	}
	if row.User != nil {
		if err := mayAct(operator, row.User); err != nil {
			return err
		}
	}
	if !a.fits(row) {
		return models.ErrNotFound
	}
	about := view.Reasoned{Title: a.Title, About: components.MailLabel(row.Kind) + " to " + text.ShowEmail(row.Recipient), Means: a.Means, Button: a.Button, Grave: a.Grave,
		Path: view.MailPath(row.ID, a.Name), Back: view.MailPath(row.ID, ""), BackTo: "the mail"}
	err = h.withReason(c, about, a.toast, "/admin/mail", func(tx *models.DB, reason string) error {
		if err := a.act(ctx, tx, row.ID); err != nil {
			return err
		}
		return h.record(c, tx, a.kind, row.User, models.EventDetail{Mail: row.Kind, Reason: reason})
	})
	if errors.Is(err, models.ErrNotFound) { // it was sent in the meantime
		return web.Fail(http.StatusConflict)
	}
	return err
}
