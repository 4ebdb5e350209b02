package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/text"
	"vestibule/models"
)

type users struct {
	List           usersList           `cmd:"" help:"List users in the order they signed up."`
	Show           usersShow           `cmd:"" help:"Show one user: how they sign in, what keeps them from it, and what was mailed to them."`
	Create         usersCreate         `cmd:"" help:"Create a user, with a password read from standard input."`
	SetPassword    usersSetPassword    `cmd:"" help:"Set a user's password, read from standard input, and end their sessions."`
	SetEmail       usersSetEmail       `cmd:"" help:"Change a user's email address."`
	Verify         usersVerify         `cmd:"" help:"Mark a user's email address as verified."`
	Rename         usersRename         `cmd:"" help:"Change a user's username or name."`
	Export         usersExport         `cmd:"" help:"Print what the site holds about a user, as they can download it."`
	Disable        usersDisable        `cmd:"" help:"Keep a user from signing in and end their sessions."`
	Enable         usersEnable         `cmd:"" help:"Let a disabled user sign in again."`
	ResetFactors   usersResetFactors   `cmd:"" help:"Remove a user's passkeys, authenticator apps and recovery codes, for somebody who has lost them."`
	CancelRecovery usersCancelRecovery `cmd:"" help:"Cancel the recovery that somebody has started for a user."`
	GrantOperator  usersGrantOperator  `cmd:"" help:"Make a user an operator of the site."`
	RevokeOperator usersRevokeOperator `cmd:"" help:"Make an operator of the site a user like any other."`
	Unlock         usersUnlock         `cmd:"" help:"Clear the waits of a user who made too many attempts."`
	Delete         usersDelete         `cmd:"" help:"Permanently delete a user and everything they own."`
}

type (
	usersList struct {
		JSON   bool   `name:"json" help:"Print a JSON array."`
		Limit  uint   `placeholder:"N" help:"Print at most N users (default: all)."`
		Search string `placeholder:"TEXT" help:"Only users whose username, email address or name contains TEXT, ignoring case."`
	}
	usersShow struct {
		login
		JSON bool `name:"json" help:"Print a JSON object."`
	}
	usersCreate struct {
		Username  string `placeholder:"NAME" help:"5 to 32 letters, digits, dots, underscores or hyphens."`
		Email     string `placeholder:"ADDRESS" help:"Email address."`
		FirstName string `placeholder:"NAME" help:"First name."`
		LastName  string `placeholder:"NAME" help:"Last name."`
		Name      string `placeholder:"NAME" help:"Name, with NAMES=one."`
		Verified  bool   `help:"Mark the email address as verified instead of sending a link that verifies it."`
	}
	usersSetPassword struct{ login }
	usersDisable     struct {
		login
		TransferTo string `placeholder:"LOGIN" help:"Make this member the owner of each organization that has no other owner."`
	}
	usersEnable         struct{ login }
	usersUnlock         struct{ login }
	usersResetFactors   struct{ login }
	usersCancelRecovery struct{ login }
	usersGrantOperator  struct {
		login
		Role models.OperatorRole `enum:"support,admin" default:"support" help:"support looks, ends sessions, lifts throttles and sends links; admin does everything."`
	}
	usersRevokeOperator struct{ login }
	usersDelete         struct {
		login
		Yes                 bool   `help:"Don't ask for confirmation."`
		TransferTo          string `xor:"organizations" placeholder:"LOGIN" help:"Make this member the owner of each organization that has no other owner."`
		DeleteOrganizations bool   `xor:"organizations" help:"Delete the organizations that have no other owner, with everything in them."`
	}
)

const passwordHelp = "On a terminal, you're asked for the password twice and it isn't shown. Otherwise it is the first line of standard input, " +
	"as in \"vestibule %s < FILE\". It can't be an argument, because other users of the machine could read it. " +
	"The site's password rules apply."

// Help returns the details that --help prints below the summary.
func (usersCreate) Help() string { return fmt.Sprintf(passwordHelp, "users create … ") }

// Help returns the details that --help prints below the summary.
func (usersSetPassword) Help() string { return fmt.Sprintf(passwordHelp, "users set-password LOGIN") }

