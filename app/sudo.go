package app

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
)

// sudoWindow is how long after the person last gave the password sensitive
// pages open without it.
const sudoWindow = 15 * time.Minute

type sudoForm struct {
	CurrentPassword string `form:"current_password" label:"Password" type:"password" autocomplete:"current-password" validate:"required"`
	Sudo            string `form:"sudo"`
}

// sudoData is what the page for the password shows: which path it stands in
// for, what was typed there, by name, and how it goes on.
type sudoData struct {
	Path string
	Kept []kept
	Then string
}

type kept struct{ Name, Value string }

// How it goes on after the password.
const (
	thenOpen = "open" // with the page, empty
	thenSend = "send" // with what was kept
)

// sudo is middleware for sensitive pages: when the password was given too long
// ago, it stands in for the page and asks for it, and then lets the same request
// go on. What was typed goes along in hidden fields, passwords excepted.
func (a *App) sudo(c *gin.Context) { a.sudoAs(c, "fragment") }

// sudoFromRow is sudo for a button in a list, whose row is no place to ask in.
func (a *App) sudoFromRow(c *gin.Context) { a.sudoAs(c, "main") }

// sudoAs is sudo that asks, under htmx, with that part of its page: "fragment" in
// the place of the form, or "main" in the place of all that is on the page.
func (a *App) sudoAs(c *gin.Context, part string) {
	if time.Since(current(c).Session.AuthenticatedAt) < sudoWindow {
		return
	}
	in := new(sudoForm)
	form := forms.New(in)
	form.Focus = "current_password"
	data := sudoData{Path: c.Request.URL.Path, Then: thenOpen}
	ask := func(form *forms.Form) {
		if part == "main" && isHTMX(c) {
			c.Header("HX-Retarget", "#main")
			c.Header("HX-Reswap", "innerHTML")
		}
		a.renderPart(c, http.StatusForbidden, "sudo", part, form, data)
		c.Abort()
	}
	if c.Request.Method == http.MethodGet {
		ask(form)
		return
	}
	if !a.bind(c, form) {
		c.Abort()
		return
	}
	data.Then = in.Sudo
	if data.Then == "" {
		data.Then = thenSend
	}
	for _, name := range slices.Sorted(maps.Keys(c.Request.PostForm)) {
		switch {
		case name == "current_password" || name == "sudo":
		case strings.Contains(name, "password"):
			data.Then = thenOpen // it is not sent back, and so is to be typed anew
		default:
			for _, value := range c.Request.PostForm[name] {
				data.Kept = append(data.Kept, kept{name, value})
			}
		}
	}
	if in.Sudo == "" && in.CurrentPassword == "" { // not asked yet
		form = forms.New(new(sudoForm))
		form.Focus = "current_password"
		ask(form)
		return
	}
	if !a.checkCurrentPassword(c, "sudo", form, data, in.CurrentPassword) {
		c.Abort()
		return
	}
	if !form.Valid() {
		ask(form)
		return
	}
	current(c).Reauthenticated = in.Sudo != ""
	// A new token, since the person has just proved who they are.
	session := current(c).Session
	token, err := a.db.RenewSession(c.Request.Context(), session)
	if err != nil {
		a.error(c, err)
		return
	}
	a.setSessionCookie(c, token, session)
	a.recordIn(c, uuid.Nil, models.EventReauthenticated, current(c).User)
	if in.Sudo != "" && data.Then != thenSend {
		a.redirect(c, c.Request.URL.Path)
		c.Abort()
	}
}
