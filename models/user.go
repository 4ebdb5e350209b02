package models

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"vestibule/app/text"
)

// User is a person with an account. Their names are stored as typed and Email in the
// form of [text.Email]; keys make username and email unique regardless of case.
type User struct {
	bun.BaseModel `bun:"table:users,alias:u"`

	ID           uuid.UUID `bun:",pk"`
	Username     string    // may be empty; see [Naming]
	UsernameKey  string    // see usernameKey
	Email        string
	EmailKey     string
	FirstName    string
	LastName     string
	NameKey      string
	PasswordHash string    // argon2id, in PHC string format; empty if the user has no password
	VerifiedAt   time.Time `bun:",nullzero"` // when the user proved that they own Email
	DisabledAt   time.Time `bun:",nullzero"` // since when the user can't sign in
	CreatedAt    time.Time
	UpdatedAt    time.Time

	// UnconfirmedSince is when the time to confirm an address began. It is zero if the
	// address was verified from the start, or if PurgeUnconfirmed hasn't seen the
	// account yet.
	UnconfirmedSince time.Time `bun:",nullzero"`

	// MailSignInAt is when the user chose that a mailed code is enough of a way in.
	MailSignInAt time.Time `bun:",nullzero"`

	OperatorRole OperatorRole `bun:",nullzero"`
}

// ShownEmail returns the address as people read it.
func (u *User) ShownEmail() string { return text.ShowEmail(u.Email) }

// Verified reports whether the user proved that they own their email address.
func (u *User) Verified() bool { return !u.VerifiedAt.IsZero() }

// HasPassword reports whether the user can sign in with a password.
func (u *User) HasPassword() bool { return u.PasswordHash != "" }

// DeletedAt returns when PurgeUnconfirmed with that retention deletes the user. It
// returns the zero time if it never does, as far as is known.
func (u *User) DeletedAt(retention time.Duration) time.Time {
	if u.Verified() || u.Disabled() || u.UnconfirmedSince.IsZero() || retention == 0 {
		return time.Time{}
	}
	return u.UnconfirmedSince.Add(retention)
}

// Disabled reports whether the user is kept from signing in.
func (u *User) Disabled() bool { return !u.DisabledAt.IsZero() }

// Key returns a key that names share if they differ only in case, normal form or
// invisible characters. The key of an email address is [text.EmailKey].
func Key(s string) string { return text.Key(s) }

// setKeys brings the email address into the form in which it is stored, and computes
// the keys.
func (u *User) setKeys() {
	u.Email = text.Email(u.Email)
	u.UsernameKey, u.EmailKey, u.NameKey = u.usernameKey(), text.EmailKey(u.Email), Key(u.FullName())
}

var userConstraints = map[string]string{
	"username_key": "username",
	"email_key":    "email",
}

// CreateUser stores a new user and fills in its id, keys and times. Unless the
// address is verified, it queues the mail that verifies it. It returns a
// *TakenError if the username or email address is taken.
func (db *DB) CreateUser(ctx context.Context, u *User) error {
	u.ID = newID()
	u.setKeys()
	u.CreatedAt = now()
	u.UpdatedAt = u.CreatedAt
	if !u.Verified() {
		u.UnconfirmedSince = u.CreatedAt
	}
	return db.InTx(ctx, func(tx *DB) error {
		// PostgreSQL would write the address into its log if the insert failed.
		result, err := tx.bun.NewInsert().Model(u).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
		if err != nil {
			return err
		}
		if requireRows(result) != nil {
			return cmp.Or(tx.checkTaken(ctx, u), ErrChanged) // freed just now
		}
		if u.Verified() {
			return nil
		}
		return tx.mailUser(ctx, u, MailVerifyEmail, MailDetail{})
	})
}

