package models

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// The kinds of events in the audit log.
const (
	EventSignUp          = "sign-up"
	EventSignIn          = "sign-in"
	EventSignInStarted   = "sign-in-started"
	EventSignInFailed    = "sign-in-failed"
	EventThrottled       = "throttled"
	EventUnlocked        = "unlocked"
	EventCodeFailed      = "code-failed"
	EventSignOut         = "sign-out"
	EventReauthenticated = "reauthenticated"
	EventProfileChanged  = "profile-changed"
	EventPasswordChanged = "password-changed"
	EventPasswordRemoved = "password-removed"
	EventPasswordReset   = "password-reset"
	EventEmailRequested  = "email-change-requested"
	EventEmailCanceled   = "email-change-canceled"
	EventEmailConfirmed  = "email-confirmed"
	EventBrowserTrusted  = "browser-trusted"
	EventBrowserRevoked  = "browser-revoked"
	EventPasskeyAdded    = "passkey-added"
	EventPasskeyRenamed  = "passkey-renamed"
	EventPasskeyRemoved  = "passkey-removed"
	EventPasskeyRefused  = "passkey-refused"

	EventConnectionAdded   = "connection-added"
	EventConnectionRemoved = "connection-removed"
	EventSignedOutThere    = "signed-out-elsewhere" // at a provider

	EventSessionEnded     = "session-ended"
	EventSessionsEnded    = "other-sessions-ended"
	EventAllEnded         = "all-sessions-ended"
	EventDisabled         = "disabled"
	EventEnabled          = "enabled"
	EventDeleted          = "deleted"
	EventUnconfirmed      = "unconfirmed-deleted"
	EventCreated          = "created"
	EventOperatorGranted  = "operator-granted"
	EventOperatorRevoked  = "operator-revoked"
	EventRestored         = "restored"
	EventExported         = "data-exported" // by an operator
	EventMailRetried      = "mail-retried"
	EventMailDropped      = "mail-dropped"
	EventLooked           = "operator-looked" // at the user's data
	EventAuditExported    = "audit-exported"
	EventResetSent        = "reset-link-sent" // because an operator asked, as the next
	EventConfirmationSent = "confirmation-link-sent"

	EventImpersonationBegun = "impersonation-begun" // by an operator, who uses the site as the user
	EventImpersonationEnded = "impersonation-ended"
	EventFormSent           = "form-sent" // by an operator who uses the site as the user

	EventAuthenticatorAdded   = "authenticator-added"
	EventAuthenticatorRenamed = "authenticator-renamed"
	EventAuthenticatorRemoved = "authenticator-removed"
	EventRecoveryCodesCreated = "recovery-codes-created"
	EventRecoveryCodeUsed     = "recovery-code-used"
	EventFactorsReset         = "factors-reset"

	EventRecoveryAsked    = "recovery-asked"
	EventRecoveryBegun    = "recovery-begun"
	EventRecoveryCanceled = "recovery-canceled"
	EventRecoveryFinished = "recovery-finished"
	EventChangeReported   = "change-reported" // as not the user's own

	EventOrganizationCreated  = "organization-created"
	EventOrganizationRenamed  = "organization-renamed"
	EventOrganizationDeleted  = "organization-deleted"
	EventTwoFactorsRequired   = "second-factor-required"
	EventTwoFactorsLifted     = "second-factor-lifted"
	EventInvited              = "invited"
	EventInvitationResent     = "invitation-resent"
	EventInvitationRevoked    = "invitation-revoked"
	EventSiteInvited          = "site-invited" // to create an account, by an operator
	EventSiteInviteRevoked    = "site-invitation-revoked"
	EventInvitationDeclined   = "invitation-declined" // in no organization: it shows nobody who has an account
	EventMemberJoined         = "member-joined"
	EventMemberLeft           = "member-left"
	EventMemberRemoved        = "member-removed"
	EventMemberRoleChanged    = "member-role-changed"
	EventOwnershipTransferred = "ownership-transferred"
	EventRoleCreated          = "role-created"
	EventRoleChanged          = "role-changed"
	EventRoleDeleted          = "role-deleted"
)

// RefusedEvents returns the kinds of events of somebody who could not sign in.
func RefusedEvents() []string {
	return []string{EventSignInFailed, EventCodeFailed, EventPasskeyRefused, EventThrottled}
}

