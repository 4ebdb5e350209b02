package account

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/device"
	"vestibule/app/passkey"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
)

// ownProfile is what the site stores about a user in one row. The lists of other rows
// follow it; a feature adds those of its own tables with [web.Kit.Export].
type ownProfile struct {
	Username   string    `json:"username,omitempty"`
	Email      string    `json:"email"`
	FirstName  string    `json:"first_name,omitempty"`
	LastName   string    `json:"last_name,omitempty"`
	Name       string    `json:"name,omitempty"` // if the person has one name
	VerifiedAt time.Time `json:"verified_at,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
	UpdatedAt  time.Time `json:"updated_at"`
}

type ownSession struct {
	Device     string    `json:"device"`
	UserAgent  string    `json:"user_agent"`
	IP         string    `json:"ip"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// ownBrowser is a browser that is recognized at sign-in.
type ownBrowser struct {
	LastSignInAt time.Time `json:"last_sign_in_at"`
	TrustedUntil time.Time `json:"trusted_until,omitzero"`
}

// ownAuthenticator is an app that shows codes, without its secret.
type ownAuthenticator struct {
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

// ownRecoveryCode is an unused recovery code. Only its hash is stored.
type ownRecoveryCode struct {
	CreatedAt time.Time `json:"created_at"`
}

// ownPasskey is a passkey, without its keys.
type ownPasskey struct {
	Name          string    `json:"name"`
	Authenticator string    `json:"authenticator,omitempty"`
	Synced        bool      `json:"synced"`
	CreatedAt     time.Time `json:"created_at"`
	LastUsedAt    time.Time `json:"last_used_at,omitzero"`
}

// ownRecovery is a recovery that waits or can be finished.
type ownRecovery struct {
	CreatedAt time.Time `json:"created_at"`
	ReadyAt   time.Time `json:"ready_at"`
	ExpiresAt time.Time `json:"expires_at"`
}

// ownFormerEmail is an address that the user replaced a short while ago.
type ownFormerEmail struct {
	Email      string    `json:"email"`
	ReplacedAt time.Time `json:"replaced_at"`
}

// ownConnection is an account elsewhere.
type ownConnection struct {
	Provider   string    `json:"provider"`
	Subject    string    `json:"subject"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"created_at"`
	LastUsedAt time.Time `json:"last_used_at,omitzero"`
}

type ownEvent struct {
	Event     string    `json:"event"`
	By        string    `json:"by,omitempty"` // who caused it, if not the user
	IP        string    `json:"ip"`
	UserAgent string    `json:"user_agent"`
	At        time.Time `json:"at"`
}

type ownMembership struct {
	Organization string    `json:"organization"`
	Address      string    `json:"address"`
	Role         string    `json:"role"`
	JoinedAt     time.Time `json:"joined_at"`
}

// ownInvitation is a pending invitation that the user sent.
type ownInvitation struct {
	Organization string    `json:"organization"`
	Email        string    `json:"email"`
	Role         string    `json:"role"`
	CreatedAt    time.Time `json:"created_at"`
	ExpiresAt    time.Time `json:"expires_at"`
}

// ownList is a list in the data, under a key.
type ownList struct {
	key  string
	read web.Export
}

// DownloadData sends the user's own data as a JSON file.
func (h Handlers) DownloadData(c *gin.Context) error {
	return h.sendData(c, "my-data.json", web.Current(c).User)
}

// SendData sends the data of u as a JSON file, to an operator.
func (h Handlers) SendData(c *gin.Context, u *models.User) error {
	return h.sendData(c, "data-of-"+u.ID.String()+".json", u)
}

func (h Handlers) sendData(c *gin.Context, name string, u *models.User) error {
	return h.Download(c, name, "application/json; charset=utf-8", func(ctx context.Context, w *bufio.Writer) error {
		return h.WriteData(ctx, w, u)
	})
}

// WriteData writes the data of u as JSON. The caller must flush w.
func (h Handlers) WriteData(ctx context.Context, w *bufio.Writer, u *models.User) error {
	lists := []ownList{
		{"sessions", h.ownSessions},
		{"browsers", h.ownBrowsers},
		{"authenticators", h.ownAuthenticators},
		{"recovery_codes", h.ownRecoveryCodes},
		{"passkeys", h.ownPasskeys},
		{"recoveries", h.ownRecoveries},
		{"former_emails", h.ownFormerEmails},
		{"connections", h.ownConnections},
		{"activity", h.ownActivity},
		{"organizations", h.ownOrganizations},
		{"invitations", h.ownInvitations},
	}
	for _, key := range slices.Sorted(maps.Keys(h.Exports())) {
		if slices.ContainsFunc(lists, func(l ownList) bool { return l.key == key }) {
			return fmt.Errorf("a feature exports %s, which is not its own", key)
		}
		lists = append(lists, ownList{key, h.Exports()[key]})
	}
	profile, err := h.ownProfile(ctx, u)
	if err != nil {
		return err
	}
	return writeData(ctx, w, u, profile, lists)
}

func (h Handlers) ownProfile(ctx context.Context, u *models.User) (own ownProfile, err error) {
	own = ownProfile{Email: u.ShownEmail(), FirstName: u.FirstName, LastName: u.LastName, VerifiedAt: u.VerifiedAt, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt}
	if u.LastName == "" {
		own.FirstName, own.Name = "", u.FirstName
	}
	own.Username, err = h.DB.StoredUsername(ctx, u) // also if the site no longer has any
	return own, err
}

// writeData writes a JSON object with u's profile and lists, a row at a time.
func writeData(ctx context.Context, w *bufio.Writer, u *models.User, own ownProfile, lists []ownList) error {
	const indent = "    "
	profile, err := json.MarshalIndent(own, "", indent)
	if err != nil {
		return err
	}
	_, _ = w.Write(bytes.TrimSuffix(profile, []byte("\n}"))) // w keeps its first error
	for _, list := range lists {
		_, _ = fmt.Fprintf(w, ",\n%s%q: [", indent, list.key)
		separator := ""
		for row, err := range list.read(ctx, u) {
			if err != nil {
				return err
			}
			encoded, err := json.MarshalIndent(row, indent+indent, indent)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "%s\n%s%s", separator, indent+indent, encoded); err != nil {
				return err
			}
			separator = ","
		}
		_, _ = fmt.Fprintf(w, "\n%s]", indent)
	}
	_, err = w.WriteString("\n}\n")
	return err
}

func (h Handlers) ownSessions(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.Sessions(ctx, u.ID)), func(s *models.Session) any {
		return ownSession{device.Name(s.UserAgent), s.UserAgent, s.IP, s.CreatedAt, s.LastSeenAt, s.ExpiresAt}
	})
}

