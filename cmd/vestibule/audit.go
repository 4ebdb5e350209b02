package main

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/admin"
	"vestibule/models"
)

// audit is the command that lists the audit log.
type audit struct {
	Login string        `arg:"" optional:"" help:"Only events of the user with this username, email address or ID, ignoring case."`
	Kind  string        `placeholder:"KIND" help:"Only events of this kind, such as sign-in-failed."`
	Since time.Duration `placeholder:"DURATION" help:"Only events of the last DURATION, such as 24h."`
	Limit uint          `placeholder:"N" default:"50" help:"Print at most N events; 0 prints all (default: ${default})."`
	JSON  bool          `name:"json" help:"Print a JSON array."`
}

// Help returns the details that --help prints below the summary.
func (audit) Help() string {
	return "Deleted users are shown by their ID; pass it to find their events. Events are kept for AUDIT_RETENTION."
}

func (c audit) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		filter := models.EventFilter{}
		if c.Kind != "" {
			filter.Kinds = []string{c.Kind}
		}
		if c.Since > 0 {
			filter.Since = time.Now().Add(-c.Since)
		}
		if id, err := models.ParseID(c.Login); err == nil {
			filter.User = id
		} else if c.Login != "" {
			user, err := findUser(ctx, db, c.Login)
			if err != nil {
				return err
			}
			filter.User = user.ID
		}
		list := newList(c.JSON, "TIME (UTC)", "KIND", "ACCOUNT", "BY", "IP", "DEVICE")
		for e, err := range db.AllEvents(ctx, filter) {
			if err != nil {
				return err
			}
			row := admin.NewAuditRow(e)
			if err := list.add(row, formatTime(e.CreatedAt), row.Kind, userLabel(e.UserID, e.User), actorLabel(e), row.IP, row.Device); err != nil {
				return err
			}
			if list.rows == c.Limit {
				break
			}
		}
		return list.end()
	})
}

// userLabel returns the username, or else the email address, of an event's user, the id if the user was deleted
// since, or a dash if the user is unknown.
func userLabel(id uuid.UUID, user *models.User) string {
	switch {
	case user != nil:
		return user.Login()
	case id != uuid.Nil:
		return id.String()
	}
	return "-"
}

// actorLabel returns who caused the event. No username contains parentheses.
func actorLabel(e *models.Event) string {
	if e.OperatorID != uuid.Nil {
		return "(operator " + userLabel(e.OperatorID, e.Operator) + " as " + userLabel(e.ActorID, e.Actor) + ")"
	}
	if e.OperatorRole != "" && e.ActorID != uuid.Nil {
		return "(operator " + userLabel(e.ActorID, e.Actor) + ")"
	}
	if e.ByOperator() {
		return strings.TrimSuffix("(operator "+e.Detail.Operator, " ") + ")"
	}
	return userLabel(e.ActorID, e.Actor)
}

type operatorKey struct{}

// withOperator returns a context for the commands of an operator who gives a name.
func withOperator(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, operatorKey{}, name)
}

// operatorName returns the name that the operator gave, or nothing.
func operatorName(ctx context.Context) string {
	name, _ := ctx.Value(operatorKey{}).(string)
	return name
}

// audited runs change and records it in the audit log as an operator's, in one
// transaction. Change returns the id of the changed user, or the zero id for all.
func audited(ctx context.Context, db *models.DB, kind string, change func(tx *models.DB) (uuid.UUID, error)) error {
	return auditedDetail(ctx, db, kind, new(models.EventDetail), change)
}

// auditedDetail is audited for an event that says more. The change may fill in the detail.
func auditedDetail(ctx context.Context, db *models.DB, kind string, detail *models.EventDetail, change func(tx *models.DB) (uuid.UUID, error)) error {
	return db.InTx(ctx, func(tx *models.DB) error {
		user, err := change(tx)
		if err != nil {
			return err
		}
		detail.Operator = operatorName(ctx)
		return tx.Record(ctx, models.Event{Kind: kind, UserID: user, Detail: *detail})
	})
}
