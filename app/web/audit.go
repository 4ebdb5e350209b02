package web

import (
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// Audited makes a change in one transaction with its event, so that neither is stored
// without the other. User is whose account it is; nil if unknown.
func (k *Kit) Audited(c *gin.Context, kind string, user *models.User, change func(tx *models.DB) error) error {
	return k.AuditedDetail(c, kind, user, new(models.EventDetail), change)
}

// AuditedDetail is Audited for an event that says more. The change may fill in the detail,
// if only it knows.
func (k *Kit) AuditedDetail(c *gin.Context, kind string, user *models.User, detail *models.EventDetail, change func(tx *models.DB) error) error {
	return k.DB.InTx(c.Request.Context(), func(tx *models.DB) error {
		if err := change(tx); err != nil {
			return err
		}
		return RecordDetail(c, tx, here(c), kind, user, *detail)
	})
}

// Record adds an event of user's account to the audit log, in the transaction tx. Most
// handlers call [Kit.Audited] instead. User is nil if unknown.
func Record(c *gin.Context, tx *models.DB, kind string, user *models.User) error {
	return RecordIn(c, tx, here(c), kind, user)
}

// here returns the current organization, or the zero id outside an organization's pages.
func here(c *gin.Context) uuid.UUID {
	if m := Current(c).Member; m != nil {
		return m.OrganizationID
	}
	return uuid.Nil
}

// RecordIn is Record for an event in an organization.
func RecordIn(c *gin.Context, tx *models.DB, organization uuid.UUID, kind string, user *models.User) error {
	return RecordDetail(c, tx, organization, kind, user, models.EventDetail{})
}

// RecordDetail is RecordIn for an event that says more.
func RecordDetail(c *gin.Context, tx *models.DB, organization uuid.UUID, kind string, user *models.User, detail models.EventDetail) error {
	e := Event(c, organization, kind, user)
	e.Detail = detail
	return tx.Record(c.Request.Context(), e)
}

// RecordAttempt records what changed nothing, such as a failed sign-in, even if the
// client hangs up before the answer.
func (k *Kit) RecordAttempt(c *gin.Context, kind string, user *models.User) {
	ctx, cancel := Detached(c)
	defer cancel()
	e := Event(c, uuid.Nil, kind, user)
	if e.ActorID != e.UserID { // proved nothing about whoever is signed in
		e.ActorID = uuid.Nil
	}
	if err := k.DB.Record(ctx, e); err != nil {
		Current(c).Log().Error("event not recorded", "kind", kind, "err", err)
	}
}

// Event returns an event of that kind, caused by the user of this request, or by an operator as
// them.
func Event(c *gin.Context, organization uuid.UUID, kind string, user *models.User) models.Event {
	r := Current(c)
	e := models.Event{OrganizationID: organization, Kind: kind, IP: c.ClientIP(), UserAgent: c.Request.UserAgent(), RequestID: r.ID}
	if user != nil {
		e.UserID = user.ID
	}
	if r.User != nil {
		e.ActorID = r.User.ID
	}
	if r.Operator != nil {
		e.OperatorID, e.OperatorRole = r.Operator.ID, r.Operator.OperatorRole
	}
	return e
}
