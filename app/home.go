package app

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func (a *App) showHome(c *gin.Context) { a.render(c, http.StatusOK, "home", nil, nil) }
