package auth

import (
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
	"vestibule/templates/layouts"
)

func (h Handlers) newSignIn() *view.SignIn {
	form := forms.New(&view.SignIn{Passkeys: h.Passkeys != nil, Providers: h.ProviderButtons()})
	h.nameLogin(&form.Form, &form.Login)
	return form
}

// nameLogin names login, the field for who signs in, after what the site knows people by.
func (h Handlers) nameLogin(form *forms.Form, login *string) {
	if h.Config.Naming.Usernames == models.UsernamesOff {
		form.Rename(login, "Email address", "your email address")
	}
}

func (h Handlers) wrongSignIn() string {
	if h.Config.Naming.Usernames == models.UsernamesOff {
		return "Wrong email or password."
	}
	return "Wrong email, username or password."
}

// ShowSignIn shows the form for signing in.
func (h Handlers) ShowSignIn(c *gin.Context) error {
	form := h.newSignIn()
	form.Focus = &form.Login
	form.Error = h.InsecurePage(c)
	return h.renderSignIn(c, http.StatusOK, form)
}

func (h Handlers) renderSignIn(c *gin.Context, status int, form *view.SignIn) error {
	h.ProbeCookies(c)
	f := h.Frame(c, status)
	return web.Render(c, f, view.SignInPage(f, form), view.SignInForm(f, form))
}

// RefuseSignIn answers with the form for signing in, and says what the problem is.
func (h Handlers) RefuseSignIn(c *gin.Context, problem string) error {
	form := h.newSignIn()
	form.Error = problem
	return h.renderSignIn(c, http.StatusUnprocessableEntity, form)
}

// SignIn starts a session if the password is right, or asks for a second factor. A passkey
// counts as both.
func (h Handlers) SignIn(c *gin.Context) error {
	form := h.newSignIn()
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if user := web.Current(c).User; user != nil {
		if h.isPasskeyOf(c, user, form.PasskeyAnswer) { // sent twice, as by the autofill and the button
			return web.Redirect(c, web.LocalPath(c.Query("next")))
		}
		return h.SignedInMeanwhile(c, &form.Form, form.Login, func() error { return h.renderSignIn(c, http.StatusConflict, form) })
	}
	if !form.PasskeyAnswer.Empty() {
		return h.signInByPasskey(c, form)
	}
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderSignIn(c, http.StatusUnprocessableEntity, form)
	}
	user, limited, err := h.checkSignIn(c, &form.Form, form.Login, form.Password)
	switch {
	case err != nil:
		return err
	case limited:
		return h.renderSignIn(c, http.StatusTooManyRequests, form)
	case user == nil:
		form.Focus = &form.Password
		return h.renderSignIn(c, http.StatusUnprocessableEntity, form)
	}
	p, err := h.provePassword(c, user)
	if errors.Is(err, models.ErrNotFound) { // disabled, deleted or with a new password in the meantime
		return h.RedirectWith(c, "changed", layouts.WithNext("/sign-in", web.LocalPath(c.Query("next"))))
	}
	if err != nil {
		return err
	}
	next := web.LocalPath(c.Query("next"))
	if p.Session != nil && form.Able != "" && h.offersPasskey(c, user) {
		next = view.PasskeyOfferPath(next)
	}
	return h.FinishSignIn(c, p, "signed-in", next)
}

// offersPasskey reports whether to offer user a passkey now, which is done once.
func (h Handlers) offersPasskey(c *gin.Context, user *models.User) bool {
	if h.Passkeys == nil {
		return false
	}
	offers, err := h.DB.OfferPasskey(c.Request.Context(), user.ID)
	if err != nil { // they are signed in all the same
		web.Current(c).Log().Error("passkey not offered", "err", err)
	}
	return offers
}

// signInByPasskey is SignIn for a form that was sent with a passkey.
func (h Handlers) signInByPasskey(c *gin.Context, sent *view.SignIn) error {
	form := h.newSignIn() // without the errors of fields that need not be filled in
	form.Login = sent.Login
	form.Error = h.CookieProblem(c)
	if !form.Valid() {
		return h.renderSignIn(c, http.StatusUnprocessableEntity, form)
	}
	p, err := h.ProvePasskey(c, sent.PasskeyAnswer, uuid.Nil, Step{})
	if refusal := new(PasskeyRefusal); errors.As(err, &refusal) {
		form.Error, form.Unknown = refusal.Sentence, refusal.Unknown
		return h.renderSignIn(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	return h.FinishSignIn(c, p, "signed-in", c.Query("next"))
}

// provePassword is [Handlers.Prove] for a user whose password was right.
func (h Handlers) provePassword(c *gin.Context, user *models.User) (*Proved, error) {
	return h.Prove(c, Step{
		Factor:  models.FactorPassword,
		Kind:    models.EventSignIn,
		Prepare: func(*models.DB) (*models.User, error) { return user, nil },
	})
}

const disabledAccount = "This account is disabled. Please contact the site's administrator."

// SignedInMeanwhile answers a guest's form that a signed-in user sends, because they have
// signed in from another tab. One who typed their own name goes on to the page they wanted;
// otherwise nothing is done, and render shows the form again.
func (h Handlers) SignedInMeanwhile(c *gin.Context, form *forms.Form, typed string, render func() error) error {
	user := web.Current(c).User
	if user.IsLogin(typed) {
		return web.Redirect(c, web.LocalPath(c.Query("next")))
	}
	form.Error = "You're signed in as " + user.Login() + " now. Sign out in another tab, then try again here."
	return render()
}

// checkSignIn returns the user who may sign in with that password. If it is nil, nobody
// may, and form has the error; limited reports whether there were too many attempts.
func (h Handlers) checkSignIn(c *gin.Context, form *forms.Form, login, pw string) (user *models.User, limited bool, err error) {
	user, err = h.DB.UserByLogin(c.Request.Context(), login)
	nobody := errors.Is(err, models.ErrNotFound)
	if nobody {
		// Treated as a user with another password, so that neither the answer nor
		// its time reveals who has an account.
		user, err = UnknownUser(login), nil
	}
	if err != nil {
		return nil, false, err
	}
	match, limited, err := h.AttemptSignIn(c, form, user, pw)
	switch {
	case err != nil || limited:
		return nil, limited, err
	case !match:
		if nobody {
			user = nil
		}
		h.RecordRefused(c, models.FactorPassword, models.EventSignInFailed, user)
		form.Error = h.wrongSignIn()
		return nil, false, nil
	case user.Disabled():
		h.RecordRefused(c, models.FactorPassword, models.EventSignInFailed, user)
		form.Error = disabledAccount
		return nil, false, nil
	}
	return user, false, nil
}

// UnknownUser stands in for the user whom somebody calls login and who doesn't exist. Their
// attempts are counted as those of a user would be.
func UnknownUser(login string) *models.User {
	return &models.User{ID: uuid.NewHash(sha256.New(), uuid.Nil, []byte(text.EmailKey(login)), 8)}
}
