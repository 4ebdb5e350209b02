package app

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
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
}

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
	data := ownData{
		Username:   u.Username,
		Email:      u.Email,
		FirstName:  u.FirstName,
		LastName:   u.LastName,
		VerifiedAt: u.VerifiedAt,
		CreatedAt:  u.CreatedAt,
		UpdatedAt:  u.UpdatedAt,
		Sessions:   []ownSession{},
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
	c.Header("Content-Disposition", `attachment; filename="vestibule-data.json"`)
	c.IndentedJSON(http.StatusOK, data)
}