// Event is an entry of the audit log: what happened to which account, and who did
// it. Events are added and, when old, purged. Nothing else changes them, except that an
// address is erased with the account or the organization that it belongs to.
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

	Detail   EventDetail `bun:",nullzero"`
	EmailKey string      `bun:",nullzero"` // of Detail.Email, by which eraseEmails finds it

	// OperatorRole is the role in which the actor, an operator, did it on the operator's
	// pages, or OperatorID as the actor. It is empty for everything else.
	OperatorRole OperatorRole `bun:",nullzero"`
	OperatorID   uuid.UUID    `bun:",nullzero"` // who used the site as the actor; zero for everything else

	User  *User `bun:"rel:belongs-to,join:user_id=id"`  // nil if deleted since
	Actor *User `bun:"rel:belongs-to,join:actor_id=id"` // likewise

	Operator *User `bun:"rel:belongs-to,join:operator_id=id"` // likewise; loaded by AllEvents and AuditEvents

	Organization *Organization `bun:"rel:belongs-to,join:organization_id=id"` // loaded by AuditEvents alone
}

// EventDetail holds the details of an event, in the words of that time. Each kind
// uses its own fields. It names no user: Event.UserID leads to the name as long as there
// is the account.
type EventDetail struct {
	Email     string `json:"email,omitempty"`      // who was invited, or the user's new address
	EmailFrom string `json:"email_from,omitempty"` // the user's address before

	Organization     string `json:"organization,omitempty"`
	OrganizationFrom string `json:"organization_from,omitempty"` // its name before

	Role     string `json:"role,omitempty"`
	RoleFrom string `json:"role_from,omitempty"` // the member's role, or the role's name, before

	Connection string `json:"connection,omitempty"` // the label of a provider

	Fields string `json:"fields,omitempty"` // what changed in the profile
	Device string `json:"device,omitempty"` // which was signed out
	Count  int    `json:"count,omitempty"`  // how many were signed out

	From    string `json:"from,omitempty"`     // the day from which a second factor is required
	NoTrust string `json:"no_trust,omitempty"` // says so if trusted browsers don't stand in for it

	Mail  string `json:"mail,omitempty"`  // its kind
	Table string `json:"table,omitempty"` // its name, and the column by which an operator looked
	Limit string `json:"limit,omitempty"` // the kind of the throttle that was lifted

	Log string `json:"log,omitempty"` // what of the audit log an operator exported, in words

	Operator string `json:"operator,omitempty"` // the name that an operator gave; users don't see it
	Reason   string `json:"reason,omitempty"`   // which an operator gave

	Mode string `json:"mode,omitempty"` // of an impersonation: what it allows
	Form string `json:"form,omitempty"` // the route of a form that was sent as somebody else
	End  string `json:"end,omitempty"`  // of an impersonation: how it ended
}

// IsZero reports whether there is nothing to say. Then the column is NULL.
func (d EventDetail) IsZero() bool { return d == EventDetail{} }

// ByAnother reports whether another user did it.
func (e *Event) ByAnother() bool { return e.ActorID != uuid.Nil && e.ActorID != e.UserID }

// ByOperator reports whether an operator did it: on the operator's pages, as somebody else, or
// on the command line, which has no IP address. Neither has PurgeUnconfirmed.
func (e *Event) ByOperator() bool {
	return e.OperatorRole != "" || e.ActorID == uuid.Nil && e.IP == "" && e.Kind != EventUnconfirmed
}

// Record adds e to the audit log.
func (db *DB) Record(ctx context.Context, e Event) error {
	e.ID = newID()
	e.CreatedAt = now()
	e.UserAgent = sanitize(e.UserAgent, maxUserAgent)
	if e.Detail.Email != "" {
		e.EmailKey = text.EmailKey(e.Detail.Email)
	}
	_, err := db.insertEvent(&e).Exec(ctx)
	return err
}

// insertEvent returns the query that stores e. A restored backup of an earlier version has
// no columns for a detail.
func (db *DB) insertEvent(e *Event) *bun.InsertQuery {
	query := db.bun.NewInsert().Model(e).Returning("NULL")
	if e.Detail.IsZero() {
		query = query.ExcludeColumn("detail", "email_key")
	}
	if e.OperatorRole == "" {
		query = query.ExcludeColumn("operator_role")
	}
	if e.OperatorID == uuid.Nil {
		query = query.ExcludeColumn("operator_id")
	}
	return query
}