// Help returns the details that --help prints below the summary.
func (usersDelete) Help() string {
	return "On a terminal, you're asked to type the username, or the email address of a user without one. Otherwise --yes is required. Organizations without other members are deleted too."
}

// Help returns the details that --help prints below the summary.
func (usersResetFactors) Help() string {
	return "Make sure that it's really them who asks: afterwards the password alone signs them in, or a mailed link if they have none. Sessions stay; they get an email."
}

// Help returns the details that --help prints below the summary.
func (usersGrantOperator) Help() string {
	return "It opens the pages at /admin, which require a second factor unless ADMIN_SECOND_FACTOR is off. Run it again with another --role to change the role."
}

// Help returns the details that --help prints below the summary.
func (usersCancelRecovery) Help() string {
	return "users show says whether one waits. They get an email. Somebody who reads their mail can start another."
}

// Help returns the details that --help prints below the summary.
func (usersUnlock) Help() string {
	return "It forgets the attempts at the user's account and with their email address. If attempts from their IP address must wait too, see throttles clear."
}

func (c usersList) Run(ctx context.Context, config *app.Config) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		columns := []string{"USERNAME", "EMAIL", "NAME", "VERIFIED (UTC)", "DISABLED (UTC)", "CREATED (UTC)", "ID"}
		if config.Usernames == models.UsernamesOff {
			columns = columns[1:]
		}
		list := newList(c.JSON, columns...)
		for user, err := range db.AllUsers(ctx, c.Search) {
			if err != nil {
				return err
			}
			cells := []string{cmp.Or(user.Username, "-"), user.ShownEmail(), user.FullName(),
				formatTime(user.VerifiedAt), formatTime(user.DisabledAt), formatTime(user.CreatedAt), user.ID.String()}
			if err := list.add(newUserRow(user), cells[len(cells)-len(columns):]...); err != nil {
				return err
			}
			if list.rows == c.Limit {
				break
			}
		}
		return list.end()
	})
}

// checkFlags returns an error if flags are missing, or the site has no such names.
func (c usersCreate) checkFlags(config *app.Config) error {
	var missing []string
	require := func(value, flag string) {
		if value == "" {
			missing = append(missing, flag)
		}
	}
	if config.Usernames.Required() {
		require(c.Username, "--username=NAME")
	}
	require(c.Email, "--email=ADDRESS")
	if config.Names == models.NamesOne {
		require(c.Name, "--name=NAME")
	} else {
		require(c.FirstName, "--first-name=NAME")
		require(c.LastName, "--last-name=NAME")
	}
	if missing != nil {
		return errors.New("missing flags: " + strings.Join(missing, ", "))
	}
	return namesGiven{c.Username, c.FirstName, c.LastName, c.Name}.check(config)
}

// namesGiven are the names in a command.
type namesGiven struct{ username, first, last, whole string }

// check returns an error if the site has no such names.
func (n namesGiven) check(config *app.Config) error {
	switch {
	case config.Usernames == models.UsernamesOff && n.username != "":
		return errors.New("with USERNAMES=off, leave out the username")
	case config.Names == models.NamesOne && n.first+n.last != "":
		return errors.New("with NAMES=one, pass --name instead of --first-name and --last-name")
	case config.Names != models.NamesOne && n.whole != "":
		return errors.New("--name is for NAMES=one: pass --first-name and --last-name")
	}
	return nil
}

func (c usersCreate) Run(ctx context.Context, config *app.Config) error {
	if err := c.checkFlags(config); err != nil {
		return err
	}
	return onDatabase(ctx, config, func(db *models.DB) error {
		pw, again, err := readPassword(ctx)
		if err != nil {
			return err
		}
		user := &models.User{Username: c.Username, Email: c.Email, FirstName: cmp.Or(c.Name, c.FirstName), LastName: c.LastName}
		if c.Verified {
			user.VerifiedAt = time.Now().UTC()
		}
		err = app.CreateUser(ctx, config, user, pw, again, func() error {
			return audited(ctx, db, models.EventCreated, func(tx *models.DB) (uuid.UUID, error) {
				err := tx.CreateUser(ctx, user)
				return user.ID, err
			})
		})
		if err != nil {
			return fmt.Errorf("the user was not created:\n%w", err)
		}
		fmt.Printf("Created %s with ID %s\n", plain(user.Login()), user.ID)
		if at := user.DeletedAt(config.UnconfirmedMax); !at.IsZero() {
			fmt.Printf("Unless the email address is confirmed, the account will be deleted at %s UTC (UNCONFIRMED_MAX)\n", formatTime(at))
		}
		return nil
	})
}

