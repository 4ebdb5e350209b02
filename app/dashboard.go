package app

import (
	"net/http"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/gin-gonic/gin"
)

func (a *App) showDashboard(c *gin.Context) { a.render(c, http.StatusOK, "dashboard", nil, nil) }

// steps are the units of inWords; beyond them it counts days.
var steps = []humanize.RelTimeMagnitude{
	{D: time.Minute, Format: "less than a minute"},
	{D: 2 * time.Minute, Format: "1 minute"},
	{D: time.Hour, Format: "%d minutes", DivBy: time.Minute},
	{D: 2 * time.Hour, Format: "1 hour"},
	{D: 48 * time.Hour, Format: "%d hours", DivBy: time.Hour},
	{D: 1<<63 - 1, Format: "%d days", DivBy: 24 * time.Hour},
}

// inWords says how far off t is, such as "30 days". It rounds by half a minute,
// so that a session of 30 days does not begin with 29.
func inWords(t time.Time) string {
	return strings.TrimSpace(humanize.CustomRelTime(time.Now(), t.Add(30*time.Second), "", "", steps))
}

// exactly writes t for people.
func exactly(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// machineTime writes t for the datetime attribute (RFC 3339).
func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }
