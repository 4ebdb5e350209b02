package account

import (
	"github.com/gin-gonic/gin"

	"vestibule/app/web"
)

// CancelRecovery cancels the recovery that the banner tells of. It needs no password, so
// that a person is as fast as they can be.
func (h Handlers) CancelRecovery(c *gin.Context) error {
	if err := h.auth().CancelRecoveryOf(c, web.Current(c).User); err != nil {
		return err
	}
	return h.RedirectWith(c, "recovery-canceled", web.Origin(c))
}
