package models

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/uptrace/bun"
)

// BackUp writes the SQLite database as it is at one moment to path, an empty file, while
// others read and write it. For PostgreSQL there is pg_dump.
func (db *DB) BackUp(ctx context.Context, path string) error {
	_, err := db.pool.NewRaw("VACUUM INTO ?", path).Exec(ctx)
	return err
}

// CheckBackup returns an error if the SQLite file, a backup, is damaged or not one of
// Vestibule.
func (db *DB) CheckBackup(ctx context.Context) error {
	var found string
	if err := db.pool.NewRaw("PRAGMA integrity_check(1)").Scan(ctx, &found); err != nil || found != "ok" {
		return errors.Join(fmt.Errorf("it is damaged: %s", found), err)
	}
	if empty, err := db.Empty(ctx); err != nil || empty {
		return errors.Join(errors.New("it holds no users"), err)
	}
	return nil
}

// Empty reports whether the database holds no user.
func (db *DB) Empty(ctx context.Context) (bool, error) {
	query := "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'users'"
	if db.Postgres() {
		query = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'users'"
	}
	var tables int
	if err := db.pool.NewRaw(query).Scan(ctx, &tables); err != nil || tables == 0 {
		return err == nil, err
	}
	found, err := db.pool.NewSelect().Model((*User)(nil)).Exists(ctx)
	return !found, err
}

// OtherConnections returns how many other connections PostgreSQL has to this database.
func (db *DB) OtherConnections(ctx context.Context) (n int, err error) {
	err = db.pool.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(ctx, &n)
	return n, err
}

// DropTables drops every table of the PostgreSQL database with what it holds.
func (db *DB) DropTables(ctx context.Context) error {
	return db.InTx(ctx, func(tx *DB) error {
		var tables []string
		if err := tx.bun.NewRaw("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").Scan(ctx, &tables); err != nil {
			return err
		}
		for _, table := range tables {
			if _, err := tx.bun.NewRaw("DROP TABLE IF EXISTS ? CASCADE", bun.Ident(table)).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// SQLiteInUse reports whether a process has the SQLite database at path open. If not, it
// also empties and removes the write-ahead log. It returns false if the file is damaged.
func SQLiteInUse(ctx context.Context, path string) (bool, error) {
	options := url.Values{"_pragma": {"locking_mode(EXCLUSIVE)", "busy_timeout(0)"}, "_txlock": {"exclusive"}}
	pool, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: escapePath(path), RawQuery: options.Encode()}).String())
	if err != nil {
		return false, err
	}
	tx, err := pool.BeginTx(ctx, nil)
	used := Unavailable(err)
	if err == nil {
		_ = tx.Rollback() // nothing was changed
	}
	return used, pool.Close()
}

// Restored is what AfterRestore did: how many rows it voided, and the usernames of those
// whose accounts it changed.
type Restored struct {
	Sessions, Tokens, Browsers, Mails, Invitations int

	Deleted   []string // were deleted after the backup
	Disabled  []string // were disabled after the backup
	Emails    []string // changed their email address after the backup, so the new one is put back
	Outdated  []string // changed it too, but to one that isn't known or is taken
	Passwords []string // changed their password after the backup, so the restored one is void
	Apps      []string // removed an authenticator app after the backup, which can't be told from the others
	Passkeys  []string // removed a passkey after the backup, so all of them are removed
	// Identities lists who removed an account elsewhere after the backup, so all of them are
	// removed.
	Identities []string
	Owners     []string // were deleted after the backup, but own an organization that has other members
	// RecoveryCodes lists who used or replaced recovery codes after the backup, so the
	// restored ones are void.
	RecoveryCodes []string

	Gone []string // organizations that were deleted after the backup
}

// ReplayedEvents are the kinds of events that AfterRestore does again.
var ReplayedEvents = []string{EventDeleted, EventDisabled, EventEnabled, EventPasswordChanged, EventPasswordReset, EventOrganizationDeleted, EventEmailConfirmed,
	EventRecoveryCodeUsed, EventRecoveryCodesCreated, EventAuthenticatorRemoved, EventFactorsReset, EventPasswordRemoved, EventPasskeyRemoved, EventRecoveryFinished, EventChangeReported, EventConnectionRemoved, EventOperatorRevoked}

// AfterRestore makes a restored database safe to serve. A backup brings back what ended
// since: links that were used, invitations that were revoked, sessions. So AfterRestore
// ends every session, impersonation and recovery, voids every link and invitation, forgets the known
// browsers and empties the mail queue. Events that happened later, oldest first, tell who was deleted
// or disabled, changed their password or removed a passkey, since the backup; AfterRestore does the same
// again, and adds them to the audit log. It skips events that the backup has.
func (db *DB) AfterRestore(ctx context.Context, later []Event) (*Restored, error) {
	r := new(Restored)
	return r, db.InTx(ctx, func(tx *DB) error {
		// Nobody has a link to one any more, and it must not keep an address from its owner.
		if _, err := tx.bun.NewDelete().Model((*FormerEmail)(nil)).Where("TRUE").Exec(ctx); err != nil {
			return err
		}
		for _, e := range later {
			if err := tx.replay(ctx, r, e); err != nil {
				return err
			}
			// For another restore, of an older backup over this database.
			if _, err := tx.insertEvent(&e).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
				return err
			}
		}
		for _, void := range []struct {
			model any
			count *int
		}{{(*Session)(nil), &r.Sessions}, {(*Token)(nil), &r.Tokens}, {(*Browser)(nil), &r.Browsers}, {(*Mail)(nil), &r.Mails}} {
			result, err := tx.bun.NewDelete().Model(void.model).Where("TRUE").Exec(ctx)
			if err != nil {
				return err
			}
			*void.count = affected(result)
		}
		for _, waiting := range []any{(*SignIn)(nil), (*Code)(nil), (*PasskeyCeremony)(nil), (*Recovery)(nil), (*Authorization)(nil), (*Impersonation)(nil)} {
			if _, err := tx.bun.NewDelete().Model(waiting).Where("TRUE").Exec(ctx); err != nil {
				return err
			}
		}
		// An organization can send them again; it sees those that it revoked.
		result, err := tx.bun.NewUpdate().Model((*Invitation)(nil)).Set("token_hash = NULL").Set("expires_at = ?", now()).
			Where("expires_at > ?", now()).Exec(ctx)
		if err != nil {
			return err
		}
		r.Invitations = affected(result)
		result, err = tx.bun.NewUpdate().Model((*SiteInvitation)(nil)).Set("token_hash = NULL").Set("expires_at = ?", now()).
			Where("expires_at > ?", now()).Exec(ctx)
		if err != nil {
			return err
		}
		r.Invitations += affected(result)
		return tx.Record(ctx, Event{Kind: EventRestored})
	})
}

