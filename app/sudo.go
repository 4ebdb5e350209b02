package app

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

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
// for, and what was typed there, by name.
type sudoData struct {
	Path string
	Kept []kept
}

type kept struct{ Name, Value string }

// sudo is middleware for sensitive pages: when the password was given too long
// ago, it stands in for the page and asks for it, and then lets the same request
// go on. What was typed goes along in hidden fields, passwords excepted.
func (a *App) sudo(c *gin.Context) {
	if time.Since(current(c).Session.AuthenticatedAt) < sudoWindow {
		return
	}
	in := new(sudoForm)
	form := forms.New(in)
	form.Focus = "current_password"
	data := sudoData{Path: c.Request.URL.Path}
	if c.Request.Method == http.MethodGet {
		a.render(c, http.StatusForbidden, "sudo", form, data)
		c.Abort()
		return
	}
	if !a.bind(c, form) {
		c.Abort()
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Request.PostForm)) {
		if !strings.Contains(name, "password") && name != "sudo" {
			data.Kept = append(data.Kept, kept{name, c.Request.PostForm.Get(name)})
		}
	}
	if in.Sudo == "" && in.CurrentPassword == "" { // not asked yet
		form = forms.New(new(sudoForm))
		form.Focus = "current_password"
		a.render(c, http.StatusForbidden, "sudo", form, data)
		c.Abort()
		return
	}
	if !a.checkCurrentPassword(c, "sudo", form, data, in.CurrentPassword) {
		c.Abort()
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusForbidden, "sudo", form, data)
		c.Abort()
		return
	}
	if !a.renewSession(c) {
		c.Abort()
		return
	}
	a.record(c, models.EventReauthenticated, current(c).User)
	if in.Sudo != "" && len(data.Kept) == 0 { // the person was on the way to the page
		a.redirect(c, c.Request.URL.Path)
		c.Abort()
	}
}
