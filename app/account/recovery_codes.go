package account

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
	authview "vestibule/templates/auth"
)

// ShowRecoveryCodes shows how many codes the user has left, but not the codes: only their
// hashes are stored.
func (h Handlers) ShowRecoveryCodes(c *gin.Context) error { return h.renderRecoveryCodes(c, nil) }

// renderRecoveryCodes shows codes if they are new.
func (h Handlers) renderRecoveryCodes(c *gin.Context, codes []string) error {
	user := web.Current(c).User
	factors, err := h.Factors(c.Request.Context(), user)
	if err != nil {
		return err
	}
	f, next := h.Frame(c, http.StatusOK), nextPage(c)
	return web.Render(c, f, view.RecoveryCodesPage(f, factors, codes, next), view.RecoveryCodes(f, factors, codes, next))
}

// CreateRecoveryCodes makes a new set of codes, which voids the old one, and shows it once.
func (h Handlers) CreateRecoveryCodes(c *gin.Context) error {
	if web.Current(c).Reauthenticated { // the page that would show them is gone
		return web.Redirect(c, authview.ThenPath("/account/recovery-codes", nextPage(c)))
	}
	user := web.Current(c).User
	factors, err := h.DB.Factors(c.Request.Context(), user)
	if err != nil {
		return err
	}
	if !factors.HasSecond() {
		return models.ErrChanged
	}
	// A set costs ten hashes.
	if err := h.Attempt(c, web.NewAttempt("recovery codes of "+user.ID.String(), h.Config.LimitAccount)); err != nil {
		return err
	}
	codes := models.NewRecoveryCodes()
	hashes := make([]string, len(codes))
	for i, code := range codes {
		if hashes[i], err = h.Hash(c, models.NormalizeRecoveryCode(code)); err != nil {
			return err
		}
	}
	err = h.Audited(c, models.EventRecoveryCodesCreated, user, func(tx *models.DB) error {
		return tx.SetRecoveryCodes(c.Request.Context(), user, hashes)
	})
	if err != nil {
		return err
	}
	return h.renderRecoveryCodes(c, codes)
}