// EventFilter selects events. A zero field selects all.
type EventFilter struct {
	User         uuid.UUID // whose account
	Person       uuid.UUID // whose account, or who did it
	Organization uuid.UUID // where it happened
	Kinds        []string
	Since        time.Time
	By           EventBy

	Except []string // kinds

	kind     string    // read by the index events_kind
	anothers uuid.UUID // who did it to an account that isn't their own
	as       uuid.UUID // who, an operator, did it as somebody else to an account that isn't their own
}

// EventBy selects events by who did them.
type EventBy string

// The values of EventBy. An empty one selects the events of everybody.
const (
	ByOperators EventBy = "operators" // see [Event.ByOperator]
	ByOthers    EventBy = "others"
)

// OperatorEvents returns the kinds of events about a user that only operators see: looking
// changes nothing for the user.
func OperatorEvents() []string { return []string{EventLooked, EventAuditExported} }

func (f EventFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	if f.User != uuid.Nil {
		q = q.Where("e.user_id = ?", f.User)
	}
	if f.anothers != uuid.Nil {
		q = q.Where("e.actor_id = ?", f.anothers).Where("e.actor_id IS DISTINCT FROM e.user_id")
	}
	if f.as != uuid.Nil {
		q = q.Where("e.operator_id = ?0 AND e.actor_id IS DISTINCT FROM ?0 AND e.user_id IS DISTINCT FROM ?0", f.as)
	}
	if f.Organization != uuid.Nil {
		q = q.Where("e.organization_id = ?", f.Organization)
	}
	if f.kind != "" {
		q = q.Where("e.kind || '' = ?", f.kind)
	}
	if len(f.Kinds) > 0 {
		q = q.Where("e.kind IN (?)", bun.List(f.Kinds))
	}
	if len(f.Except) > 0 {
		q = q.Where("e.kind NOT IN (?)", bun.List(f.Except))
	}
	if !f.Since.IsZero() {
		// By the ids, too: then no query reads on through all that is older.
		q = q.Where("e.created_at >= ?", f.Since.UTC()).Where("e.id >= ?", firstID(f.Since.Add(-time.Hour)))
	}
	switch f.By { // as ByOperator
	case ByOperators:
		q = q.Where("e.operator_role IS NOT NULL OR e.actor_id IS NULL AND e.ip = '' AND e.kind <> ?", EventUnconfirmed)
	case ByOthers:
		q = q.Where("e.operator_role IS NULL").Where("e.actor_id IS NOT NULL OR e.ip <> '' OR e.kind = ?", EventUnconfirmed)
	}
	return q
}

// parts returns filters that together select what f does, no event twice, each in the order
// of an index.
func (f EventFilter) parts() (parts []EventFilter) {
	part := f
	switch {
	case f.Person != uuid.Nil:
		part.Person, part.User = uuid.Nil, f.Person
		parts = append(parts, part)
		part.User, part.anothers = uuid.Nil, f.Person
		parts = append(parts, part)
		if f.By != ByOthers {
			part.anothers, part.as, part.By = uuid.Nil, f.Person, ByOperators
			parts = append(parts, part)
		}
		return parts
	case f.User == uuid.Nil && f.Organization == uuid.Nil && f.By != ByOperators && len(f.Kinds) > 0:
		part.Kinds = nil
		for _, part.kind = range slices.Compact(slices.Sorted(slices.Values(f.Kinds))) {
			parts = append(parts, part)
		}
		return parts
	}
	return []EventFilter{f}
}

// Events lists up to limit events of user that filter selects, newest first, starting
// after the one with the id before unless that is zero. They are what the user sees: not
// when an operator looked.
func (db *DB) Events(ctx context.Context, user uuid.UUID, filter EventFilter, before uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	err := db.bun.NewSelect().Model(&events).Where("e.user_id = ?", user).Where("e.kind NOT IN (?)", bun.List(OperatorEvents())).
		Apply(filter.apply).Apply(newestBefore(before, limit)).Scan(ctx)
	return events, err
}

// OrganizationEvents lists up to limit events of an organization that filter selects,
// newest first, starting after the one with the id before unless that is zero. It loads
// user and actor, unless their accounts were deleted. They are what members see: not when an
// operator looked.
func (db *DB) OrganizationEvents(ctx context.Context, organization uuid.UUID, filter EventFilter, before uuid.UUID, limit int64) ([]Event, error) {
	var events []Event
	err := db.bun.NewSelect().Model(&events).Relation("User", publicColumns).Relation("Actor", publicColumns).
		Where("e.organization_id = ?", organization).Where("e.kind <> ?", EventLooked).Apply(filter.apply).Apply(newestBefore(before, limit)).Scan(ctx)
	return events, err
}

