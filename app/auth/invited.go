package auth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/components"
	"vestibule/templates/layouts"
)

// invitedEmail returns the address that the invitation with that secret was mailed to, or ""
// without a secret. It returns a [web.Refusal] if the invitation no longer works, or if
// nobody can sign up without one.
func (h Handlers) invitedEmail(c *gin.Context, secret string) (string, error) {
	if secret == "" {
		return "", h.signUpClosed(c)
	}
	email, _, err := h.DB.InvitedEmail(c.Request.Context(), secret)
	if errors.Is(err, models.ErrNotFound) {
		err = goneInvitation(c)
	}
	return email, err
}

func goneInvitation(c *gin.Context) error {
	return web.Gone("Ask whoever invited you for a new one.", signInLink(c))
}

// signInLink is the way on for somebody who can't sign up. It keeps where they were going.
func signInLink(c *gin.Context) templ.Component {
	return components.ButtonLink(layouts.WithNext("/sign-in", web.LocalPath(c.Query("next"))), "Sign in")
}

// signUpClosed returns a [web.Refusal] if nobody can sign up without an invitation.
func (h Handlers) signUpClosed(c *gin.Context) error {
	on := signInLink(c)
	switch h.Config.SignUp {
	case models.SignUpInvited:
		return &web.Refusal{Status: http.StatusForbidden, Title: "Sign-up is by invitation", Text: "Open the link in your invitation to create an account. If you don't have one, ask whoever told you about this site.", On: on}
	case models.SignUpClosed:
		return &web.Refusal{Status: http.StatusForbidden, Title: "Sign-up is closed", Text: "This site isn't taking new accounts right now. If you have one already, you can sign in as always.", On: on}
	}
	return nil
}

// failDomain sets an error in form if its email address is of a domain whose people can't
// sign up.
func (h Handlers) failDomain(form *forms.Form) {
	email := form.ValidValue("email")
	if h.Config.SignUp == models.SignUpDomains && email != "" && !models.InDomains(email, h.Config.SignUpDomains) {
		form.Fail("email", "Use an email address at "+h.domains()+".")
	}
}

// domains names the domains whose people can sign up.
func (h Handlers) domains() string {
	var names []string
	for _, d := range h.Config.SignUpDomains {
		shown := text.ShowEmail("a@" + strings.TrimPrefix(d, "*."))[len("a@"):]
		if strings.HasPrefix(d, "*.") {
			shown = "a name below " + shown
		}
		names = append(names, shown)
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}

// ConfirmedOnly is middleware for a site that is for people with an address at some domains:
// until somebody has confirmed theirs, anyone could have typed it. Put it after SignedInOnly.
func (h Handlers) ConfirmedOnly(c *gin.Context) error {
	user := web.Current(c).User
	if h.Config.SignUp != models.SignUpDomains || user.Verified() {
		return nil
	}
	return &web.Refusal{
		Status: http.StatusForbidden, Title: "Confirm your email address",
		Text: "This site is for people with an email address at " + h.domains() + ". Open the link that we sent to " + user.ShownEmail() + ", then come back.",
		On:   components.ButtonLink("/account/email", "Didn't get it?"),
	}
}
