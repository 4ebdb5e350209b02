package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"vestibule/app"
	"vestibule/app/admin"
	"vestibule/migrations"
	"vestibule/models"
)

// restore is the command that puts the file of a backup in place of the database.
type restore struct {
	File string `arg:"" help:"File that vestibule backup wrote."`
	Yes  bool   `help:"Replace a database that holds users, without asking."`
	auditLog
}

// Help returns the details that --help prints below the summary.
func (restore) Help() string {
	return "Stop the site first. The command checks the file, restores it, and then does what vestibule after-restore does. " +
		"If it replaces a database, it reads that database's audit log. Users who were deleted or disabled, or who changed their password, after the backup are treated the same way again. " +
		"On PostgreSQL, it runs pg_restore."
}

// afterRestore is the command that makes a restored database safe to serve.
type afterRestore struct{ auditLog }

// Help returns the details that --help prints below the summary.
func (afterRestore) Help() string {
	return "Run it before the site starts, if you restored the database without vestibule restore. " +
		"A backup brings back what ended since: mailed links that were used, invitations that were revoked, sessions. " +
		"The command ends all sessions, voids all links and invitations, forgets the known browsers and empties the mail queue."
}

// auditLog is the audit log that was kept elsewhere.
type auditLog struct {
	Audit string `placeholder:"FILE" help:"Audit log that vestibule audit --json --limit 0 printed after the backup. It says which users were deleted or disabled, or changed their password, since then."`
}

func (c afterRestore) Run(ctx context.Context, config *app.Config) error {
	later, err := c.events()
	if err != nil {
		return err
	}
	db, err := openExisting(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	return makeSafe(ctx, db, later, c.Audit != "")
}

// events returns the events in the file.
func (l auditLog) events() ([]models.Event, error) {
	if l.Audit == "" {
		return nil, nil
	}
	content, err := os.ReadFile(l.Audit)
	if err != nil {
		return nil, err
	}
	var rows []admin.AuditRow
	if err := json.Unmarshal(content, &rows); err != nil {
		return nil, fmt.Errorf("%s is not what vestibule audit --json prints: %w", plain(l.Audit), err)
	}
	var events []models.Event
	for _, row := range rows {
		e := models.Event{ID: row.ID, Kind: row.Kind, IP: row.IP, UserAgent: row.UserAgent, RequestID: row.RequestID, CreatedAt: row.CreatedAt, Detail: row.Detail, OperatorRole: row.OperatorRole}
		if row.OperatorID != nil {
			e.OperatorID = *row.OperatorID
		}
		if row.ActorID != nil {
			e.ActorID = *row.ActorID
		}
		if row.UserID != nil {
			e.UserID = *row.UserID
		}
		if row.OrganizationID != nil {
			e.OrganizationID = *row.OrganizationID
		}
		events = append(events, e)
	}
	return events, nil
}

func byTime(a, b models.Event) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID.String(), b.ID.String()))
}

func (c restore) Run(ctx context.Context, config *app.Config) error {
	later, err := c.events()
	if err != nil {
		return err
	}
	kind, err := kindOf(c.File)
	if err != nil {
		return err
	}
	path, isSQLite := sqlitePath(config)
	if isSQLite != (kind == kindSQLite) {
		return fmt.Errorf("%s is a backup of %s, and DATABASE_URL names another kind of database", plain(c.File), kind)
	}
	if isSQLite {
		return c.sqlite(ctx, config, path, later)
	}
	return c.postgres(ctx, config, later)
}

// The kinds of backups.
const (
	kindSQLite   = "SQLite"
	kindPostgres = "PostgreSQL"
)

// kindOf returns the kind of a backup by how its file begins.
func kindOf(path string) (string, error) {
	file, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return "", err
	}
	defer file.Close()
	head := make([]byte, 16)
	if _, err := io.ReadFull(file, head); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	switch {
	case string(head) == "SQLite format 3\x00":
		return kindSQLite, nil
	case strings.HasPrefix(string(head), "PGDMP"):
		return kindPostgres, nil
	}
	return "", fmt.Errorf("%s is not a backup", plain(path))
}

