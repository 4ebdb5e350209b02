package models

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// The kinds of events in the audit log.
const (
	EventSignUp          = "sign-up"
	EventSignIn          = "sign-in"
	EventSignInFailed    = "sign-in-failed"
	EventSignOut         = "sign-out"
	EventReauthenticated = "reauthenticated"
	EventProfileChanged  = "profile-changed"
	EventPasswordChanged = "password-changed"
	EventPasswordReset   = "password-reset"
	EventEmailRequested  = "email-change-requested"
	EventEmailConfirmed  = "email-confirmed"
	EventSessionEnded    = "session-ended"
	EventSessionsEnded   = "other-sessions-ended"
	EventAllEnded        = "all-sessions-ended"
	EventDisabled        = "disabled"
	EventEnabled         = "enabled"
	EventDeleted         = "deleted"
	EventCreated         = "created"

	EventOrganizationCreated = "organization-created"
	EventOrganizationRenamed = "organization-renamed"
	EventOrganizationDeleted = "organization-deleted"
	EventInvited             = "invited"
	EventInvitationResent    = "invitation-resent"
	EventInvitationRevoked   = "invitation-revoked"
	EventMemberJoined        = "member-joined"
	EventMemberLeft          = "member-left"
	EventMemberRemoved       = "member-removed"
	EventMemberRoleChanged   = "member-role-changed"
	EventOwnershipMoved      = "ownership-transferred"
	EventRoleCreated         = "role-created"
	EventRoleChanged         = "role-changed"
	EventRoleDeleted         = "role-deleted"
)

// Event is a line of the audit log: what happened to whose account, and by
// whom. Events are added and, when old, purged; none is ever changed.
type Event struct {
	bun.BaseModel `bun:"table:events,alias:e"`

	ID        uuid.UUID `bun:",pk"`
	Kind      string
	UserID    uuid.UUID `bun:",nullzero"` // whose account; none if it is not known
	ActorID   uuid.UUID `bun:",nullzero"` // the signed-in person; none for a stranger or an operator
	IP        string    // empty for an operator
	UserAgent string
	RequestID string
	CreatedAt time.Time

	OrganizationID uuid.UUID `bun:",nullzero"` // in which it happened, if in one

	User  *User `bun:"rel:belongs-to,join:user_id=id"`  // unless deleted since
	Actor *User `bun:"rel:belongs-to,join:actor_id=id"` // likewise
}

// ByAnother tells whether somebody else did it to the user.
func (e *Event) ByAnother() bool { return e.ActorID != uuid.Nil && e.ActorID != e.UserID }

// ByOperator tells whether an operator did it, who has no address on the network.
func (e *Event) ByOperator() bool { return e.ActorID == uuid.Nil && e.IP == "" }

// Record adds e to the audit log.
func (db *DB) Record(ctx context.Context, e Event) error {
	e.ID = newID()
	e.CreatedAt = now()
	e.UserAgent = clean(e.UserAgent, maxUserAgent)
	_, err := db.bun.NewInsert().Model(&e).Returning("NULL").Exec(ctx)
	return err
}

// Events lists at most limit events of user, the newest first, and older than the
// one with the id before unless that is zero.
func (db *DB) Events(ctx context.Context, user, before uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	query := db.bun.NewSelect().Model(&events).Where("user_id = ?", user).Order("id DESC").Limit(limit)
	if before != uuid.Nil {
		query = query.Where("id < ?", before)
	}
	err := query.Scan(ctx)
	return events, err
}

// OrganizationEvents lists at most limit events of an organization, the newest
// first, with user and actor where their accounts still are, and older than the
// one with the id before unless that is zero.
func (db *DB) OrganizationEvents(ctx context.Context, organization, before uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	query := db.bun.NewSelect().Model(&events).Relation("User", person).Relation("Actor", person).
		Where("e.organization_id = ?", organization).Order("e.id DESC").Limit(limit)
	if before != uuid.Nil {
		query = query.Where("e.id < ?", before)
	}
	err := query.Scan(ctx)
	return events, err
}
