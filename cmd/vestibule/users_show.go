package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"vestibule/app"
	"vestibule/app/device"
	"vestibule/models"
)

// shownUser is all that users show prints, as JSON.
type shownUser struct {
	userRow
	CanSignIn     bool             `json:"can_sign_in"`
	SignIn        string           `json:"sign_in"` // in words
	Factors       factorsRow       `json:"factors"`
	RequiredBy    []requirementRow `json:"second_factor_required_by"`
	Recovery      *recoveryRow     `json:"recovery,omitempty"`
	Sessions      int              `json:"sessions"`
	Browsers      []browserRow     `json:"browsers"`
	Organizations []membershipRow  `json:"organizations"`
	DeleteAfter   time.Time        `json:"delete_after,omitzero"`
	Throttles     []throttleRow    `json:"throttles"`
	Failures      []failureRow     `json:"failures"`
	Mail          []queuedMailRow  `json:"mail"` // that waits
	Refused       []mailRow        `json:"refused"`
	RefusedMail   int              `json:"refused_mail"`
}

// maxShown is how many rows of a kind are shown, to fit on a screen. JSON has all
// organizations, browsers and mail that waits.
const maxShown = 5

// readUser reads what users show prints.
func readUser(ctx context.Context, config *app.Config, db *models.DB, user *models.User) (*shownUser, error) {
	s := &shownUser{userRow: newUserRow(user), DeleteAfter: user.DeletedAt(config.UnconfirmedMax).UTC(),
		Browsers: []browserRow{}, Organizations: []membershipRow{}, Failures: []failureRow{}, Mail: []queuedMailRow{}, Refused: []mailRow{}}
	sessions, err := db.Sessions(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	s.Sessions = len(sessions)
	waits, err := db.Throttles(ctx, user)
	if err != nil {
		return nil, err
	}
	s.Throttles = newThrottleRows(waits)
	factors, err := db.Factors(ctx, user)
	if err != nil {
		return nil, err
	}
	browsers, err := db.Browsers(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	trusted := 0
	for i := range browsers {
		row := newBrowserRow(&browsers[i])
		if row.TrustedUntil != nil {
			trusted++
		}
		s.Browsers = append(s.Browsers, row)
	}
	s.Factors = newFactorsRow(factors, trusted)
	requiring, err := db.RequiringOrganizations(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	s.RequiredBy = newRequirementRows(config, user, requiring)
	recovery, err := db.RecoveryOf(ctx, user.ID)
	if err != nil && !errors.Is(err, models.ErrNotFound) {
		return nil, err
	}
	s.Recovery = newRecoveryRow(recovery)
	memberships, err := db.Memberships(ctx, user.ID)
	if err != nil {
		return nil, err
	}
	for _, m := range memberships {
		s.Organizations = append(s.Organizations, membershipRow{m.Organization.Slug, m.Organization.Name, m.Role.Name, m.CreatedAt.UTC()})
	}
	events, err := db.Events(ctx, user.ID, models.EventFilter{Kinds: models.RefusedEvents()}, uuid.Nil, maxShown)
	if err != nil {
		return nil, err
	}
	for i := range events {
		s.Failures = append(s.Failures, newFailureRow(&events[i]))
	}
	for m, err := range db.AllMail(ctx, user) {
		if err != nil {
			return nil, err
		}
		s.Mail = append(s.Mail, newQueuedMailRow(m))
	}
	for m, err := range db.AllRefusedMail(ctx, user.ID) {
		if err != nil {
			return nil, err
		}
		if s.RefusedMail++; s.RefusedMail <= maxShown {
			s.Refused = append(s.Refused, newMailRow(m))
		}
	}
	s.CanSignIn, s.SignIn = signInState(user, factors, waits)
	return s, nil
}

// signInState says in one sentence what keeps user from signing in, if anything does.
func signInState(user *models.User, factors models.Factors, waits []models.Throttle) (can bool, why string) {
	wait := models.SignInWait(waits)
	switch {
	case user.Disabled():
		return false, "no: the account is disabled; users enable lifts it"
	case wait != nil:
		return false, fmt.Sprintf("must wait until %s UTC after too many attempts; users unlock lifts it", formatTime(wait.Until))
	case !factors.WayIn():
		return true, "only by mail, with a code or a reset link: there is no password, passkey or connected account"
	}
	return true, "yes"
}

func (c usersShow) Run(ctx context.Context, config *app.Config) error {
	return c.onUser(ctx, config, func(db *models.DB, user *models.User) error {
		s, err := readUser(ctx, config, db, user)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(os.Stdout, s)
		}
		return s.print(user)
	})
}

// print prints s as a table of two columns.
func (s *shownUser) print(user *models.User) error {
	table := newTable(os.Stdout)
	line := func(name, format string, args ...any) { printCells(table, name, fmt.Sprintf(format, args...)) }
	if user.Username != "" {
		line("Username", "%s", user.Username)
	}
	line("Email", "%s", user.ShownEmail())
	line("Name", "%s", user.FullName())
	line("Can sign in", "%s", s.SignIn)
	line("Verified (UTC)", "%s", formatTime(user.VerifiedAt))
	line("Disabled (UTC)", "%s", formatTime(user.DisabledAt))
	line("Operator", "%s", cmp.Or(string(user.OperatorRole), "no"))
	line("Created (UTC)", "%s", formatTime(user.CreatedAt))
	line("Changed (UTC)", "%s", formatTime(user.UpdatedAt))
	line("Factors", "%s", s.Factors)
	line("Second factor", "%s", requirements(s.RequiredBy))
	line("Sessions", "%d", s.Sessions)
	line("ID", "%s", user.ID)
	if !s.DeleteAfter.IsZero() {
		line("Deleted after (UTC)", "%s", formatTime(s.DeleteAfter))
	}
	if s.Recovery != nil {
		line("Recovery (UTC)", "%s", s.Recovery)
	}
	some(line, "Organization", s.Organizations, func(m membershipRow) string { return fmt.Sprintf("%s (%s): %s", m.Name, m.Slug, m.Role) })
	some(line, "Browser (UTC)", s.Browsers, browserRow.String)
	for _, w := range s.Throttles {
		line("Throttled (UTC)", "%s: wait until %s (attempts: %d); users unlock lifts it", w.Limit, formatTime(w.Until), w.Attempts)
	}
	some(line, "Failed (UTC)", s.Failures, failureRow.String)
	some(line, "Mail (UTC)", s.Mail, func(m queuedMailRow) string {
		return fmt.Sprintf("%s: attempts: %d, next at %s; see mail show %s", m.Kind, m.Attempts, formatTime(m.NextAt), m.ID)
	})
	for _, m := range s.Refused {
		line("Refused mail (UTC)", "%s at %s: %s", m.Kind, formatTime(m.RefusedAt), m.Reason)
	}
	if s.RefusedMail > 0 {
		line("Refused mail", "%d in the last 30 days; see mail refused", s.RefusedMail)
	}
	return table.Flush()
}

// some prints up to maxShown rows by line, and how many there are besides.
func some[Row any](line func(name, format string, args ...any), name string, rows []Row, text func(Row) string) {
	for _, row := range rows[:min(len(rows), maxShown)] {
		line(name, "%s", text(row))
	}
	if more := len(rows) - maxShown; more > 0 {
		line(name, "and %d more; --json shows all", more)
	}
}

// browserRow is a browser that a user has signed in from.
type browserRow struct {
	LastSignInAt time.Time  `json:"last_sign_in_at"`
	TrustedUntil *time.Time `json:"trusted_until"` // nil if it isn't trusted
	Device       string     `json:"device,omitempty"`
}

func newBrowserRow(b *models.Browser) browserRow {
	row := browserRow{LastSignInAt: b.SeenAt.UTC()}
	if b.TrustedUntil.After(time.Now()) {
		row.TrustedUntil, row.Device = new(b.TrustedUntil.UTC()), device.Name(b.UserAgent)
	}
	return row
}

// String says when the browser was used, and how far it is trusted.
func (b browserRow) String() string {
	if b.TrustedUntil == nil {
		return "signed in at " + formatTime(b.LastSignInAt)
	}
	return fmt.Sprintf("signed in at %s, trusted until %s: %s", formatTime(b.LastSignInAt), formatTime(*b.TrustedUntil), b.Device)
}

// membershipRow is a membership as printed.
type membershipRow struct {
	Slug     string    `json:"organization"`
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	JoinedAt time.Time `json:"joined_at"`
}

// failureRow is an attempt to sign in that was refused.
type failureRow struct {
	Kind      string    `json:"kind"`
	IP        string    `json:"ip"`
	Device    string    `json:"device"`
	CreatedAt time.Time `json:"created_at"`
}

func newFailureRow(e *models.Event) failureRow {
	return failureRow{e.Kind, e.IP, device.Name(e.UserAgent), e.CreatedAt.UTC()}
}

// String says when and where from.
func (f failureRow) String() string {
	return fmt.Sprintf("%s at %s from %s, %s", f.Kind, formatTime(f.CreatedAt), f.IP, f.Device)
}