// AuditEvents lists up to limit events of the audit log that filter selects, newest first,
// starting after the one with the id before unless that is zero. It loads users and
// organization, unless they were deleted.
func (db *DB) AuditEvents(ctx context.Context, filter EventFilter, before uuid.UUID, limit int64) ([]Event, error) {
	var all []Event
	for _, part := range filter.parts() {
		var events []Event
		err := db.bun.NewSelect().Model(&events).Relation("User", publicColumns).Relation("Actor", publicColumns).Relation("Operator", publicColumns).Relation("Organization").
			Apply(part.apply).Apply(newestBefore(before, limit)).Scan(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, events...)
	}
	slices.SortFunc(all, func(a, b Event) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return all[:min(int64(len(all)), limit)], nil
}

// AllEvents iterates over the audit log, newest first. Of the users of each event
// only the usernames and email addresses are loaded.
func (db *DB) AllEvents(ctx context.Context, filter EventFilter) iter.Seq2[*Event, error] {
	var parts []iter.Seq2[*Event, error]
	for _, part := range filter.parts() {
		read := func(before uuid.UUID) ([]Event, error) {
			var events []Event
			err := db.bun.NewSelect().Model(&events).Relation("User", loginColumns).Relation("Actor", loginColumns).Relation("Operator", loginColumns).
				Apply(part.apply).Apply(newestBefore(before, pageSize)).Scan(ctx)
			return events, err
		}
		parts = append(parts, paginate(read, func(e *Event) uuid.UUID { return e.ID }))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return newestFirst(parts)
}

// newestFirst merges parts, each sorted newest first, into one sequence in that order.
func newestFirst(parts []iter.Seq2[*Event, error]) iter.Seq2[*Event, error] {
	return func(yield func(*Event, error) bool) {
		type part struct {
			event *Event
			next  func() (*Event, error, bool)
		}
		var heads []*part
		advance := func(p *part) (more bool, err error) {
			p.event, err, more = p.next()
			return more, err
		}
		for _, events := range parts {
			next, stop := iter.Pull2(events)
			defer stop()
			p := &part{next: next}
			more, err := advance(p)
			if err != nil {
				yield(nil, err)
				return
			}
			if more {
				heads = append(heads, p)
			}
		}
		for len(heads) > 0 {
			newest := slices.MaxFunc(heads, func(a, b *part) int { return bytes.Compare(a.event.ID[:], b.event.ID[:]) })
			if !yield(newest.event, nil) {
				return
			}
			more, err := advance(newest)
			if err != nil {
				yield(nil, err)
				return
			}
			if !more {
				heads = slices.DeleteFunc(heads, func(p *part) bool { return p == newest })
			}
		}
	}
}

// eraseEmails erases the addresses of a user who is deleted from the audit log: those in
// the user's own events, and wherever else they are, such as in invitations.
func (db *DB) eraseEmails(ctx context.Context, u *User) error {
	var own []Event
	err := db.bun.NewSelect().Model(&own).Column("kind", "email_key", "detail").
		Where("user_id = ?", u.ID).Where("email_key IS NOT NULL").Scan(ctx)
	if err != nil {
		return err
	}
	keys := []string{u.EmailKey}
	for _, e := range own {
		if e.Kind == EventEmailConfirmed { // an address that was only asked for may be another's
			keys = append(keys, e.EmailKey, text.EmailKey(e.Detail.EmailFrom))
		}
	}
	return db.eraseEventDetails(ctx, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Where("email_key IN (?)", bun.List(keys)).WhereOr("user_id = ?", u.ID)
	})
}

// eraseInvited erases the addresses of those who were invited to an organization from the
// audit log.
func (db *DB) eraseInvited(ctx context.Context, organization uuid.UUID) error {
	return db.eraseEventDetails(ctx, func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Where("organization_id = ?", organization)
	})
}

// eraseEventDetails erases the details that hold an address from the events that which
// selects.
func (db *DB) eraseEventDetails(ctx context.Context, which func(*bun.UpdateQuery) *bun.UpdateQuery) error {
	_, err := db.bun.NewUpdate().Model((*Event)(nil)).Set("detail = NULL").Set("email_key = NULL").
		Where("email_key IS NOT NULL").WhereGroup(" AND ", which).Exec(ctx)
	return err
}
