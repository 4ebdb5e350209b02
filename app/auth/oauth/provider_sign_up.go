package oauth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/provider"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/layouts"
)

// holdSignUp asks a person whom nobody knows for what their provider doesn't say. They
// press a button there, so nobody gets an account by mistake.
func (h Handlers) holdSignUp(c *gin.Context, p *provider.Provider, a *models.Authorization, person *provider.Person) error {
	if may, err := h.maySignUp(c, person.Email, person.EmailVerified); err != nil || !may {
		return cmp.Or(err, h.backFromProvider(c, p, a, "uninvited"))
	}
	if err := h.auth().EndWaitingSignUps(c); err != nil {
		return err
	}
	waiting := &models.Authorization{Provider: p.Name, Kind: models.AuthorizeSignUp, Next: a.Next, Claims: models.Claims(*person)}
	if _, err := h.startAuthorization(c, waiting); err != nil {
		return err
	}
	return web.Redirect(c, layouts.WithNext("/sign-up/provider", a.Next))
}

// maySignUp reports whether somebody whom a provider knows may sign up: as anybody with that
// address, or because they were invited there, if the provider has verified the address. An
// address that it hasn't is asked for.
func (h Handlers) maySignUp(c *gin.Context, email string, verified bool) (bool, error) {
	open := !h.Config.SignUp.ByInvitation()
	if verified && h.Config.SignUp == models.SignUpDomains {
		open = models.InDomains(email, h.Config.SignUpDomains)
	}
	if open || !verified {
		return open, nil
	}
	return h.DB.Invited(c.Request.Context(), email)
}

// newProviderSignUp returns the form for what the provider of a sign-up doesn't say.
func (h Handlers) newProviderSignUp(waiting *models.Authorization) *view.ProviderSignUp {
	said := waiting.Claims
	form := forms.New(&view.ProviderSignUp{Provider: h.ProviderLabel(waiting.Provider)})
	form.CheckURL = "/sign-up/provider/check"
	form.Email = said.Email
	form.Ask(&form.Form, h.Config.Naming)
	form.Fill(&form.Form, &models.User{FirstName: said.FirstName, LastName: said.LastName})
	wrong := form.Validate() != nil
	if wrong { // its names may be too long, or have a link
		for field, value := range map[string]*string{"first_name": &form.FirstName, "last_name": &form.LastName, "name": &form.Name, "email": &form.Email} {
			if form.Has(value) && form.ValidValue(field) == "" {
				*value = ""
			}
		}
	}
	switch {
	case form.Has(&form.Name) && form.Name == "": // nobody has checked its parts
		form.FirstName, form.LastName = "", ""
	case form.Has(&form.Name):
		form.Omit(&form.Name)
	case form.FirstName != "" && form.LastName != "":
		form.Omit(&form.FirstName)
		form.Omit(&form.LastName)
	}
	if form.Email != "" && said.EmailVerified {
		form.Omit(&form.Email)
	}
	form.Excuse("username", "first_name", "last_name", "name", "email")
	form.FocusFirst()
	return form
}

// ShowProviderSignUp shows the form for what the provider doesn't say.
func (h Handlers) ShowProviderSignUp(c *gin.Context) error {
	waiting, err := h.waitingSignUp(c)
	if err != nil {
		return h.providerSignUpEnded(c, err)
	}
	form := h.newProviderSignUp(waiting)
	if h.Config.Naming.Usernames.Required() {
		if form.Username, err = h.suggestUsername(c.Request.Context(), waiting.Claims); err != nil {
			return err
		}
	}
	return h.renderProviderSignUp(c, http.StatusOK, form)
}

func (h Handlers) renderProviderSignUp(c *gin.Context, status int, form *view.ProviderSignUp) error {
	c.Header("Cache-Control", "no-store")
	f := h.Frame(c, status)
	return web.Render(c, f, view.ProviderSignUpPage(f, form), view.ProviderSignUpForm(f, form))
}

// providerSignUpEnded leads back to sign-up if err says that none waits.
func (h Handlers) providerSignUpEnded(c *gin.Context, err error) error {
	next := web.LocalPath(c.Query("next"))
	switch {
	case !errors.Is(err, models.ErrNotFound):
		return err
	case web.Current(c).User != nil: // sent twice
		return web.Redirect(c, next)
	}
	return h.RedirectWith(c, "provider-expired", layouts.WithNext("/sign-up", next))
}