func (c usersSetPassword) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		pw, again, err := readPassword(ctx)
		if err != nil {
			return err
		}
		err = app.ChangePassword(ctx, config, user, pw, again, func(hash string) error {
			return audited(ctx, db, models.EventPasswordChanged, func(tx *models.DB) (uuid.UUID, error) {
				_, err := tx.ChangePassword(ctx, user, hash, nil) // ends every session
				return user.ID, err
			})
		})
		if err != nil {
			return fmt.Errorf("the password was not changed:\n%w", err)
		}
		fmt.Printf("Changed the password of %s and ended their sessions\n", plain(user.Login()))
		return nil
	})
}

func (c usersDisable) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		since := user.DisabledAt
		var handed, left []models.Organization
		err := db.InTx(ctx, func(tx *models.DB) (err error) {
			if handed, err = handOver(ctx, tx, user, c.TransferTo); err != nil || user.Disabled() { // keep the original time
				return err
			}
			return audited(ctx, tx, models.EventDisabled, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.DisableUser(ctx, user) })
		})
		if err != nil {
			return err
		}
		if left, err = db.LeftWithoutOwner(ctx, user); err != nil {
			return err
		}
		if since.IsZero() {
			fmt.Printf("Disabled %s and ended their sessions\n", plain(user.Login()))
		} else {
			fmt.Printf("%s has been disabled since %s UTC\n", plain(user.Login()), formatTime(since))
		}
		printEach("Transferred", handed)
		if len(left) > 0 {
			fmt.Printf("No owner can sign in to %s: run users disable %s --transfer-to LOGIN to name another\n", organizationList(left), plain(user.Login()))
		}
		return nil
	})
}

func (c usersEnable) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		if !user.Disabled() {
			fmt.Printf("%s isn't disabled\n", plain(user.Login()))
			return nil
		}
		err := audited(ctx, db, models.EventEnabled, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.EnableUser(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("Enabled %s\n", plain(user.Login()))
		return nil
	})
}

func (c usersUnlock) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		err := audited(ctx, db, models.EventUnlocked, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.LiftThrottles(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("Unlocked %s\n", plain(user.Login()))
		return nil
	})
}

func (c usersResetFactors) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		err := audited(ctx, db, models.EventFactorsReset, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.ResetFactors(ctx, user) })
		if err != nil {
			return err
		}
		fmt.Printf("Removed the passkeys, authenticator apps and recovery codes of %s\n", plain(user.Login()))
		return nil
	})
}

func (c usersGrantOperator) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		if user.OperatorRole == c.Role {
			fmt.Printf("%s is an operator already\n", plain(user.Login()))
			return nil
		}
		err := audited(ctx, db, models.EventOperatorGranted, func(tx *models.DB) (uuid.UUID, error) {
			return user.ID, tx.SetOperator(ctx, user, c.Role)
		})
		if err != nil {
			return err
		}
		fmt.Printf("Made %s an operator with the role %s\n", plain(user.Login()), c.Role)
		return nil
	})
}

func (c usersRevokeOperator) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		if !user.Operator() {
			fmt.Printf("%s isn't an operator\n", plain(user.Login()))
			return nil
		}
		err := audited(ctx, db, models.EventOperatorRevoked, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.SetOperator(ctx, user, "") })
		if err != nil {
			return err
		}
		fmt.Printf("%s is no longer an operator\n", plain(user.Login()))
		return nil
	})
}

