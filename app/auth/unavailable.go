package auth

import (
	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
)

var takenSentences = map[string]string{
	"username": "This username is already taken.",
	"email":    "There's already an account with this email address.",
}

// CheckTaken binds form and answers with the field that the user has just left. It also
// checks whether the username or email is taken.
func (h Handlers) CheckTaken(c *gin.Context, form *forms.Form) error {
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if err := h.Attempt(c, h.EnumerationLimit(c)); err != nil {
		return err
	}
	if err := h.FailUnavailable(c, form); err != nil {
		return err
	}
	h.FailBreached(c, form)
	return web.CheckFields(c, form.Refresh(c.Query("field")))
}

// FailUnavailable sets an error in form if the username or email is taken, or the email can't be used: no mail can
// reach it, or it isn't at a domain of the site. So users see it together with all other errors. The
// database's constraints have the final say.
func (h Handlers) FailUnavailable(c *gin.Context, form *forms.Form) error {
	h.FailUnreachable(c.Request.Context(), form)
	if u := web.Current(c).User; u == nil || !u.Verified() {
		h.failDomain(form)
	}
	if form.ValidValue("username") == "" && form.ValidValue("email") == "" {
		return nil
	}
	var self uuid.UUID
	if u := web.Current(c).User; u != nil {
		self = u.ID
	}
	taken, err := h.DB.Taken(c.Request.Context(), self, form.ValidValue("username"), form.ValidValue("email"))
	for _, field := range taken {
		Taken(form, field)
	}
	return err
}

// Taken sets the error in form that the username or email is taken.
func Taken(form *forms.Form, field string) { form.Fail(field, takenSentences[field]) }
