package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/device"
	"vestibule/models"
)

// audit lists the audit log.
type audit struct {
	Login string        `arg:"" optional:"" help:"Username or email, in any case, or id of the user whose account to list the events of; everybody's, unless given."`
	Kind  string        `placeholder:"KIND" help:"Only events of this kind, such as sign-in-failed."`
	Since time.Duration `placeholder:"DURATION" help:"Only those of so long until now, such as 24h."`
	Limit uint          `placeholder:"N" default:"50" help:"Print at most so many; 0 for all."`
	JSON  bool          `name:"json" help:"Print one JSON array."`
}

// Help is what --help says beside the summary.
func (audit) Help() string {
	return "A user who has been deleted is shown, and asked for, by the id. Events are kept for AUDIT_RETENTION."
}

func (c audit) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	return onDatabase(ctx, config, log, func(db *models.DB) error {
		filter := models.EventFilter{Kind: c.Kind}
		if c.Since > 0 {
			filter.Since = time.Now().Add(-c.Since)
		}
		if id, err := uuid.Parse(c.Login); err == nil {
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
			row := newEventRow(e)
			if err := list.add(row, clock(e.CreatedAt), row.Kind, whose(e.UserID, e.User), by(e), row.IP, row.Device); err != nil {
				return err
			}
			if list.rows == c.Limit {
				break
			}
		}
		return list.end()
	})
}

// whose names the user of an event: by the id when deleted since, and by a dash
// when not known.
func whose(id uuid.UUID, user *models.User) string {
	switch {
	case user != nil:
		return user.Username
	case id != uuid.Nil:
		return id.String()
	}
	return "-"
}

// by names who did it. Nobody has a username in brackets.
func by(e *models.Event) string {
	if e.ByOperator() {
		return "(operator)"
	}
	return whose(e.ActorID, e.Actor)
}

// eventRow is what is printed of an event.
type eventRow struct {
	ID        uuid.UUID  `json:"id"`
	Kind      string     `json:"kind"`
	UserID    *uuid.UUID `json:"user_id"`
	Username  *string    `json:"username"`
	ActorID   *uuid.UUID `json:"actor_id"`
	Actor     *string    `json:"actor"`
	Operator  bool       `json:"operator"`
	IP        string     `json:"ip"`
	Device    string     `json:"device"`
	UserAgent string     `json:"user_agent"`
	RequestID string     `json:"request_id"`
	CreatedAt time.Time  `json:"created_at"`
}

func newEventRow(e *models.Event) eventRow {
	row := eventRow{
		ID:        e.ID,
		Kind:      e.Kind,
		Operator:  e.ByOperator(),
		IP:        e.IP,
		UserAgent: e.UserAgent,
		RequestID: e.RequestID,
		CreatedAt: e.CreatedAt.UTC(),
	}
	if e.UserAgent != "" {
		row.Device = device.Name(e.UserAgent)
	}
	row.UserID, row.Username = known(e.UserID, e.User)
	row.ActorID, row.Actor = known(e.ActorID, e.Actor)
	return row
}

// known returns nil, which JSON prints as null, for what is not.
func known(id uuid.UUID, user *models.User) (*uuid.UUID, *string) {
	switch {
	case id == uuid.Nil:
		return nil, nil
	case user == nil:
		return &id, nil
	}
	return &id, &user.Username
}

// audited runs change and notes it in the audit log as an operator's: both or
// none. Change returns whose account it was, which is zero for everybody's.
func audited(ctx context.Context, db *models.DB, kind string, change func(tx *models.DB) (uuid.UUID, error)) error {
	return db.InTx(ctx, func(tx *models.DB) error {
		user, err := change(tx)
		if err != nil {
			return err
		}
		return tx.Record(ctx, models.Event{Kind: kind, UserID: user})
	})
}