func (c usersCancelRecovery) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		err := audited(ctx, db, models.EventRecoveryCanceled, func(tx *models.DB) (uuid.UUID, error) {
			canceled, err := tx.CancelRecovery(ctx, user)
			if err == nil && !canceled {
				err = models.ErrNotFound
			}
			return user.ID, err
		})
		if errors.Is(err, models.ErrNotFound) {
			fmt.Printf("No recovery of %s waits\n", plain(user.Login()))
			return nil
		}
		if err != nil {
			return err
		}
		fmt.Printf("Canceled the recovery of %s\n", plain(user.Login()))
		return nil
	})
}

func (c usersDelete) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		left, err := db.LeftWithoutOwner(ctx, user)
		if err != nil {
			return err
		}
		if len(left) > 0 && c.TransferTo == "" && !c.DeleteOrganizations {
			return fmt.Errorf("%s is the last owner of %s, which other members use: "+
				"pass --transfer-to LOGIN to make one of them the owner, or --delete-organizations", plain(user.Login()), organizationList(left))
		}
		if !c.Yes {
			if !c.DeleteOrganizations {
				left = nil
			}
			if err := confirmDelete(ctx, user, left); err != nil {
				return err
			}
		}
		var handed, deleted []models.Organization
		err = db.InTx(ctx, func(tx *models.DB) (err error) {
			if handed, err = handOver(ctx, tx, user, c.TransferTo); err != nil {
				return err
			}
			if c.DeleteOrganizations {
				if deleted, err = deleteOwned(ctx, tx, user); err != nil {
					return err
				}
			}
			return audited(ctx, tx, models.EventDeleted, func(tx *models.DB) (uuid.UUID, error) { return user.ID, tx.DeleteUser(ctx, user) })
		})
		if err != nil {
			return err
		}
		fmt.Printf("Deleted %s\n", plain(user.Login()))
		printEach("Transferred", handed)
		printEach("Deleted", deleted)
		return nil
	})
}

// confirmDelete asks the operator to type the username, and returns an error if they
// don't. It names the organizations that go too.
func confirmDelete(ctx context.Context, user *models.User, organizations []models.Organization) error {
	if !onTerminal() {
		return errors.New("deleting a user can't be undone: run it on a terminal to confirm, or pass --yes")
	}
	if len(organizations) > 0 {
		fmt.Fprintf(os.Stderr, "This also deletes %s for all their members.\n", organizationList(organizations))
	}
	fmt.Fprintf(os.Stderr, "Type %s to permanently delete this account and everything it owns: ", plain(user.Login()))
	typed, err := readLine(ctx, bufio.NewReader(os.Stdin))
	if err != nil {
		return err
	}
	if text.EmailKey(text.Line(typed)) != text.EmailKey(user.Login()) {
		what := "username"
		if user.Username == "" {
			what = "email address"
		}
		return fmt.Errorf("the %s doesn't match: nothing was deleted", what)
	}
	return nil
}

// login is the argument that names a user.
type login struct {
	Login string `arg:"" help:"Username, email address or ID, ignoring case."`
}

// onUser runs f on the user, and reports if they were changed or deleted meanwhile.
func (l login) onUser(ctx context.Context, config *app.Config, f func(db *models.DB, user *models.User) error) error {
	return onDatabase(ctx, config, func(db *models.DB) error {
		user, err := findUser(ctx, db, l.Login)
		if err != nil {
			return err
		}
		err = f(db, user)
		if errors.Is(err, models.ErrChanged) {
			return fmt.Errorf("%s was changed or deleted in the meantime: nothing was done", plain(user.Login()))
		}
		return err
	})
}

// findUser returns the user with that username, email address or id.
func findUser(ctx context.Context, db *models.DB, login string) (*models.User, error) {
	typed := text.Line(strings.ToValidUTF8(login, "\uFFFD"))
	user, err := db.UserByIDOrLogin(ctx, typed)
	if errors.Is(err, models.ErrNotFound) {
		return nil, noUser(login)
	}
	return user, err
}

func noUser(login string) error { return fmt.Errorf("no user %s", plain(login)) }

// factorsRow says how a user signs in.
type factorsRow struct {
	Password        bool `json:"password"`
	Passkeys        int  `json:"passkeys"`
	Apps            int  `json:"authenticators"`
	RecoveryCodes   int  `json:"recovery_codes"`
	TrustedBrowsers int  `json:"trusted_browsers"`
	Connections     int  `json:"connections"`
}