// sqlite prepares a copy of the backup and then puts it in place of the database, which
// stays as it is after any error.
func (c restore) sqlite(ctx context.Context, config *app.Config, path string, later []models.Event) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	known := c.Audit != "" // whether later is all that happened
	_, err := os.Stat(path)
	exists := !errors.Is(err, fs.ErrNotExist)
	if exists {
		if err := stopped(ctx, path); err != nil {
			return err
		}
		old, err := open(ctx, config)
		if err != nil { // it may be damaged, which is why there are backups
			fmt.Fprintln(os.Stderr, "The database can't be read:", err)
			old = nil
		}
		since, err := c.replaces(ctx, old)
		if old != nil {
			err = errors.Join(err, old.Close())
		}
		if err != nil {
			return err
		}
		later, known = append(later, since...), known || since != nil
	}
	file, err := copyBackup(c.File, filepath.Dir(path))
	if err != nil {
		return err
	}
	for _, end := range []string{"", "-wal", "-shm", ".migrating"} {
		defer os.Remove(file + end)
	}
	db, err := models.Open(ctx, "sqlite:"+file, 0)
	if err != nil {
		return fmt.Errorf("%s can't be restored: %w", plain(c.File), err)
	}
	db = db.ForUsernames(config.Usernames)
	if err := db.CheckBackup(ctx); err != nil {
		return errors.Join(fmt.Errorf("%s can't be restored: %w", plain(c.File), err), db.Close())
	}
	if err := errors.Join(makeSafe(ctx, db, later, known), db.Close()); err != nil {
		return err
	}
	if _, err := syncFile(file); err != nil {
		return err
	}
	if exists { // somebody may have started the site meanwhile
		if err := stopped(ctx, path); err != nil {
			return err
		}
	}
	return errors.Join(os.Rename(file, path), removeLeft(path+"-wal"), removeLeft(path+"-shm"))
}

// stopped returns an error if a process uses the SQLite database.
func stopped(ctx context.Context, path string) error {
	used, err := models.SQLiteInUse(ctx, path)
	if used {
		err = fmt.Errorf("another process uses %s: stop the site first", plain(path))
	}
	return err
}

func removeLeft(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// copyBackup copies the file to dir, where it gets another name, and returns its path.
func copyBackup(path, dir string) (string, error) {
	from, err := os.Open(path) // #nosec G304 -- the operator names the file
	if err != nil {
		return "", err
	}
	defer from.Close()
	to, err := os.CreateTemp(dir, ".restore-*") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); err != nil {
		return "", errors.Join(err, os.Remove(to.Name()))
	}
	return to.Name(), nil
}

