package admin

import (
	"context"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
	"vestibule/templates/mail"
)

// Why mail that waits has no text, as "vestibule mail show" says it, too.
const (
	UnknownMail  = "This version doesn't know mail of this kind. A newer one queued it, and will send it."
	OrphanedMail = "Nobody is left to send it to, so it will be dropped."
)

// ShowMail lists the mail that waits, or that couldn't be delivered.
func (h Handlers) ShowMail(c *gin.Context) error {
	ctx, before := c.Request.Context(), web.PageStart(c, "before")
	mail := view.Mail{Path: c.Request.URL.Path, State: web.Choice(c, "state", view.MailStates())}
	var rows []view.MailRow
	if mail.State == view.MailFailed {
		refused, err := h.DB.RefusedMails(ctx, before, web.PageSize+1)
		if err != nil {
			return err
		}
		for _, m := range refused {
			rows = append(rows, refusedRow(&m))
		}
	} else {
		waiting, err := h.DB.Mails(ctx, before, web.PageSize+1)
		if err != nil {
			return err
		}
		for _, m := range waiting {
			rows = append(rows, waitingRow(&m))
		}
	}
	mail.List = web.NewList(c, "before", rows, func(m view.MailRow) uuid.UUID { return m.ID }, func(m view.MailRow) view.MailRow { return m }, mail.Query())
	f := h.Frame(c, http.StatusOK)
	return web.Render(c, f, view.MailPage(f, mail), view.MailFound(mail))
}

func waitingRow(m *models.Mail) view.MailRow {
	return view.MailRow{ID: m.ID, Kind: m.Kind, Recipient: m.Recipient, UserID: m.UserID, User: m.User, Attempts: m.Attempts, CreatedAt: m.CreatedAt, NextAt: m.NextAt}
}

func refusedRow(m *models.RefusedMail) view.MailRow {
	return view.MailRow{ID: m.ID, Kind: m.Kind, Recipient: m.Recipient, UserID: m.UserID, User: m.User, Attempts: m.Attempts, CreatedAt: m.CreatedAt, RefusedAt: m.RefusedAt, Reason: m.Reason}
}

// mailByID finds a mail that waits, or that couldn't be delivered. Of the latter, waiting is
// nil. The row has the user whom it is for, if there is one.
func (h Handlers) mailByID(ctx context.Context, db *models.DB, id uuid.UUID) (row view.MailRow, waiting *models.Mail, err error) {
	waiting, err = db.MailByID(ctx, id)
	switch {
	case err == nil:
		row = waitingRow(waiting)
	case errors.Is(err, models.ErrNotFound):
		refused, err := db.RefusedMailByID(ctx, id)
		if err != nil {
			return row, nil, err
		}
		waiting, row = nil, refusedRow(refused)
	default:
		return row, nil, err
	}
	if row.UserID == uuid.Nil { // some is queued without looking up the user
		row.User, err = db.UserByLogin(ctx, row.Recipient)
	} else {
		row.User, err = db.UserByID(ctx, row.UserID)
	}
	if errors.Is(err, models.ErrNotFound) {
		err = nil
	}
	return row, waiting, err
}

// ShowMessage shows one mail without its link and its code. It records that the operator
// looked at the person whom it is for.
func (h Handlers) ShowMessage(c *gin.Context) error {
	ctx := c.Request.Context()
	row, waiting, err := h.mailByID(ctx, h.DB, web.ID(c))
	if err != nil {
		return err
	}
	if err := h.record(c, h.DB, models.EventLooked, row.User, models.EventDetail{Mail: row.Kind}); err != nil {
		return err
	}
	m := view.Message{MailRow: row}
	switch {
	case waiting == nil:
		m.None = "The text of mail that couldn't be delivered isn't kept."
	case !mail.Known(row.Kind):
		m.None = UnknownMail
	default:
		message, err := h.PreviewMail(ctx, waiting)
		if err != nil && !errors.Is(err, models.ErrNotFound) {
			return err
		}
		m.Subject, m.Text, m.None = message.Subject, message.Text, ""
		if err != nil {
			m.None = OrphanedMail
		}
	}
	if isAdmin(c) && (row.User == nil || mayAct(web.Current(c).User, row.User) == nil) {
		for _, a := range mailActions() {
			if a.fits(row) {
				m.Actions = append(m.Actions, a.MailAction)
			}
		}
	}
	f := h.Frame(c, http.StatusOK)
	page := view.MessagePage(f, m)
	return web.Render(c, f, page, page)
}