// notOfUsernames matches what usernames can't have.
var notOfUsernames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// suggestUsername returns a username that is free: that of the provider, or the name in the
// address. It returns none if both are taken.
func (h Handlers) suggestUsername(ctx context.Context, said models.Claims) (string, error) {
	for _, name := range []string{said.Username, said.Email} {
		name, _, _ = strings.Cut(name, "@")
		name = notOfUsernames.ReplaceAllString(name, "")
		if len(name) < 5 || len(name) > 32 {
			continue
		}
		_, err := h.DB.UserByLogin(ctx, name)
		if errors.Is(err, models.ErrNotFound) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// ProviderSignUp stores the account of somebody who came by a provider, and signs them in.
func (h Handlers) ProviderSignUp(c *gin.Context) error {
	waiting, err := h.waitingSignUp(c)
	if err != nil {
		return h.providerSignUpEnded(c, err)
	}
	form := h.newProviderSignUp(waiting)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if user := web.Current(c).User; user != nil {
		return h.auth().SignedInMeanwhile(c, &form.Form, cmp.Or(form.Username, form.Email), func() error { return h.renderProviderSignUp(c, http.StatusConflict, form) })
	}
	if limited, err := h.Limited(c, &form.Form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.renderProviderSignUp(c, http.StatusTooManyRequests, form)
	}
	if err := h.auth().FailUnavailable(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderProviderSignUp(c, http.StatusUnprocessableEntity, form)
	}
	attempts := h.auth().SignUpAttempts(c, form.Email)
	if limited, err := h.Limited(c, &form.Form, attempts...); err != nil {
		return err
	} else if limited {
		return h.renderProviderSignUp(c, http.StatusTooManyRequests, form)
	}
	if may, err := h.maySignUp(c, form.Email, !form.Has(&form.Email)); err != nil || !may { // no longer
		return cmp.Or(err, h.RedirectWith(c, "provider-expired", layouts.WithNext("/sign-in", waiting.Next)))
	}
	p, err := h.signUpByProvider(c, form, waiting)
	if taken := new(models.TakenError); errors.As(err, &taken) && (taken.Field == "username" || taken.Field == "email" && form.Has(&form.Email)) {
		auth.Taken(&form.Form, taken.Field)
		return h.renderProviderSignUp(c, http.StatusUnprocessableEntity, form)
	}
	if errors.Is(err, models.ErrChanged) || errors.As(err, new(*models.TakenError)) { // sent twice, or signed up another way
		return h.RedirectWith(c, "changed", layouts.WithNext("/sign-in", waiting.Next))
	}
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	return h.auth().FinishSignIn(c, p, "welcome", waiting.Next)
}

func (h Handlers) signUpByProvider(c *gin.Context, form *view.ProviderSignUp, waiting *models.Authorization) (*auth.Proved, error) {
	said := waiting.Claims
	user := &models.User{Email: form.Email}
	form.Apply(user)
	if !form.Has(&form.Email) { // the provider has verified it
		user.VerifiedAt = time.Now().UTC()
	}
	person := provider.Person(said)
	identity := &models.Identity{Provider: waiting.Provider, Issuer: said.Issuer, Subject: said.Subject, Name: nameOf(&person)}
	return h.auth().Prove(c, auth.Step{
		Factor:   models.FactorProvider,
		Identity: identity, ProviderSession: said.SessionID,
		Kind:    models.EventSignUp,
		Detail:  models.EventDetail{Connection: h.ProviderLabel(waiting.Provider)},
		Quietly: true,
		Prepare: func(tx *models.DB) (*models.User, error) {
			return user, tx.CreateUserWithIdentity(c.Request.Context(), user, identity, waiting)
		},
	})
}

// CheckProviderSignUp checks one field as the user leaves it.
func (h Handlers) CheckProviderSignUp(c *gin.Context) error {
	waiting, err := h.waitingSignUp(c)
	if errors.Is(err, models.ErrNotFound) { // the form was sent in the meantime
		c.Status(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	return h.auth().CheckTaken(c, &h.newProviderSignUp(waiting).Form)
}