func newFactorsRow(f models.Factors, trusted int) factorsRow {
	return factorsRow{f.Password, f.Passkeys, f.Apps, f.RecoveryCodes, trusted, f.Identities}
}

// String lists the factors that a user has.
func (f factorsRow) String() string {
	var list []string
	if f.Password {
		list = append(list, "password")
	}
	for _, some := range []struct {
		what string
		n    int
	}{{"passkeys", f.Passkeys}, {"authenticator apps", f.Apps}, {"recovery codes", f.RecoveryCodes}, {"trusted browsers", f.TrustedBrowsers}, {"connected accounts", f.Connections}} {
		if some.n > 0 {
			list = append(list, fmt.Sprintf("%s: %d", some.what, some.n))
		}
	}
	return cmp.Or(strings.Join(list, ", "), "none")
}

// requirementRow says who requires a second factor of a user, and from when.
type requirementRow struct {
	Organization string    `json:"organization,omitempty"` // its address; empty for the site
	From         time.Time `json:"from,omitzero"`          // zero for the site
	NoTrust      bool      `json:"no_trust"`               // trusted browsers don't stand in for it
}

func newRequirementRows(config *app.Config, user *models.User, organizations []models.Organization) []requirementRow {
	rows := []requirementRow{}
	site := models.SitePolicy{SecondFactor: models.Whom(config.SecondFactor)}
	if site.Requires(user) {
		rows = append(rows, requirementRow{NoTrust: config.TrustBrowser == 0})
	}
	for _, o := range organizations {
		rows = append(rows, requirementRow{o.Slug, o.SecondFactorFrom.UTC(), o.NoTrust})
	}
	return rows
}

// requirements lists who requires a second factor of a user.
func requirements(rows []requirementRow) string {
	var list []string
	for _, r := range rows {
		who := "the site"
		if r.Organization != "" {
			who = fmt.Sprintf("%s from %s UTC", r.Organization, formatTime(r.From))
		}
		if r.NoTrust {
			who += " (also in trusted browsers)"
		}
		list = append(list, who)
	}
	if list == nil {
		return "not required"
	}
	return "required by " + strings.Join(list, ", ")
}

// recoveryRow is a recovery that waits or can be finished.
type recoveryRow struct {
	CreatedAt time.Time `json:"created_at"`
	ReadyAt   time.Time `json:"ready_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// newRecoveryRow returns nil if there is no recovery.
func newRecoveryRow(r *models.Recovery) *recoveryRow {
	if r == nil {
		return nil
	}
	return &recoveryRow{r.CreatedAt.UTC(), r.ReadyAt.UTC(), r.ExpiresAt.UTC()}
}

// String says how far the recovery is.
func (r *recoveryRow) String() string {
	state := "waits until " + formatTime(r.ReadyAt)
	if !time.Now().Before(r.ReadyAt) {
		state = "can be finished until " + formatTime(r.ExpiresAt)
	}
	return state + "; users cancel-recovery ends it"
}

// userRow is a user as printed, without the password hash.
type userRow struct {
	ID         uuid.UUID  `json:"id"`
	Username   string     `json:"username"`
	Email      string     `json:"email"`
	FirstName  string     `json:"first_name"`
	LastName   string     `json:"last_name"`
	VerifiedAt *time.Time `json:"verified_at"`
	DisabledAt *time.Time `json:"disabled_at"`
	Operator   string     `json:"operator,omitempty"` // the role
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
}

func newUserRow(u *models.User) userRow {
	row := userRow{
		ID:        u.ID,
		Username:  u.Username,
		Email:     u.Email,
		FirstName: u.FirstName,
		LastName:  u.LastName,
		Operator:  string(u.OperatorRole),
		CreatedAt: u.CreatedAt.UTC(),
		UpdatedAt: u.UpdatedAt.UTC(),
	}
	if u.Verified() {
		row.VerifiedAt = new(u.VerifiedAt.UTC())
	}
	if u.Disabled() {
		row.DisabledAt = new(u.DisabledAt.UTC())
	}
	return row
}
