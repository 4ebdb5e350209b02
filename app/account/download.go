package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/device"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
)

// ownData is everything the site stores about a user. A feature adds the data of its
// own tables with [web.Kit.Export].
type ownData struct {
	Username   string       `json:"username"`
	Email      string       `json:"email"`
	FirstName  string       `json:"first_name"`
	LastName   string       `json:"last_name"`
	VerifiedAt time.Time    `json:"verified_at,omitzero"`
	CreatedAt  time.Time    `json:"created_at"`
	UpdatedAt  time.Time    `json:"updated_at"`
	Sessions   []ownSession `json:"sessions"`
	Browsers   []ownBrowser `json:"browsers"`
	Activity   []ownEvent   `json:"activity"`

	Organizations []ownMembership `json:"organizations"`
	Invitations   []ownInvitation `json:"invitations"`
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

// ownBrowser is a browser that is recognized at sign-in.
type ownBrowser struct {
	LastSignInAt time.Time `json:"last_sign_in_at"`
}

type ownEvent struct {
	Event     string    `json:"event"`
	By        string    `json:"by,omitempty"` // who caused it, if not the user
	IP        string    `json:"ip"`
	UserAgent string    `json:"user_agent"`
	At        time.Time `json:"at"`
}

// maxActivity is more events than a user causes while the audit log is kept.
const maxActivity = 10_000

type ownSession struct {
	Device     string    `json:"device"`
	UserAgent  string    `json:"user_agent"`
	IP         string    `json:"ip"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// DownloadData sends the user's own data as a JSON file.
func (h Handlers) DownloadData(c *gin.Context) error {
	u := web.Current(c).User
	data := &ownData{
		Username:   u.Username,
		Email:      u.ShownEmail(),
		FirstName:  u.FirstName,
		LastName:   u.LastName,
		VerifiedAt: u.VerifiedAt,
		CreatedAt:  u.CreatedAt,
		UpdatedAt:  u.UpdatedAt,
	}
	for _, read := range []func(context.Context, *models.User, *ownData) error{
		h.ownSessions,
		h.ownBrowsers,
		h.ownActivity,
		h.ownOrganizations,
		h.ownInvitations,
	} {
		if err := read(c.Request.Context(), u, data); err != nil {
			return err
		}
	}
	all, err := h.withExports(c.Request.Context(), u, data)
	if err != nil {
		return err
	}
	c.Header("Content-Disposition", `attachment; filename="my-data.json"`)
	c.IndentedJSON(http.StatusOK, all)
	return nil
}

// withExports returns one JSON object of data and the features' exports about u.
func (h Handlers) withExports(ctx context.Context, u *models.User, data *ownData) (map[string]any, error) {
	all := map[string]any{}
	encoded, err := json.Marshal(data)
	if err == nil {
		err = json.Unmarshal(encoded, &all)
	}
	for key, read := range h.Exports() {
		if all[key] != nil {
			return nil, errors.New("a feature exports " + key + ", which is not its own")
		}
		if err == nil {
			all[key], err = read(ctx, u)
		}
	}
	return all, err
}

func (h Handlers) ownSessions(ctx context.Context, u *models.User, data *ownData) error {
	sessions, err := h.DB.Sessions(ctx, u.ID)
	data.Sessions = listed(sessions, func(s models.Session) ownSession {
		return ownSession{
			Device:     device.Name(s.UserAgent),
			UserAgent:  s.UserAgent,
			IP:         s.IP,
			CreatedAt:  s.CreatedAt,
			LastSeenAt: s.LastSeenAt,
			ExpiresAt:  s.ExpiresAt,
		}
	})
	return err
}

func (h Handlers) ownBrowsers(ctx context.Context, u *models.User, data *ownData) error {
	browsers, err := h.DB.Browsers(ctx, u.ID)
	data.Browsers = listed(browsers, func(b models.Browser) ownBrowser { return ownBrowser{b.SeenAt} })
	return err
}

func (h Handlers) ownActivity(ctx context.Context, u *models.User, data *ownData) error {
	events, err := h.DB.Events(ctx, u.ID, uuid.Nil, maxActivity)
	data.Activity = listed(events, func(e models.Event) ownEvent {
		if e.ByAnother() {
			e.IP, e.UserAgent = "", "" // they belong to the person who caused it
		}
		return ownEvent{components.EventLabel(e.Kind), components.EventActor(e), e.IP, e.UserAgent, e.CreatedAt}
	})
	return err
}

func (h Handlers) ownOrganizations(ctx context.Context, u *models.User, data *ownData) error {
	memberships, err := h.DB.Memberships(ctx, u.ID)
	data.Organizations = listed(memberships, func(m models.Membership) ownMembership {
		return ownMembership{m.Organization.Name, m.Organization.Slug, m.Role.Name, m.CreatedAt}
	})
	return err
}

func (h Handlers) ownInvitations(ctx context.Context, u *models.User, data *ownData) error {
	invitations, err := h.DB.InvitationsBy(ctx, u.ID)
	data.Invitations = listed(invitations, func(i models.Invitation) ownInvitation {
		return ownInvitation{i.Organization.Name, i.ShownEmail(), i.Role.Name, i.CreatedAt, i.ExpiresAt}
	})
	return err
}

// listed returns the result of own for each row. It is never nil, which JSON would
// print as null.
func listed[Row, Own any](rows []Row, own func(Row) Own) []Own {
	list := make([]Own, 0, len(rows))
	for _, row := range rows {
		list = append(list, own(row))
	}
	return list
}
