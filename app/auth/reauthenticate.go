package auth

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

// reauthenticationWindow is how long after the person last gave the password sensitive
// pages open without it.
const reauthenticationWindow = 15 * time.Minute

type reauthenticateForm struct {
	CurrentPassword string `form:"current_password" label:"Password" type:"password" autocomplete:"current-password" validate:"required"`
	Sudo            string `form:"sudo"`
}

// reauthenticateData is what the page for the password shows.
type reauthenticateData struct {
	Path string // of the page that it stands in for
	Kept []kept // what was typed there
	Then string // how it goes on
}

type kept struct{ Name, Value string }

// How it goes on after the password.
const (
	thenOpen = "open" // with the page, empty
	thenSend = "send" // with what was kept
)

// Reauthenticate is middleware for sensitive pages. When the person gave the
// password too long ago, it stands in for the page and asks for it, and then lets
// the same request go on. What was typed goes along in hidden fields, except
// passwords.
func (h Handlers) Reauthenticate(c *gin.Context) error { return h.reauthenticate(c, "fragment") }

// ReauthenticateFromRow is Reauthenticate for a button in a list, whose row is no
// place to ask in.
func (h Handlers) ReauthenticateFromRow(c *gin.Context) error { return h.reauthenticate(c, "main") }

// reauthenticate asks, under htmx, with that part of its page: "fragment" in the
// place of the form, or "main" in the place of all that is on the page.
func (h Handlers) reauthenticate(c *gin.Context, part string) error {
	r := web.Current(c)
	if time.Since(r.Session.AuthenticatedAt) < reauthenticationWindow {
		return nil
	}
	in := new(reauthenticateForm)
	form := forms.New(in)
	form.Focus = "current_password"
	data := reauthenticateData{Path: c.Request.URL.Path, Then: thenOpen}
	ask := func(status int, form *forms.Form) error {
		c.Abort()
		if part == "main" && web.IsHTMX(c) {
			c.Header("HX-Retarget", "#main")
			c.Header("HX-Reswap", "innerHTML")
		}
		return h.RenderPart(c, status, "sudo", part, form, data)
	}
	if c.Request.Method == http.MethodGet {
		return ask(http.StatusForbidden, form)
	}
	if err := web.Bind(c, form); err != nil {
		return err
	}
	data.Then = in.Sudo
	if data.Then == "" {
		data.Then = thenSend
	}
	for _, name := range slices.Sorted(maps.Keys(c.Request.PostForm)) {
		switch {
		case name == "current_password" || name == "sudo":
		case strings.Contains(name, "password"):
			data.Then = thenOpen // it is not sent back, so the person types it again
		default:
			for _, value := range c.Request.PostForm[name] {
				data.Kept = append(data.Kept, kept{name, value})
			}
		}
	}
	if in.Sudo == "" && in.CurrentPassword == "" { // not asked yet
		form = forms.New(new(reauthenticateForm))
		form.Focus = "current_password"
		return ask(http.StatusForbidden, form)
	}
	if limited, err := h.CheckCurrentPassword(c, form, in.CurrentPassword); err != nil {
		return err
	} else if limited {
		return ask(http.StatusTooManyRequests, form)
	}
	if !form.Valid() {
		return ask(http.StatusForbidden, form)
	}
	r.Reauthenticated = in.Sudo != ""
	// A new token, since the person has just proved who they are.
	token, err := h.DB.RenewSession(c.Request.Context(), r.Session)
	if err != nil {
		return err
	}
	h.SetSessionCookie(c, token, r.Session)
	h.RecordIn(c, uuid.Nil, models.EventReauthenticated, r.User)
	if in.Sudo != "" && data.Then != thenSend {
		return web.Redirect(c, c.Request.URL.Path)
	}
	return nil
}
