package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/passkey"
	"vestibule/models"
)

// StartCeremony stores a ceremony of the request's user, if there is one, and answers the
// page's script with what it asks the authenticator. Only this browser may send the
// answer.
func (k *Kit) StartCeremony(c *gin.Context, kind models.CeremonyKind, begun *passkey.Begun) error {
	ceremony := &models.PasskeyCeremony{Challenge: begun.Challenge, Kind: kind, UserID: userID(c), State: begun.State}
	secret, err := k.DB.StartCeremony(c.Request.Context(), k.cookie(c, passkeyCookie), ceremony)
	if err != nil {
		return err
	}
	k.setCookie(c, passkeyCookie, secret, models.CeremonyLife)
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "application/json", begun.Options)
	return nil
}

// TakeCeremony ends the ceremony that an authenticator answers. It returns
// models.ErrNotFound if this browser and user have no such ceremony.
func (k *Kit) TakeCeremony(c *gin.Context, kind models.CeremonyKind, challenge string) (*models.PasskeyCeremony, error) {
	return k.DB.TakeCeremony(c.Request.Context(), challenge, k.cookie(c, passkeyCookie), kind, userID(c))
}

// userID returns the id of the request's user, or the zero id for a guest.
func userID(c *gin.Context) uuid.UUID {
	if u := Current(c).User; u != nil {
		return u.ID
	}
	return uuid.Nil
}

// NeedsPasskeys is middleware for routes that need a host for which there are passkeys.
func (k *Kit) NeedsPasskeys(*gin.Context) error {
	if k.Passkeys == nil {
		return Fail(http.StatusNotFound)
	}
	return nil
}
