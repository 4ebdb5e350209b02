package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"vestibule/app"
	"vestibule/app/breached"
	"vestibule/app/mail"
	"vestibule/app/secrets"
	"vestibule/models"
)

// check is the command that tells an operator whether a site would work.
type check struct {
	JSON bool `name:"json" help:"Print a JSON array."`
}

// Help returns the details that --help prints below the summary.
func (check) Help() string {
	return "Run it with the settings of the site, before it starts or while it runs. It writes one row to the database and signs in to the mail server, but sends nothing. " +
		"For each problem it says what to do. The exit code is 1 if a site would not work; a warning leaves it at 0."
}

// The states of a check.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// checkRow is the result of a check, as printed.
type checkRow struct {
	Check string `json:"check"`
	State string `json:"state"`
	Found string `json:"found"`
	Do    string `json:"do,omitempty"` // what the operator can do about it
}

func passed(found string, args ...any) checkRow {
	return checkRow{State: checkOK, Found: fmt.Sprintf(found, args...)}
}

func skipped(found string) checkRow { return checkRow{State: checkSkipped, Found: found} }

func warned(do, found string, args ...any) checkRow {
	return checkRow{State: checkWarning, Found: fmt.Sprintf(found, args...), Do: do}
}

func failed(do, found string, args ...any) checkRow {
	return checkRow{State: checkFailed, Found: fmt.Sprintf(found, args...), Do: do}
}

// checkTimeout is how long one check may take. A mail server may take half a minute.
const checkTimeout = 40 * time.Second

func (c check) Run(ctx context.Context, config *app.Config, log *slog.Logger) error {
	var rows []checkRow
	add := func(name string, run func(ctx context.Context) checkRow) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		row := run(ctx)
		row.Check = name
		rows = append(rows, row)
	}
	add("settings", func(context.Context) checkRow { return checkSettings(config) })
	var db *models.DB
	add("database", func(ctx context.Context) (row checkRow) { db, row = checkDatabase(ctx, config); return row })
	if db != nil {
		defer db.Close()
	}
	onDB := func(name string, run func(ctx context.Context) checkRow) {
		add(name, func(ctx context.Context) checkRow {
			if db == nil {
				return skipped("the database doesn't answer")
			}
			return run(ctx)
		})
	}
	onDB("schema", func(ctx context.Context) checkRow { return checkSchema(ctx, db) })
	onDB("writing", func(ctx context.Context) checkRow { return checkWriting(ctx, db) })
	onDB("clock", func(ctx context.Context) checkRow { return checkClock(ctx, db) })
	add("disk", func(context.Context) checkRow { return checkDisk(config) })
	add("hashing", func(context.Context) checkRow { return checkHashing(config, log) })
	add("breached passwords", func(context.Context) checkRow { return checkBreached(config) })
	onDB("secret keys", func(ctx context.Context) checkRow { return checkSecretKeys(ctx, config, db) })
	add("mail", func(ctx context.Context) checkRow { return checkMail(ctx, config) })
	add("proxy", func(context.Context) checkRow { return checkProxy(config) })
	return c.print(rows)
}

// print prints the results. It returns an error if a check failed.
func (c check) print(rows []checkRow) error {
	list := newList(c.JSON, "STATE", "CHECK", "FOUND")
	failures := 0
	for _, row := range rows {
		if row.State == checkFailed {
			failures++
		}
		if err := list.add(row, row.State, row.Check, oneLine(row.Found)); err != nil {
			return err
		}
		if row.Do != "" && !c.JSON {
			printCells(list.table, "", "", "→ "+row.Do)
		}
	}
	if err := list.end(); err != nil {
		return err
	}
	if failures > 0 {
		return fmt.Errorf("a site would not work (checks that failed: %d)", failures)
	}
	return nil
}

// oneLine joins the lines of an error.
func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ") }

func checkSettings(config *app.Config) checkRow {
	site := *config
	if err := site.ValidateSite(); err != nil {
		return failed("Correct these settings; vestibule --help explains each.", "%v", err)
	}
	return passed("ENV=%s, BASE_URL=%s", site.Env, site.BaseURL)
}

func checkDatabase(ctx context.Context, config *app.Config) (*models.DB, checkRow) {
	db, err := openExisting(ctx, config)
	if err != nil {
		return nil, failed("Check that the database runs, that DATABASE_URL names it, and that its user may connect.", "%v", err)
	}
	return db, passed("%s", db.Name())
}

func checkSchema(ctx context.Context, db *models.DB) checkRow {
	if err := migrated(ctx, db); err != nil {
		return failed("Back up, and run vestibule migrate up.", "%v", err)
	}
	if err := db.CheckSchema(ctx); err != nil {
		return failed("Somebody changed the tables by hand: compare them with a new database, or restore a backup.", "%v", err)
	}
	return passed("every migration has run")
}

func checkWriting(ctx context.Context, db *models.DB) checkRow {
	if err := db.CheckWrite(ctx); err != nil {
		return failed("Check that the disk isn't full, that the server is no standby, and that the database's user may write.", "%v", err)
	}
	return passed("a row was written")
}