// updateUser stores the given columns of u. It returns ErrChanged if u was deleted.
func (db *DB) updateUser(ctx context.Context, u *User, columns ...string) error {
	u.setKeys()
	u.UpdatedAt = now()
	if slices.Contains(columns, "username") || slices.Contains(columns, "email") {
		// The constraint decides, but its failure shows the address in PostgreSQL's log.
		if err := db.checkTaken(ctx, u); err != nil {
			return err
		}
	}
	result, err := db.bun.NewUpdate().Model(u).WherePK().Column(append(columns, "updated_at")...).Exec(ctx)
	if err != nil {
		return asTaken(err, userConstraints)
	}
	return asChanged(requireRows(result))
}

// checkTaken returns a *TakenError if the username or email address of u belongs to
// another user.
func (db *DB) checkTaken(ctx context.Context, u *User) error {
	fields, err := db.Taken(ctx, u.ID, u.Username, u.Email)
	if err != nil || len(fields) == 0 {
		return err
	}
	return &TakenError{Field: fields[0]}
}

// UpdateProfile stores u's username, first name and last name. It returns a
// *TakenError if the username is taken.
func (db *DB) UpdateProfile(ctx context.Context, u *User) error {
	columns := []string{"first_name", "last_name", "name_key"}
	if db.usernames != UsernamesOff { // what an earlier setting stored stays
		columns = append(columns, "username", "username_key")
	}
	return db.updateUser(ctx, u, columns...)
}

// RehashPassword stores a new hash of the same password. It returns ErrChanged if
// the hash has changed since u was read.
func (db *DB) RehashPassword(ctx context.Context, u *User, hash string) error {
	result, err := db.bun.NewUpdate().Model((*User)(nil)).Set("password_hash = ?", hash).
		Where("id = ?", u.ID).Where("password_hash = ?", u.PasswordHash).Exec(ctx)
	if err != nil {
		return err
	}
	if err := asChanged(requireRows(result)); err != nil {
		return err
	}
	u.PasswordHash = hash
	return nil
}

// ChangePassword stores the hash of a new password. It ends every session except s,
// forgets the known browsers, voids emailed tokens and notifies u by email. The
// session s gets a new token, which ChangePassword returns for the cookie; for an
// operator s is nil. It returns ErrChanged if u or s has changed since it was read.
func (db *DB) ChangePassword(ctx context.Context, u *User, hash string, s *Session) (token string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		locked, err := tx.lockUnchanged(ctx, u)
		if err != nil {
			return err
		}
		keep := uuid.Nil
		if s != nil {
			keep = s.ID
			if token, err = tx.replaceToken(ctx, s, nil); err != nil { // a stolen token ends at once
				return err
			}
		}
		actor := u.ID
		if s == nil {
			actor = uuid.Nil
		}
		if err := tx.overtakeRecovery(ctx, locked, actor); err != nil {
			return err
		}
		if err := tx.setPassword(ctx, locked, hash, keep, MailPasswordChanged, MailDetail{}); err != nil {
			return err
		}
		u.PasswordHash = hash
		return nil
	})
	return token, err
}

