package web

import (
	"errors"
	"net/http"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/templates/components"
)

// Redirect ends the request and leads the browser to another page of the site.
func Redirect(c *gin.Context, path string) error {
	c.Abort()
	if IsHTMX(c) {
		c.Header("HX-Redirect", path)
		c.Status(http.StatusOK)
	} else {
		c.Redirect(http.StatusSeeOther, path)
	}
	return nil
}

// RedirectWith is Redirect that shows a toast on the next page.
func (k *Kit) RedirectWith(c *gin.Context, toast, path string) error {
	k.Flash(c, toast)
	return Redirect(c, path)
}

// RenderSaved answers a saved form that stays on the page: under htmx with the form and
// a toast, otherwise with the page and a toast.
func (k *Kit) RenderSaved(c *gin.Context, form templ.Component, toast string) error {
	if !IsHTMX(c) {
		return k.RedirectWith(c, toast, c.Request.URL.Path)
	}
	return RenderFragment(c, http.StatusOK, components.Saved(form, k.message(toast)))
}

// RespondToast answers a button outside a form with fields: under htmx with status and
// only a toast, otherwise with a redirect to path and the toast there.
func (k *Kit) RespondToast(c *gin.Context, status int, toast, path string) error {
	if !IsHTMX(c) || Current(c).Reauthenticated { // the password form has replaced the button
		return k.RedirectWith(c, toast, path)
	}
	return RenderFragment(c, status, components.Toasted(k.message(toast)))
}

// Bind fills form from the request. It returns a [Refusal] if the body is too large or
// not a form.
func Bind(c *gin.Context, form *forms.Form) error {
	return unreadable(form.Bind(c.Request))
}

// unreadable returns a [Refusal] for the error of reading a form.
func unreadable(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*http.MaxBytesError)):
		return Fail(http.StatusRequestEntityTooLarge)
	}
	return Fail(http.StatusUnsupportedMediaType)
}

// CheckField fills form from the request and answers with the one field that a person
// has just left.
func CheckField(c *gin.Context, form *forms.Form) error {
	if err := Bind(c, form); err != nil {
		return err
	}
	return CheckFields(c, form.Refresh(c.Query("field")))
}

// CheckFields answers with the fields, or with 404 if there are none.
func CheckFields(c *gin.Context, fields []forms.Field) error {
	if len(fields) == 0 {
		return Fail(http.StatusNotFound)
	}
	return RenderFragment(c, http.StatusOK, components.Checked(fields))
}
