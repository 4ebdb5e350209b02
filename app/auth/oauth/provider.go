package oauth

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/auth"
	"vestibule/app/metrics"
	"vestibule/app/provider"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	"vestibule/templates/layouts"
)

// StartProvider leads a guest to a provider to sign in or up, and a signed-in user to
// confirm who they are.
func (h Handlers) StartProvider(c *gin.Context) error {
	kind := models.AuthorizeSignIn
	if web.Current(c).User != nil {
		kind = models.AuthorizeConfirm
	} else if problem := h.CookieProblem(c); problem != "" {
		return h.auth().RefuseSignIn(c, problem)
	}
	return h.Authorize(c, c.Param("provider"), kind, web.LocalPath(c.Query("next")))
}

// Authorize leads the browser to the provider of that name, and then to next.
func (h Handlers) Authorize(c *gin.Context, name string, kind models.AuthorizationKind, next string) error {
	p := h.Provider(name)
	if p == nil {
		return web.NotFound(c)
	}
	if err := h.Attempt(c, web.PerIP(c, "provider", h.Config.LimitCheck)); err != nil {
		return err
	}
	a := &models.Authorization{Provider: p.Name, Kind: kind, Nonce: provider.NewVerifier(), Verifier: provider.NewVerifier(), Next: next}
	if user := web.Current(c).User; user != nil {
		a.UserID = user.ID
	}
	state, err := h.startAuthorization(c, a)
	if err != nil {
		return err
	}
	address, err := p.Begin(c.Request.Context(), asRequest(a, state))
	if err != nil {
		return h.providerFailed(c, p, a, err)
	}
	return h.auth().LeadAway(c, p.Label, address, "")
}

// asRequest returns what the provider's answer to a is checked against.
func asRequest(a *models.Authorization, state string) provider.Request {
	r := provider.Request{State: state, Nonce: a.Nonce, Verifier: a.Verifier}
	if a.Kind == models.AuthorizeConfirm {
		r.Since = a.CreatedAt
	}
	return r
}

// PostedProviderCallback answers a provider that sends its answer in the body of a form.
// Browsers send no cookies with a form of another site, so it changes nothing, and leads to
// ProviderCallback with the same parameters.
func (h Handlers) PostedProviderCallback(c *gin.Context) error {
	if p := h.Provider(c.Param("provider")); p == nil || !p.PostsAnswer() {
		return web.NotFound(c)
	}
	if err := web.ReadForm(c); err != nil {
		return err
	}
	answer := url.Values{}
	for _, name := range []string{"state", "code", "iss", "error", "user"} {
		if c.Request.PostForm.Has(name) {
			answer.Set(name, c.Request.PostForm.Get(name))
		}
	}
	c.Header("Cache-Control", "no-store")
	c.Redirect(http.StatusSeeOther, c.Request.URL.Path+"?"+answer.Encode())
	return nil
}

// ProviderCallback takes the answer of a provider.
func (h Handlers) ProviderCallback(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	p := h.Provider(c.Param("provider"))
	if p == nil {
		return web.NotFound(c)
	}
	answer := c.Request.URL.Query()
	a, err := h.takeAuthorization(c, answer.Get("state"), p.Name)
	if errors.Is(err, models.ErrNotFound) {
		return h.RedirectWith(c, "provider-expired", h.afterProvider(c, new(models.Authorization)))
	}
	if err != nil {
		return err
	}
	if user := web.Current(c).User; user == nil && a.UserID != uuid.Nil || user != nil && a.UserID != user.ID {
		return h.RedirectWith(c, "provider-expired", h.afterProvider(c, a)) // signed in or out in another tab
	}
	person, err := p.Finish(c.Request.Context(), asRequest(a, ""), answer)
	if err != nil {
		return h.providerFailed(c, p, a, err)
	}
	identity, err := h.DB.IdentityBySubject(c.Request.Context(), person.Issuer, person.Subject)
	switch known := err == nil; {
	case err != nil && !errors.Is(err, models.ErrNotFound):
		return err
	case a.Kind == models.AuthorizeConnect:
		return h.connect(c, p, a, person, identity)
	case a.Kind == models.AuthorizeConfirm && (!known || identity.UserID != a.UserID):
		return h.backFromProvider(c, p, a, "unknown")
	case known:
		return h.signInByIdentity(c, p, a, person, identity)
	default:
		return h.meetPerson(c, p, a, person)
	}
}