// RemovePassword removes the password of u, and notifies u by email. Like ChangePassword, it
// ends every session except s, which gets the returned token. If u has neither a passkey nor
// an identity, they thereby choose to sign in by a mailed code. It returns ErrLastWayIn if
// that can't be, as MailWorks says, and ErrChanged if u or s has changed since it was read.
func (db *DB) RemovePassword(ctx context.Context, u *User, s *Session) (token string, err error) {
	err = db.InTx(ctx, func(tx *DB) error {
		locked, err := tx.lockUnchanged(ctx, u)
		if err != nil {
			return err
		}
		without := *locked
		without.PasswordHash = ""
		if err := tx.requireWayIn(ctx, &without); errors.Is(err, ErrLastWayIn) {
			err = tx.chooseMail(ctx, locked)
			if err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if token, err = tx.replaceToken(ctx, s, nil); err != nil {
			return err
		}
		if err := tx.overtakeRecovery(ctx, locked, u.ID); err != nil {
			return err
		}
		if err := tx.setPassword(ctx, locked, "", s.ID, MailFactorChanged, MailDetail{Change: EventPasswordRemoved}); err != nil {
			return err
		}
		u.PasswordHash = ""
		return nil
	})
	return token, err
}

// MailWorks reports whether a mailed code can be the only way in of u: the address is
// confirmed, and no mail to it was refused since.
func (db *DB) MailWorks(ctx context.Context, u *User) (bool, error) {
	if !u.Verified() {
		return false, nil
	}
	refused, err := db.bun.NewSelect().Model((*RefusedMail)(nil)).Where("recipient = ?", u.Email).Where("refused_at > ?", u.VerifiedAt).Exists(ctx)
	return !refused && err == nil, err
}

// chooseMail records that u, who is locked, signs in by a mailed code. It returns
// ErrLastWayIn if mail to them doesn't work.
func (db *DB) chooseMail(ctx context.Context, u *User) error {
	works, err := db.MailWorks(ctx, u)
	if err != nil {
		return err
	}
	if !works {
		return ErrLastWayIn
	}
	u.MailSignInAt = now()
	return db.updateUser(ctx, u, "mail_sign_in_at")
}

// ResetPassword consumes token and stores the hash of a new password for its user. The
// token came from the user's inbox, so it also verifies the address. ResetPassword ends
// every session, forgets the known browsers, voids other emailed tokens and notifies the
// user by email. It returns ErrNotFound if the token was used in the meantime or doesn't
// allow this (see Token.MaySetPassword), or the user is now disabled. If nobody had proved
// the address before, it removes every other factor.
func (db *DB) ResetPassword(ctx context.Context, token *Token, hash string) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		if u.Disabled() || !token.MaySetPassword(u) {
			return ErrNotFound
		}
		if err := tx.useToken(ctx, token); err != nil {
			return err
		}
		if !u.Verified() { // whoever added a factor may not own the address
			if err := tx.deleteWaysIn(ctx, u.ID); err != nil {
				return err
			}
			if err := tx.markVerified(ctx, u); err != nil {
				return err
			}
		}
		token.User = u
		return tx.setPassword(ctx, u, hash, uuid.Nil, MailPasswordReset, MailDetail{})
	})
}

// setPassword stores the hash of a new password of u, or none if it is empty. It ends every
// session except keep, forgets the known browsers, voids emailed tokens and queues notice.
func (db *DB) setPassword(ctx context.Context, u *User, hash string, keep uuid.UUID, notice string, detail MailDetail) error {
	u.PasswordHash = hash
	if err := db.updateUser(ctx, u, "password_hash"); err != nil {
		return err
	}
	if _, err := db.DeleteSessions(ctx, u.ID, keep); err != nil {
		return err
	}
	if err := db.deleteBrowsers(ctx, u); err != nil {
		return err
	}
	if err := db.deleteTokens(ctx, u.ID, ResetPassword, ChangeEmail); err != nil {
		return err
	}
	if err := db.cancelMail(ctx, u.ID, MailChangeEmail); err != nil {
		return err
	}
	return db.mailUser(ctx, u, notice, detail)
}

// RequestEmail queues the mail that confirms email as u's new address. Until u
// confirms it the old address stays. It returns ErrChanged if u has changed since
// it was read.
func (db *DB) RequestEmail(ctx context.Context, u *User, email string) error {
	email = text.Email(email)
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		if err := tx.dropPending(ctx, u); err != nil {
			return err
		}
		return tx.QueueMail(ctx, Mail{Kind: MailChangeEmail, Recipient: email, UserID: u.ID, Detail: MailDetail{Username: u.Username, Email: email}})
	})
}

// PendingEmail returns the address that u asked to change to and may still confirm, or ""
// if there is none. Its mail is in the queue, or its link was sent.
func (db *DB) PendingEmail(ctx context.Context, u *User) (email string, err error) {
	queued := db.bun.NewSelect().Model((*Mail)(nil)).Column("recipient").
		Where("user_id = ?", u.ID).Where("kind = ?", MailChangeEmail)
	sent := db.bun.NewSelect().Model((*Token)(nil)).Column("email").
		Where("user_id = ?", u.ID).Where("purpose = ?", ChangeEmail).Where("expires_at > ?", now())
	err = db.bun.NewSelect().ColumnExpr("coalesce((?), (?), '')", queued.Limit(1), sent.Limit(1)).Scan(ctx, &email)
	return email, err
}