// Bounds of how far the clocks of the program and the database may be apart. A code of an
// authenticator app is good for half a minute.
const (
	oddSkew = 2 * time.Second
	badSkew = 30 * time.Second
)

func checkClock(ctx context.Context, db *models.DB) checkRow {
	if !db.Postgres() {
		return skipped("SQLite has no clock of its own")
	}
	skew, err := db.ClockSkew(ctx)
	if err != nil {
		return failed("Check the database.", "%v", err)
	}
	const do = "Run NTP, such as chrony, on both machines: sessions, waits and security codes depend on the time."
	switch skew = skew.Round(time.Millisecond); {
	case skew.Abs() > badSkew:
		return failed(do, "the database's clock differs by %s", skew)
	case skew.Abs() > oddSkew:
		return warned(do, "the database's clock differs by %s", skew)
	default:
		return passed("the database's clock differs by %s", skew)
	}
}

// Bounds of the free disk space in bytes.
const (
	littleSpace = 1 << 30
	noSpace     = 100 << 20
)

func checkDisk(config *app.Config) checkRow {
	path, ok := sqlitePath(config)
	if !ok {
		return skipped("PostgreSQL's disk is on its server: watch it there")
	}
	folder := filepath.Dir(path)
	free, err := freeSpace(folder)
	if err != nil {
		return skipped(err.Error())
	}
	const do = "Make room, or move the database: without space, nobody can sign in."
	switch found := humanize.Bytes(free) + " are free in " + plain(folder); {
	case free < noSpace:
		return failed(do, "%s", found)
	case free < littleSpace:
		return warned(do, "%s", found)
	default:
		return passed("%s", found)
	}
}

// slowHash is how long a person can wait for a hash.
const slowHash = time.Second

func checkHashing(config *app.Config, log *slog.Logger) checkRow {
	hashes := hashProcess(log)
	defer hashes.Close()
	took, err := app.TryHash(config, hashes)
	took = took.Round(time.Millisecond)
	switch {
	case err != nil:
		return failed("Give the program more memory, or lower ARGON2_MEMORY to another of the pairs.", "%v", err)
	case took > slowHash:
		return warned("Lower ARGON2_MEMORY and ARGON2_TIME to another of the pairs, or use a faster machine.", "one hash took %s", took)
	}
	return passed("one hash took %s", took)
}

func checkBreached(config *app.Config) checkRow {
	if config.Breached == "" {
		return skipped("BREACHED_PASSWORDS is not set")
	}
	if _, err := breached.Open(config.Breached); err != nil { // the end of the program closes it
		return failed("Put the file in its place, or make it with vestibule breached build.", "%v", err)
	}
	return passed("%s is used", config.Breached)
}

func checkSecretKeys(ctx context.Context, config *app.Config, db *models.DB) checkRow {
	if err := readSecretKeys(config); err != nil {
		return failed("Set SECRET_KEYS; vestibule secrets new prints a key.", "%v", err)
	}
	keys, err := secrets.Parse(config.SecretKeys)
	if err != nil {
		return failed("Correct SECRET_KEYS.", "%v", err)
	}
	used, err := db.SecretKeyIDs(ctx)
	if err != nil {
		return failed("Run vestibule migrate up.", "%v", err)
	}
	for _, id := range used {
		if !keys.Has(id) {
			return failed("Put it back: without it, a site doesn't start, because people who use an app could not sign in.", "SECRET_KEYS lacks the key %q, which encrypts the secrets of authenticator apps", id)
		}
	}
	if keys.First() == "" {
		return warned("Set SECRET_KEYS; vestibule secrets new prints a key.", "SECRET_KEYS is not set: nobody can add an authenticator app")
	}
	return passed("the first encrypts, and none is missing")
}

func checkMail(ctx context.Context, config *app.Config) checkRow {
	if config.SMTPURL == "" {
		if config.Production() {
			return failed("Set SMTP_URL and MAIL_FROM.", "SMTP_URL is not set: nobody gets mail")
		}
		return skipped("SMTP_URL is not set: mail is shown on /dev/mail")
	}
	server, err := mail.NewSMTP(config.SMTPURL, config.MailFrom)
	if err == nil {
		err = server.Check(ctx)
	}
	if err != nil {
		return failed("Check the host, port, user and password in SMTP_URL, and that no firewall is in between. Then try vestibule mail test ADDRESS.", "%v", err)
	}
	return passed("the server accepts a sign-in; vestibule mail test ADDRESS sends a mail")
}

func checkProxy(config *app.Config) checkRow {
	base, err := url.Parse(config.BaseURL)
	switch {
	case err != nil || config.BaseURL == "":
		return skipped("BASE_URL is not set")
	case config.Secure() && config.TrustedProxies == "":
		return warned("Set TRUSTED_PROXIES to the address from which the proxy connects, such as 127.0.0.1.",
			"BASE_URL is https, so a proxy is in front, but TRUSTED_PROXIES names none: everybody counts as one address")
	case config.TrustedProxies == "":
		return passed("there is none in front of %s", base.Host)
	}
	return passed("X-Forwarded-For counts from %s", config.TrustedProxies)
}