// afterProvider returns where a browser goes if the provider's answer was of no use.
func (h Handlers) afterProvider(c *gin.Context, a *models.Authorization) string {
	switch {
	case a.Kind == models.AuthorizeConnect:
		return "/account/connections"
	case web.Current(c).User != nil:
		return "/account/security"
	}
	return layouts.WithNext("/sign-in", a.Next)
}

func (h Handlers) backFromProvider(c *gin.Context, p *provider.Provider, a *models.Authorization, toast string) error {
	return h.RedirectWith(c, web.ProviderToast(toast, p.Name), h.afterProvider(c, a))
}

// providerFailed leads back from a provider that didn't say who somebody is.
func (h Handlers) providerFailed(c *gin.Context, p *provider.Provider, a *models.Authorization, err error) error {
	toast := "refused"
	switch {
	case web.ClientGone(c):
		return err
	case errors.Is(err, provider.ErrCanceled):
		return h.backFromProvider(c, p, a, "canceled")
	case errors.Is(err, provider.ErrUnavailable):
		toast = "down"
	}
	web.Current(c).Log().Warn("provider failed", "provider", p.Name, "err", err)
	if a.Kind != models.AuthorizeConnect {
		h.Metrics.SignIn(string(models.FactorProvider), metrics.Refused)
	}
	return h.backFromProvider(c, p, a, toast)
}

// nameOf returns how a person knows their account at a provider.
func nameOf(person *provider.Person) string { return cmp.Or(person.Email, person.Username) }

func newIdentity(p *provider.Provider, person *provider.Person) *models.Identity {
	return &models.Identity{Provider: p.Name, Issuer: person.Issuer, Subject: person.Subject, Name: nameOf(person)}
}

// connect adds what the provider has proved to the ways in of the signed-in user.
func (h Handlers) connect(c *gin.Context, p *provider.Provider, a *models.Authorization, person *provider.Person, known *models.Identity) error {
	user := web.Current(c).User
	if known != nil {
		if known.UserID != user.ID {
			return h.backFromProvider(c, p, a, "taken")
		}
		return h.backFromProvider(c, p, a, "connected")
	}
	err := h.AuditedDetail(c, models.EventConnectionAdded, user, &models.EventDetail{Connection: p.Label}, func(tx *models.DB) error {
		return tx.AddIdentity(c.Request.Context(), user, newIdentity(p, person), p.Label)
	})
	if errors.As(err, new(*models.TakenError)) { // by another request
		return h.backFromProvider(c, p, a, "taken")
	}
	if err != nil {
		return err
	}
	return h.backFromProvider(c, p, a, "connected")
}

// signInByIdentity signs in the owner of an identity, or confirms who they are.
func (h Handlers) signInByIdentity(c *gin.Context, p *provider.Provider, a *models.Authorization, person *provider.Person, identity *models.Identity) error {
	user := identity.User
	if user.Disabled() {
		h.auth().RecordRefused(c, models.FactorProvider, models.EventSignInFailed, user)
		return h.RedirectWith(c, "disabled", h.afterProvider(c, a))
	}
	return h.proveProvider(c, a, auth.Step{Identity: identity, ProviderSession: person.SessionID, Prepare: func(tx *models.DB) (*models.User, error) {
		return user, tx.UseIdentity(c.Request.Context(), identity, p.Name, nameOf(person))
	}}, user, "signed-in")
}

// proveProvider is [auth.Handlers.Prove] for what a provider has proved about user.
func (h Handlers) proveProvider(c *gin.Context, a *models.Authorization, s auth.Step, user *models.User, toast string) error {
	if err := h.Attempt(c, h.Write(user)); err != nil { // a session is about to be stored, and more
		return err
	}
	s.Factor, s.Kind, s.Detail = models.FactorProvider, models.EventSignIn, models.EventDetail{Connection: h.ProviderLabel(a.Provider)}
	proved, err := h.auth().Prove(c, s)
	if errors.Is(err, models.ErrNotFound) { // disabled, disconnected or with a new password in the meantime
		return h.RedirectWith(c, "changed", h.afterProvider(c, a))
	}
	if err != nil {
		return err
	}
	return h.auth().FinishSignIn(c, proved, toast, a.Next)
}