// ResendEmail is RequestEmail for the address that u asked for before. It returns
// ErrChanged if that is no longer pending.
func (db *DB) ResendEmail(ctx context.Context, u *User, email string) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		pending, err := tx.PendingEmail(ctx, u)
		if err != nil {
			return err
		}
		if pending != email {
			return ErrChanged
		}
		return tx.RequestEmail(ctx, u, email)
	})
}

// CancelEmail voids the link that would change u's address. It returns ErrChanged if no
// address is pending.
func (db *DB) CancelEmail(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		pending, err := tx.PendingEmail(ctx, u)
		if err != nil {
			return err
		}
		if pending == "" {
			return ErrChanged
		}
		return tx.dropPending(ctx, u)
	})
}

// dropPending voids the links that would change u's address, and those yet to be sent.
func (db *DB) dropPending(ctx context.Context, u *User) error {
	if err := db.deleteTokens(ctx, u.ID, ChangeEmail); err != nil {
		return err
	}
	return db.cancelMail(ctx, u.ID, MailChangeEmail)
}

// ConfirmEmail consumes token and verifies its address. If that is a new address,
// it replaces the old one, which gets a notification. It returns ErrNotFound if the
// token was used in the meantime or is for an outdated address, or the user is
// disabled, a *TakenError if the address is taken by now, and a *FullError if the user has
// had too many addresses lately.
//
// It leaves the user's sessions and password as they are. So the caller must know that
// the person who set them used the token: by their session, or their password.
// Anybody else proves the address by ResetPassword.
func (db *DB) ConfirmEmail(ctx context.Context, token *Token) error {
	return db.InTx(ctx, func(tx *DB) error {
		u, err := tx.lockUser(ctx, token.UserID)
		if err != nil {
			return err
		}
		if u.Disabled() || token.Purpose != ChangeEmail && u.EmailKey != text.EmailKey(token.Email) {
			return ErrNotFound
		}
		if err := tx.useToken(ctx, token); err != nil {
			return err
		}
		if token.Purpose != ChangeEmail {
			return tx.markVerified(ctx, u)
		}
		old := *u
		u.VerifiedAt, u.Email = now(), token.Email
		return tx.moveEmail(ctx, &old, u, u.ID)
	})
}

// moveEmail stores the new address of u and whether it is verified. It voids links and
// pending sign-ins, cancels a recovery, and tells the address that old has. Actor did it; the
// zero id is an operator.
func (db *DB) moveEmail(ctx context.Context, old, u *User, actor uuid.UUID) error {
	if err := db.updateUser(ctx, u, "email", "email_key", "verified_at"); err != nil {
		return err
	}
	if err := db.replaceEmail(ctx, old, u.EmailKey); err != nil {
		return err
	}
	if err := db.overtakeRecovery(ctx, u, actor); err != nil {
		return err
	}
	if err := db.deleteTokens(ctx, u.ID, VerifyEmail, ChangeEmail, ResetPassword, Recover); err != nil {
		return err
	}
	if err := db.endSignIns(ctx, u.ID); err != nil {
		return err
	}
	return db.mailUser(ctx, old, MailEmailChanged, MailDetail{Email: u.Email})
}

// VerifyUser records that u owns their email address, because an operator says so. It
// returns ErrChanged if u has changed since it was read.
func (db *DB) VerifyUser(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		locked, err := tx.lockUnchanged(ctx, u)
		if err != nil {
			return err
		}
		if locked.Email != u.Email || locked.Verified() {
			return ErrChanged
		}
		return tx.markVerified(ctx, u)
	})
}

