package app

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// ownData is all that the site knows of a person, for them to keep. Add what
// your own tables hold of them.
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
}

type ownMembership struct {
	Organization string    `json:"organization"`
	Address      string    `json:"address"`
	Role         string    `json:"role"`
	JoinedAt     time.Time `json:"joined_at"`
}

// ownBrowser is a browser that is known again at sign-in.
type ownBrowser struct {
	LastSignInAt time.Time `json:"last_sign_in_at"`
}

type ownEvent struct {
	Event     string    `json:"event"`
	IP        string    `json:"ip"`
	UserAgent string    `json:"user_agent"`
	At        time.Time `json:"at"`
}

// maxActivity is more than a person does while the audit log is kept.
const maxActivity = 10_000

type ownSession struct {
	Device     string    `json:"device"`
	UserAgent  string    `json:"user_agent"`
	IP         string    `json:"ip"`
	CreatedAt  time.Time `json:"created_at"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

// downloadData sends the person's own data as a JSON file.
func (a *App) downloadData(c *gin.Context) {
	u := current(c).User
	sessions, err := a.db.Sessions(c.Request.Context(), u.ID)
	if err != nil {
		a.error(c, err)
		return
	}
	memberships, err := a.db.Memberships(c.Request.Context(), u.ID)
	if err != nil {
		a.error(c, err)
		return
	}
	browsers, err := a.db.Browsers(c.Request.Context(), u.ID)
	if err != nil {
		a.error(c, err)
		return
	}
	events, err := a.db.Events(c.Request.Context(), u.ID, uuid.Nil, maxActivity)
	if err != nil {
		a.error(c, err)
		return
	}
	data := ownData{
		Username:   u.Username,
		Email:      u.Email,
		FirstName:  u.FirstName,
		LastName:   u.LastName,
		VerifiedAt: u.VerifiedAt,
		CreatedAt:  u.CreatedAt,
		UpdatedAt:  u.UpdatedAt,
		Sessions:   []ownSession{},
		Browsers:   []ownBrowser{},
		Activity:   []ownEvent{},

		Organizations: []ownMembership{},
	}
	for _, m := range memberships {
		data.Organizations = append(data.Organizations, ownMembership{m.Organization.Name, m.Organization.Slug, m.Role.Name, m.CreatedAt})
	}
	for _, s := range sessions {
		data.Sessions = append(data.Sessions, ownSession{
			Device:     device(s.UserAgent),
			UserAgent:  s.UserAgent,
			IP:         s.IP,
			CreatedAt:  s.CreatedAt,
			LastSeenAt: s.LastSeenAt,
			ExpiresAt:  s.ExpiresAt,
		})
	}
	for _, b := range browsers {
		data.Browsers = append(data.Browsers, ownBrowser{b.SeenAt})
	}
	for _, e := range events {
		if e.ByAnother() {
			e.IP, e.UserAgent = "", "" // which are that person's
		}
		data.Activity = append(data.Activity, ownEvent{happened(e.Kind), e.IP, e.UserAgent, e.CreatedAt})
	}
	c.Header("Content-Disposition", `attachment; filename="vestibule-data.json"`)
	c.IndentedJSON(http.StatusOK, data)
}