func affected(result sql.Result) int {
	n, _ := result.RowsAffected() // neither database fails
	return int(n)
}

// replay does again what e records, unless the database has e.
func (db *DB) replay(ctx context.Context, r *Restored, e Event) error {
	if known, err := db.bun.NewSelect().Model(&e).Column("id").WherePK().Exists(ctx); err != nil || known {
		return err
	}
	if e.Kind == EventOrganizationDeleted {
		o := &Organization{ID: e.OrganizationID}
		err := db.bun.NewSelect().Model(o).WherePK().Scan(ctx)
		if err == nil {
			r.Gone = append(r.Gone, o.Slug)
			err = db.deleteOrganization(ctx, o.ID)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}
	u, err := db.UserByID(ctx, e.UserID)
	if errors.Is(err, ErrNotFound) { // signed up later, or deleted again
		return nil
	}
	if err != nil {
		return err
	}
	switch e.Kind {
	case EventDeleted:
		owned, err := db.OwnedOrganizations(ctx, u)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(owned, func(o OwnedOrganization) bool { return o.Others }) {
			r.Owners = append(r.Owners, u.Login())
			return nil
		}
		r.Deleted = append(r.Deleted, u.Login())
		return db.DeleteUser(ctx, u)
	case EventDisabled:
		r.Disabled = append(r.Disabled, u.Login())
		return db.DisableUser(ctx, u)
	case EventEnabled:
		r.Disabled = slices.DeleteFunc(r.Disabled, func(name string) bool { return name == u.Login() })
		return db.EnableUser(ctx, u)
	case EventPasswordChanged, EventPasswordReset, EventPasswordRemoved, EventChangeReported:
		return db.replayPassword(ctx, r, u)
	case EventEmailConfirmed:
		return db.replayEmail(ctx, r, u, e)
	case EventRecoveryCodeUsed, EventRecoveryCodesCreated:
		if codes, err := db.RecoveryCodes(ctx, u.ID); err != nil || len(codes) == 0 {
			return err
		}
		r.RecoveryCodes = append(r.RecoveryCodes, u.Login())
		return db.deleteRecoveryCodes(ctx, u.ID)
	case EventAuthenticatorRemoved:
		apps, err := db.Authenticators(ctx, u.ID)
		if len(apps) > 0 && !slices.Contains(r.Apps, u.Login()) {
			r.Apps = append(r.Apps, u.Login())
		}
		return err
	case EventFactorsReset:
		return db.ResetFactors(ctx, u)
	case EventOperatorRevoked:
		return db.SetOperator(ctx, u, "")
	case EventRecoveryFinished:
		if err := db.deleteWaysIn(ctx, u.ID); err != nil {
			return err
		}
		return db.replayPassword(ctx, r, u)
	case EventPasskeyRemoved: // it doesn't say which
		if has, err := db.HasPasskey(ctx, u.ID); err != nil || !has {
			return err
		}
		r.Passkeys = append(r.Passkeys, u.Login())
		return db.deletePasskeys(ctx, u.ID)
	case EventConnectionRemoved: // likewise
		if has, err := db.hasIdentity(ctx, u.ID); err != nil || !has {
			return err
		}
		r.Identities = append(r.Identities, u.Login())
		return db.deleteIdentities(ctx, u.ID)
	}
	return nil
}

// replayPassword voids the password of u, which is an old one.
func (db *DB) replayPassword(ctx context.Context, r *Restored, u *User) error {
	if u.PasswordHash == "" {
		return nil
	}
	r.Passwords = append(r.Passwords, u.Login())
	u.PasswordHash = "" // matches no password
	return db.updateUser(ctx, u, "password_hash")
}

// replayEmail gives u the address again that e confirmed. Whoever reads the mail of the
// old one could otherwise reset the password.
func (db *DB) replayEmail(ctx context.Context, r *Restored, u *User, e Event) error {
	if e.Detail.Email == "" { // an earlier version recorded it, or it was erased
		if u.Verified() {
			r.Outdated = append(r.Outdated, u.Login())
		}
		return nil
	}
	changed := *u
	changed.Email, changed.VerifiedAt = e.Detail.Email, e.CreatedAt
	err := db.updateUser(ctx, &changed, "email", "email_key", "verified_at")
	if taken := new(TakenError); errors.As(err, &taken) {
		r.Outdated = append(r.Outdated, u.Login())
		return nil
	}
	if err == nil && changed.EmailKey != u.EmailKey {
		r.Emails = append(r.Emails, u.Login())
	}
	return err
}