func (h Handlers) ownBrowsers(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.Browsers(ctx, u.ID)), func(b *models.Browser) any { return ownBrowser{b.SeenAt, b.TrustedUntil} })
}

func (h Handlers) ownAuthenticators(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.Authenticators(ctx, u.ID)), func(a *models.Authenticator) any {
		return ownAuthenticator{a.Name, a.CreatedAt, a.UsedAt}
	})
}

func (h Handlers) ownRecoveryCodes(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.RecoveryCodes(ctx, u.ID)), func(c *models.RecoveryCode) any { return ownRecoveryCode{c.CreatedAt} })
}

func (h Handlers) ownPasskeys(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.Passkeys(ctx, u.ID)), func(p *models.Passkey) any {
		return ownPasskey{p.Name, passkey.AuthenticatorName(p.AAGUID), p.BackupEligible, p.CreatedAt, p.LastUsedAt}
	})
}

func (h Handlers) ownRecoveries(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	var all []models.Recovery
	r, err := h.DB.RecoveryOf(ctx, u.ID)
	if err == nil {
		all = append(all, *r)
	} else if errors.Is(err, models.ErrNotFound) {
		err = nil
	}
	return web.ExportRows(each(all, err), func(r *models.Recovery) any { return ownRecovery{r.CreatedAt, r.ReadyAt, r.ExpiresAt} })
}

func (h Handlers) ownFormerEmails(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.FormerEmails(ctx, u.ID)), func(f *models.FormerEmail) any {
		return ownFormerEmail{text.ShowEmail(f.Email), f.ReplacedAt}
	})
}

func (h Handlers) ownConnections(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.Identities(ctx, u.ID)), func(i *models.Identity) any {
		return ownConnection{h.ProviderLabel(i.Provider), i.Subject, i.Name, i.CreatedAt, i.LastUsedAt}
	})
}

func (h Handlers) ownActivity(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(h.DB.AllEvents(ctx, models.EventFilter{User: u.ID, Except: models.OperatorEvents()}), func(e *models.Event) any {
		if e.ByAnother() || e.ByOperator() {
			e.IP, e.UserAgent = "", "" // they belong to the person who caused it
		}
		return ownEvent{components.OwnEvent(*e).String(), components.EventActor(*e), e.IP, e.UserAgent, e.CreatedAt}
	})
}

func (h Handlers) ownOrganizations(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(each(h.DB.Memberships(ctx, u.ID)), func(m *models.Membership) any {
		return ownMembership{m.Organization.Name, m.Organization.Slug, m.Role.Name, m.CreatedAt}
	})
}

func (h Handlers) ownInvitations(ctx context.Context, u *models.User) iter.Seq2[any, error] {
	return web.ExportRows(h.DB.InvitationsBy(ctx, u.ID), func(i *models.Invitation) any {
		return ownInvitation{i.Organization.Name, i.ShownEmail(), i.Role.Name, i.CreatedAt, i.ExpiresAt}
	})
}

// each iterates over rows that are few enough to be read at once.
func each[Row any](rows []Row, err error) iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		for i := range rows {
			if !yield(&rows[i], nil) {
				return
			}
		}
	}
}