// DisableUser keeps u from signing in and ends all their sessions.
func (db *DB) DisableUser(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		u.DisabledAt = now()
		if err := tx.updateUser(ctx, u, "disabled_at"); err != nil {
			return err
		}
		if err := tx.overtakeRecovery(ctx, u, uuid.Nil); err != nil {
			return err
		}
		if err := tx.endImpersonationsOf(ctx, u); err != nil {
			return err
		}
		_, err := tx.DeleteSessions(ctx, u.ID, uuid.Nil)
		return err
	})
}

// EnableUser lets u sign in again.
func (db *DB) EnableUser(ctx context.Context, u *User) error {
	u.DisabledAt = time.Time{}
	return db.updateUser(ctx, u, "disabled_at")
}

// DeleteUser deletes u and, through foreign keys, all they own, and notifies them by
// email. Queued notifications are still sent; mails with a token are not. It
// returns ErrChanged if u has changed since it was read, and a *LastOwnerError if
// an organization with other members would be left without an owner.
func (db *DB) DeleteUser(ctx context.Context, u *User) error {
	return db.InTx(ctx, func(tx *DB) error {
		if _, err := tx.lockUnchanged(ctx, u); err != nil {
			return err
		}
		return tx.deleteLocked(ctx, u)
	})
}

// deleteLocked is DeleteUser for a user that is locked.
func (db *DB) deleteLocked(ctx context.Context, u *User) error {
	if err := db.endImpersonationsOf(ctx, u); err != nil {
		return err
	}
	if err := db.leaveOrganizations(ctx, u); err != nil {
		return err
	}
	if err := db.cancelMail(ctx, u.ID, MailVerifyEmail, MailChangeEmail, MailRecoveryBegun, MailRecoveryReady); err != nil {
		return err
	}
	if err := db.deleteRefusedMail(ctx, u); err != nil {
		return err
	}
	if err := db.eraseEmails(ctx, u); err != nil {
		return err
	}
	if _, err := db.bun.NewDelete().Model(u).WherePK().Exec(ctx); err != nil {
		return err
	}
	return db.mailUser(ctx, u, MailAccountDeleted, MailDetail{})
}

// ParseID reads an id as pages and commands print it, in 36 characters. Of its other forms, 32
// digits may be a username.
func ParseID(s string) (uuid.UUID, error) {
	if len(s) != 36 {
		return uuid.Nil, errors.New("it has another length")
	}
	return uuid.Parse(s)
}

// UserByIDOrLogin is UserByLogin that also takes the user's id.
func (db *DB) UserByIDOrLogin(ctx context.Context, typed string) (*User, error) {
	if id, err := ParseID(typed); err == nil {
		return db.UserByID(ctx, id)
	}
	return db.UserByLogin(ctx, typed)
}

