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
	view "vestibule/templates/auth"
)

// reauthenticationWindow is how long after the person last gave the password sensitive
// pages open without it.
const reauthenticationWindow = 15 * time.Minute

// How it goes on after the password.
const (
	thenOpen = "open" // with the page, empty
	thenSend = "send" // with what was kept
)

// Reauthenticate is middleware for sensitive pages. When the person gave the
// password too long ago, it stands in for the page and asks for it, and then lets
// the same request go on. What was typed goes along in hidden fields, except
// passwords.
func (h Handlers) Reauthenticate(c *gin.Context) error { return h.reauthenticate(c, false) }

// ReauthenticateFromRow is Reauthenticate for a button in a list, whose row is no
// place to ask in.
func (h Handlers) ReauthenticateFromRow(c *gin.Context) error {
	return h.reauthenticate(c, true)
}

// reauthenticate asks, under htmx, in the place of the form, or with wholePage in the
// place of all that is on the page.
func (h Handlers) reauthenticate(c *gin.Context, wholePage bool) error {
	r := web.Current(c)
	if time.Since(r.Session.AuthenticatedAt) < reauthenticationWindow {
		return nil
	}
	form := forms.New(new(view.Reauthenticate))
	var kept []forms.Field // what was typed on the page
	next := thenOpen
	ask := func(status int, form *view.Reauthenticate) error {
		c.Abort()
		form.Focus, form.Sudo = &form.CurrentPassword, next
		f := h.Frame(c, status)
		fragment := view.ReauthenticateForm(f, form, kept)
		if wholePage && web.IsHTMX(c) {
			c.Header("HX-Retarget", "#main")
			c.Header("HX-Reswap", "innerHTML")
			fragment = view.ReauthenticateCard(f, form, kept)
		}
		return web.Render(c, f, view.ReauthenticatePage(f, form, kept), fragment)
	}
	if c.Request.Method == http.MethodGet {
		return ask(http.StatusForbidden, form)
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	asked := form.Sudo != ""
	if next = form.Sudo; !asked {
		next = thenSend
	}
	for _, name := range slices.Sorted(maps.Keys(c.Request.PostForm)) {
		switch {
		case name == "current_password" || name == "sudo":
		case strings.Contains(name, "password"):
			next = thenOpen // it is not sent back, so the person types it again
		default:
			for _, value := range c.Request.PostForm[name] {
				kept = append(kept, forms.Field{Name: name, Value: value})
			}
		}
	}
	if !asked && form.CurrentPassword == "" {
		return ask(http.StatusForbidden, forms.New(new(view.Reauthenticate)))
	}
	if limited, err := h.CheckCurrentPassword(c, &form.Form, form.CurrentPassword); err != nil {
		return err
	} else if limited {
		return ask(http.StatusTooManyRequests, form)
	}
	if !form.Valid() {
		return ask(http.StatusForbidden, form)
	}
	r.Reauthenticated = asked
	// A new token, since the person has just proved who they are.
	token, err := h.DB.RenewSession(c.Request.Context(), r.Session)
	if err != nil {
		return err
	}
	h.SetSessionCookie(c, token, r.Session)
	h.RecordIn(c, uuid.Nil, models.EventReauthenticated, r.User)
	if asked && next != thenSend {
		return web.Redirect(c, c.Request.URL.Path)
	}
	return nil
}
