package app

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/web"
)

// Healthz tells a supervisor that the process serves.
func (a *App) Healthz(c *gin.Context) { c.String(http.StatusOK, "ok\n") }

// readyTimeout is how long the database may take to answer.
const readyTimeout = 2 * time.Second

// Readyz tells a load balancer whether to send requests: the database takes writes and
// has every migration, and the program isn't stopping.
func (a *App) Readyz(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	if err := a.ready(ctx); err != nil {
		if c.Request.Context().Err() == nil { // otherwise err only says that the client is gone
			web.Current(c).Log().Warn("not ready", "err", err)
		}
		c.String(http.StatusServiceUnavailable, "not ready\n")
		return
	}
	c.String(http.StatusOK, "ok\n")
}

// ReadyWhen adds a condition to /readyz.
func (a *App) ReadyWhen(check func(context.Context) error) {
	answers := a.ready
	a.ready = func(ctx context.Context) error {
		if err := answers(ctx); err != nil {
			return err
		}
		return check(ctx)
	}
}