// UserByLogin finds a user by email address or username, in any case and spelling. A username
// can't contain an @, so the two never clash. It returns ErrNotFound if there is
// none.
func (db *DB) UserByLogin(ctx context.Context, login string) (*User, error) {
	column, key := db.loginKey(login)
	u := new(User)
	err := db.bun.NewSelect().Conn(db.prepared(key)).Model(u).Where("? = ?", bun.Ident(column), db.parameter(1)).Scan(ctx)
	if err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// loginKey returns the column of users by which login names one, and its value.
func (db *DB) loginKey(login string) (column, key string) {
	if strings.Contains(login, "@") || db.usernames == UsernamesOff {
		return "email_key", text.EmailKey(login)
	}
	return "username_key", Key(login)
}

// UserByID finds a user. It returns ErrNotFound if there is none.
func (db *DB) UserByID(ctx context.Context, id uuid.UUID) (*User, error) {
	u := new(User)
	if err := db.bun.NewSelect().Conn(db.prepared(id)).Model(u).Where("id = ?", db.parameter(1)).Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// Users lists up to limit users in the order they signed up, starting after the one
// with the id after, which may be zero.
func (db *DB) Users(ctx context.Context, after uuid.UUID, limit int64) ([]User, error) {
	var users []User
	err := db.bun.NewSelect().Model(&users).Where("id > ?", after).Order("id").Limit(limit).Scan(ctx)
	return users, err
}

// hashTail is the length of what follows the parameters in a password hash: a salt of 16
// bytes and a key of 32, in base64, each after a "$".
const hashTail = 1 + 22 + 1 + 43

// SampleHashes returns one password hash for each set of parameters that hashes have.
// Several may have the same parameters if their salts or keys have other lengths.
func (db *DB) SampleHashes(ctx context.Context) ([]string, error) {
	var hashes []string
	err := db.bun.NewSelect().Model((*User)(nil)).ColumnExpr("min(password_hash)").
		Where("length(password_hash) > ?", hashTail).
		GroupExpr("substr(password_hash, 1, length(password_hash) - ?)", hashTail).Limit(100).Scan(ctx, &hashes)
	return hashes, err
}

// lockUser reads a user and, on PostgreSQL, locks the row until the transaction
// ends; SQLite has one writer anyway. Take this lock before any other to avoid
// deadlocks. It returns ErrNotFound if there is no such user.
func (db *DB) lockUser(ctx context.Context, id uuid.UUID) (*User, error) {
	u := new(User)
	query := db.bun.NewSelect().Model(u).Where("id = ?", id)
	if db.Postgres() {
		query = query.For("UPDATE")
	}
	if err := query.Scan(ctx); err != nil {
		return nil, asNotFound(err)
	}
	return u, nil
}

// lockUnchanged locks u's row as lockUser does. It returns ErrChanged if the user was
// deleted, disabled or enabled, or got another password since u was read: earlier
// checks no longer hold.
func (db *DB) lockUnchanged(ctx context.Context, u *User) (*User, error) {
	locked, err := db.lockUser(ctx, u.ID)
	if err != nil {
		return nil, asChanged(err)
	}
	if locked.PasswordHash != u.PasswordHash || locked.Disabled() != u.Disabled() {
		return nil, ErrChanged
	}
	return locked, nil
}

// Taken returns which of username and email belong to a user other than self, or did so
// until lately, as names of form fields. Empty ones belong to nobody.
func (db *DB) Taken(ctx context.Context, self uuid.UUID, username, email string) ([]string, error) {
	usernameKey, emailKey := Key(username), text.EmailKey(email)
	var users []User
	err := db.bun.NewSelect().Conn(db.prepared(usernameKey, emailKey, self)).Model(&users).Column("username_key", "email_key").
		Where("username_key = ? OR email_key = ?", db.parameter(1), db.parameter(2)).
		Where("id <> ?", db.parameter(3)).Scan(ctx)
	var fields []string
	for _, u := range users {
		if usernameKey != "" && u.UsernameKey == usernameKey {
			fields = append(fields, "username")
		}
		if u.EmailKey == emailKey {
			fields = append(fields, "email")
		}
	}
	if err != nil || emailKey == "" || slices.Contains(fields, "email") {
		return fields, err
	}
	// After those of users: an address goes from them to the former ones at once.
	reserved, err := db.reserved(ctx, self, emailKey)
	if reserved {
		fields = append(fields, "email")
	}
	return fields, err
}

// AllUsers iterates over the users in the order they signed up: all of them, or
// those whose username, email address or full name contains search, in any case.
// The search runs here and not in SQL, where the two databases fold case differently.
func (db *DB) AllUsers(ctx context.Context, search string) iter.Seq2[*User, error] {
	search = Key(text.Line(search))
	users := paginate(func(after uuid.UUID) ([]User, error) { return db.Users(ctx, after, pageSize) },
		func(u *User) uuid.UUID { return u.ID })
	return func(yield func(*User, error) bool) {
		for u, err := range users {
			if (err != nil || u.matches(search)) && !yield(u, err) {
				return
			}
		}
	}
}

// matches reports whether the user's username, email address, in either spelling, or name
// contains key, which Key has folded.
func (u *User) matches(key string) bool {
	return u.Username != "" && strings.Contains(u.UsernameKey, key) || strings.Contains(u.EmailKey, text.EmailSearch(key)) ||
		strings.Contains(Key(text.ShowEmail(u.Email)), key) || strings.Contains(u.NameKey, key)
}
