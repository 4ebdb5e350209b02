package models

import (
	"context"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// The kinds of events in the audit log.
const (
	EventSignUp          = "sign-up"
	EventSignIn          = "sign-in"
	EventSignInFailed    = "sign-in-failed"
	EventThrottled       = "throttled"
	EventUnlocked        = "unlocked"
	EventSignOut         = "sign-out"
	EventReauthenticated = "reauthenticated"
	EventProfileChanged  = "profile-changed"
	EventPasswordChanged = "password-changed"
	EventPasswordReset   = "password-reset"
	EventEmailRequested  = "email-change-requested"
	EventEmailCanceled   = "email-change-canceled"
	EventEmailConfirmed  = "email-confirmed"
	EventSessionEnded    = "session-ended"
	EventSessionsEnded   = "other-sessions-ended"
	EventAllEnded        = "all-sessions-ended"
	EventDisabled        = "disabled"
	EventEnabled         = "enabled"
	EventDeleted         = "deleted"
	EventUnconfirmed     = "unconfirmed-deleted"
	EventCreated         = "created"
	EventRestored        = "restored"

	EventOrganizationCreated = "organization-created"
	EventOrganizationRenamed = "organization-renamed"
	EventOrganizationDeleted = "organization-deleted"
	EventInvited             = "invited"
	EventInvitationResent    = "invitation-resent"
	EventInvitationRevoked   = "invitation-revoked"
	EventInvitationDeclined  = "invitation-declined" // in no organization: it shows nobody who has an account
	EventMemberJoined        = "member-joined"
	EventMemberLeft          = "member-left"
	EventMemberRemoved       = "member-removed"
	EventMemberRoleChanged   = "member-role-changed"
	EventOwnershipMoved      = "ownership-transferred"
	EventRoleCreated         = "role-created"
	EventRoleChanged         = "role-changed"
	EventRoleDeleted         = "role-deleted"
)

// Event is an entry of the audit log: what happened to which account, and who did
// it. Events are added and, when old, purged, but never changed.
type Event struct {
	bun.BaseModel `bun:"table:events,alias:e"`

	ID        uuid.UUID `bun:",pk"`
	Kind      string
	UserID    uuid.UUID `bun:",nullzero"` // whose account; zero if unknown
	ActorID   uuid.UUID `bun:",nullzero"` // the signed-in user; zero if nobody was signed in, or for an operator
	IP        string    // empty for an operator
	UserAgent string
	RequestID string
	CreatedAt time.Time

	OrganizationID uuid.UUID `bun:",nullzero"` // where it happened; zero outside an organization

	User  *User `bun:"rel:belongs-to,join:user_id=id"`  // nil if deleted since
	Actor *User `bun:"rel:belongs-to,join:actor_id=id"` // likewise
}

// ByAnother reports whether another user did it.
func (e *Event) ByAnother() bool { return e.ActorID != uuid.Nil && e.ActorID != e.UserID }

// ByOperator reports whether an operator did it on the command line, which has no
// IP address, and neither has PurgeUnconfirmed.
func (e *Event) ByOperator() bool {
	return e.ActorID == uuid.Nil && e.IP == "" && e.Kind != EventUnconfirmed
}

// Record adds e to the audit log.
func (db *DB) Record(ctx context.Context, e Event) error {
	e.ID = newID()
	e.CreatedAt = now()
	e.UserAgent = sanitize(e.UserAgent, maxUserAgent)
	_, err := db.bun.NewInsert().Model(&e).Returning("NULL").Exec(ctx)
	return err
}

// Events lists up to limit events of user, newest first, starting after the one
// with the id before unless that is zero.
func (db *DB) Events(ctx context.Context, user, before uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	query := db.bun.NewSelect().Model(&events).Where("user_id = ?", user).Order("id DESC").Limit(limit)
	if before != uuid.Nil {
		query = query.Where("id < ?", before)
	}
	err := query.Scan(ctx)
	return events, err
}

// OrganizationEvents lists up to limit events of an organization, newest first,
// starting after the one with the id before unless that is zero. It loads user and
// actor, unless their accounts were deleted.
func (db *DB) OrganizationEvents(ctx context.Context, organization, before uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	query := db.bun.NewSelect().Model(&events).Relation("User", publicColumns).Relation("Actor", publicColumns).
		Where("e.organization_id = ?", organization).Order("e.id DESC").Limit(limit)
	if before != uuid.Nil {
		query = query.Where("e.id < ?", before)
	}
	err := query.Scan(ctx)
	return events, err
}

// EventFilter selects events. A zero field selects all.
type EventFilter struct {
	User  uuid.UUID // whose account
	Kind  string
	Since time.Time
}

// AllEvents iterates over the audit log, newest first. Of the users of each event
// only the usernames are loaded.
func (db *DB) AllEvents(ctx context.Context, filter EventFilter) iter.Seq2[*Event, error] {
	username := func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("username") }
	read := func(before uuid.UUID) ([]Event, error) {
		var events []Event
		query := db.bun.NewSelect().Model(&events).Relation("User", username).Relation("Actor", username).
			Where("e.created_at >= ?", filter.Since.UTC()).Order("e.id DESC").Limit(pageSize)
		if before != uuid.Nil {
			query = query.Where("e.id < ?", before)
		}
		if filter.User != uuid.Nil {
			query = query.Where("e.user_id = ?", filter.User)
		}
		if filter.Kind != "" {
			query = query.Where("e.kind = ?", filter.Kind)
		}
		err := query.Scan(ctx)
		return events, err
	}
	return paginate(read, func(e *Event) uuid.UUID { return e.ID })
}