func (c restore) postgres(ctx context.Context, config *app.Config, later []models.Event) error {
	// Read the whole file before anything is dropped.
	if err := postgresTool(ctx, config.DatabaseURL, "pg_restore", "--file="+os.DevNull, c.File); err != nil {
		return fmt.Errorf("%s can't be restored: %w", plain(c.File), err)
	}
	db, err := open(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	others, err := db.OtherConnections(ctx) // this command has one so far
	if err != nil {
		return err
	}
	if others > 0 {
		return fmt.Errorf("%d other connections use the database: stop the site, and whatever else uses it, first", others)
	}
	since, err := c.replaces(ctx, db)
	if err != nil {
		return err
	}
	if err := db.DropTables(ctx); err != nil {
		return err
	}
	settings, err := models.PostgresEnvironment(config.DatabaseURL)
	if err != nil {
		return err
	}
	name := ""
	for _, setting := range settings {
		if value, ok := strings.CutPrefix(setting, "PGDATABASE="); ok {
			name = value
		}
	}
	err = postgresTool(ctx, config.DatabaseURL, "pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--dbname="+name, c.File)
	if err != nil {
		return fmt.Errorf("the database is empty now, because the backup was not restored: %w", err)
	}
	return makeSafe(ctx, db, append(later, since...), c.Audit != "" || since != nil)
}

// replaces asks whether the database may be replaced, and returns what happened in it
// that a restored one must do again, or nil if that is unknown. The db is nil if the
// database can't be read.
func (c restore) replaces(ctx context.Context, db *models.DB) ([]models.Event, error) {
	empty := false
	if db != nil {
		var err error
		if empty, err = db.Empty(ctx); err != nil {
			return nil, err
		}
	}
	if !empty && !c.Yes {
		if err := confirmRestore(ctx); err != nil {
			return nil, err
		}
	}
	if db == nil {
		return nil, nil
	}
	events := []models.Event{}
	for e, err := range db.AllEvents(ctx, models.EventFilter{Kinds: models.ReplayedEvents}) {
		if err != nil && !empty {
			fmt.Fprintln(os.Stderr, "The audit log of the replaced database can't be read:", err)
		}
		if err != nil {
			return nil, nil
		}
		e.User, e.Actor, e.Operator = nil, nil, nil
		events = append(events, *e)
	}
	return events, nil
}

func confirmRestore(ctx context.Context) error {
	if !onTerminal() {
		return errors.New("the database holds users, and restoring deletes them: run it on a terminal to confirm, or pass --yes")
	}
	fmt.Fprint(os.Stderr, "The database holds users. Type replace to delete them and everything else it holds: ")
	typed, err := readLine(ctx, bufio.NewReader(os.Stdin))
	if err != nil {
		return err
	}
	if strings.TrimSpace(typed) != "replace" {
		return errors.New("nothing was restored")
	}
	return nil
}

// makeSafe voids what a backup brought back, and prints what it did and what is left to
// do. Known reports whether later is all that happened after the backup.
func makeSafe(ctx context.Context, db *models.DB, later []models.Event, known bool) error {
	if ran, err := migrations.Up(ctx, db); err != nil { // the backup may be older than what is voided
		return fmt.Errorf("the schema was not brought up to date: run vestibule after-restore before the site starts: %w", err)
	} else if len(ran) > 0 {
		fmt.Printf("Ran %d migrations, because the backup is older than this program\n", len(ran))
	}
	later = slices.DeleteFunc(later, func(e models.Event) bool { return !slices.Contains(models.ReplayedEvents, e.Kind) })
	slices.SortFunc(later, byTime)
	later = slices.CompactFunc(later, func(a, b models.Event) bool { return a.ID == b.ID }) // from two sources
	patient, err := db.WithoutTimeout(ctx)
	if err != nil {
		return err
	}
	r, err := patient.AfterRestore(ctx, later)
	if err := errors.Join(err, patient.Close()); err != nil {
		return fmt.Errorf("what the backup brought back was not voided: run vestibule after-restore before the site starts: %w", err)
	}
	fmt.Printf("Voided %d sessions, %d mailed links, %d invitations, %d known browsers and %d waiting mails\n", r.Sessions, r.Tokens, r.Invitations, r.Browsers, r.Mails)
	for _, list := range []struct {
		words string
		names []string
	}{
		{"Deleted again", r.Deleted},
		{"Disabled again", r.Disabled},
		{"Deleted these organizations again", r.Gone},
		{"Have the email address again to which they changed after the backup", r.Emails},
		{"Changed their email address after the backup, and have the old one again: whoever reads its mail can reset the password", r.Outdated},
		{"Must reset their password with \"Forgot your password?\", because the backup has an old one", r.Passwords},
		{"Must create new recovery codes, because some were used or replaced after the backup", r.RecoveryCodes},
		{"Removed an authenticator app after the backup, which works again; tell them to look at their page Security", r.Apps},
		{"Must add their passkeys again, because they removed one after the backup", r.Passkeys},
		{"Must connect their accounts elsewhere again, because they disconnected one after the backup", r.Identities},
		{"Not deleted again, because they own organizations with other members; transfer those, then run users delete", r.Owners},
	} {
		if len(list.names) > 0 {
			fmt.Printf("%s: %s\n", list.words, plain(strings.Join(list.names, ", ")))
		}
	}
	fmt.Println("Before you start the site:")
	if !known {
		fmt.Println("- Delete again who was deleted after the backup, and tell those who changed their password since that the old one is back. The backup can't know them; an audit log kept elsewhere does (--audit).")
	}
	fmt.Println("- Members who were removed and roles that were changed after the backup are back. Tell the owners of organizations to look.")
	return nil
}