// meetPerson goes on with somebody whose identity nobody has. If the provider has verified
// their address, and an account here has it, they may be its owner.
func (h Handlers) meetPerson(c *gin.Context, p *provider.Provider, a *models.Authorization, person *provider.Person) error {
	email := text.Email(person.Email)
	if text.Local(email) != text.Local(person.Email) { // it was brought into another form, which is another mailbox
		person.EmailVerified = false
	}
	if !person.EmailVerified || text.CheckEmail(email) != nil {
		return h.holdSignUp(c, p, a, person)
	}
	user, err := h.DB.UserByLogin(c.Request.Context(), person.Email)
	switch {
	case errors.Is(err, models.ErrNotFound):
		return h.holdSignUp(c, p, a, person)
	case err != nil:
		return err
	case user.Disabled():
		h.auth().RecordRefused(c, models.FactorProvider, models.EventSignInFailed, user)
		return h.RedirectWith(c, "disabled", h.afterProvider(c, a))
	case asciiLower(user.Email) != asciiLower(email): // it only looks alike
		a.Next = "/account/connections"
		return h.backFromProvider(c, p, a, "have")
	case !user.Verified():
		return h.claimAccount(c, p, a, person, user)
	}
	factors, err := h.Factors(c.Request.Context(), user)
	if err != nil {
		return err
	}
	if !h.Config.LinkVerified || factors.SecondFactor() { // or the first factor alone would add a way in
		a.Next = "/account/connections"
		return h.backFromProvider(c, p, a, "have")
	}
	identity := newIdentity(p, person)
	return h.proveProvider(c, a, auth.Step{Identity: identity, ProviderSession: person.SessionID, Prepare: func(tx *models.DB) (*models.User, error) {
		if err := tx.AddIdentity(c.Request.Context(), user, identity, p.Label); err != nil {
			return nil, err
		}
		return user, auth.RecordOwn(c, tx, models.EventConnectionAdded, user, models.EventDetail{Connection: p.Label})
	}}, user, web.ProviderToast("connected", p.Name))
}

// asciiLower returns s with its ASCII letters in lower case. Keys of addresses fold others,
// too, which may be another's mailbox.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// claimAccount gives an account that never confirmed its address to the person who has
// proved it now, and ends what others may have prepared there.
func (h Handlers) claimAccount(c *gin.Context, p *provider.Provider, a *models.Authorization, person *provider.Person, user *models.User) error {
	if strings.HasPrefix(a.Next, "/verify-email") { // whose link is used up with that
		a.Next = layouts.Home
	}
	identity := newIdentity(p, person)
	return h.proveProvider(c, a, auth.Step{Identity: identity, ProviderSession: person.SessionID, Quietly: true, Prepare: func(tx *models.DB) (*models.User, error) {
		claimed, err := tx.ClaimUser(c.Request.Context(), user.ID, person.Email, identity, p.Label)
		if err != nil {
			return nil, err
		}
		if err := auth.RecordOwn(c, tx, models.EventEmailConfirmed, claimed, models.EventDetail{Email: claimed.Email}); err != nil {
			return nil, err
		}
		return claimed, auth.RecordOwn(c, tx, models.EventConnectionAdded, claimed, models.EventDetail{Connection: p.Label})
	}}, user, web.ProviderToast("claimed", p.Name))
}

// startAuthorization stores a until the provider answers, and returns the state that the
// answer must bring. Only this browser may bring it.
func (h Handlers) startAuthorization(c *gin.Context, a *models.Authorization) (state string, err error) {
	state, secret, err := h.DB.StartAuthorization(c.Request.Context(), h.Cookie(c, web.ProviderCookie), a)
	if err == nil {
		h.SetCookie(c, web.ProviderCookie, secret, models.AuthorizationLife)
	}
	return state, err
}

// takeAuthorization ends the authorization that a provider answers. It returns
// models.ErrNotFound if this browser has no such authorization.
func (h Handlers) takeAuthorization(c *gin.Context, state, provider string) (*models.Authorization, error) {
	return h.DB.TakeAuthorization(c.Request.Context(), state, h.Cookie(c, web.ProviderCookie), provider)
}

// waitingSignUp returns the sign-up of this browser that waits for what its provider
// doesn't say, or models.ErrNotFound.
func (h Handlers) waitingSignUp(c *gin.Context) (*models.Authorization, error) {
	return h.DB.WaitingSignUp(c.Request.Context(), h.Cookie(c, web.ProviderCookie))
}
