package app

import "github.com/gin-gonic/gin"

// Routes lists what the site answers.
func (a *App) Routes() gin.RoutesInfo { return a.handler.(*gin.Engine).Routes() }
