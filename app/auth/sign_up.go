package auth

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/passkey"
	"vestibule/app/text"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/auth"
)

// NewSignUp returns the sign-up form, with the rules for its password.
func NewSignUp(naming models.Naming) *view.SignUp {
	form := forms.New(new(view.SignUp))
	form.Ask(&form.Form, naming)
	form.CheckURL = "/sign-up/check"
	form.Check = func() { ApplyPasswordRules(&form.Form, form.Password, newUser(form)) }
	return form
}

func (h Handlers) newSignUp() *view.SignUp {
	form := NewSignUp(h.Config.Naming)
	h.OmitConfirmation(&form.Form, &form.ConfirmPassword)
	form.Passkeys = h.Passkeys != nil
	form.Providers = h.ProviderButtons()
	return form
}

// newUser returns the user that form describes, without storing it.
func newUser(form *view.SignUp) *models.User {
	user := &models.User{Email: form.Email}
	form.Apply(user)
	return user
}

// invitedSignUp is newSignUp for the holder of an invitation, whose address is that of the
// invitation. It returns a [web.Refusal] if the holder can't sign up. Without a secret, it
// is newSignUp.
func (h Handlers) invitedSignUp(c *gin.Context, secret string) (*view.SignUp, error) {
	form := h.newSignUp()
	email, err := h.invitedEmail(c, secret)
	if err != nil || email == "" {
		return form, err
	}
	c.Header("Cache-Control", "no-store")
	form.Email, form.Token = email, secret
	form.Omit(&form.Email)
	return form, nil
}

// bindSignUp reads the sign-up form that was sent. It returns a [web.Refusal] if its sender
// can't sign up.
func (h Handlers) bindSignUp(c *gin.Context) (*view.SignUp, error) {
	if err := web.ReadForm(c); err != nil {
		return nil, err
	}
	form, err := h.invitedSignUp(c, c.Request.PostForm.Get("token"))
	if err != nil {
		return nil, err
	}
	if err := web.Bind(c, &form.Form); err != nil {
		return nil, err
	}
	return form, nil
}

// ShowSignUp shows the sign-up form.
func (h Handlers) ShowSignUp(c *gin.Context) error {
	form, err := h.invitedSignUp(c, c.Query("token"))
	if err != nil {
		return err
	}
	form.FocusFirst()
	form.Error = h.InsecurePage(c)
	return h.renderSignUp(c, http.StatusOK, form)
}

func (h Handlers) renderSignUp(c *gin.Context, status int, form *view.SignUp) error {
	h.ProbeCookies(c)
	f := h.Frame(c, status)
	return web.Render(c, f, view.SignUpPage(f, form), view.SignUpForm(f, form))
}

// SignUp stores a new account and signs its owner in. The account has a password or a
// passkey.
func (h Handlers) SignUp(c *gin.Context) error {
	form, err := h.bindSignUp(c)
	if err != nil {
		return err
	}
	byPasskey := !form.PasskeyAnswer.Empty()
	if byPasskey {
		form.Excuse("password", "confirm_password")
	}
	if web.Current(c).User != nil {
		return h.SignedInMeanwhile(c, &form.Form, cmp.Or(form.Username, form.Email), func() error { return h.renderSignUp(c, http.StatusConflict, form) })
	}
	if form.Error = h.CookieProblem(c); form.Error != "" {
		return h.renderSignUp(c, http.StatusUnprocessableEntity, form)
	}
	if limited, err := h.Limited(c, &form.Form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.renderSignUp(c, http.StatusTooManyRequests, form)
	}
	if err := h.FailUnavailable(c, &form.Form); err != nil {
		return err
	}
	if !byPasskey {
		h.FailBreached(c, &form.Form)
	}
	if !form.Valid() {
		return h.renderSignUp(c, http.StatusUnprocessableEntity, form)
	}
	attempts := h.SignUpAttempts(c, form.Email)
	if limited, err := h.Limited(c, &form.Form, attempts...); err != nil {
		return err
	} else if limited {
		return h.renderSignUp(c, http.StatusTooManyRequests, form)
	}
	signUp := h.signUpByPassword
	if byPasskey {
		signUp = h.signUpByPasskey
	}
	p, err := signUp(c, form)
	if Refused(&form.Form, err) {
		h.Refund(c, attempts...)
		return h.renderSignUp(c, http.StatusUnprocessableEntity, form)
	}
	if failed := new(models.TakenError); errors.As(err, &failed) {
		if failed.Field == "email" && !form.Has(&form.Email) { // who reads mail there may know
			h.Refund(c, attempts...)
			return &web.Refusal{Status: http.StatusConflict, Title: "You have an account", Text: "There's already an account with the address that was invited. Sign in to it.",
				On: signInLink(c)}
		}
		Taken(&form.Form, failed.Field)
		if err := h.FailUnavailable(c, &form.Form); err != nil { // the other may be taken too
			return err
		}
		return h.renderSignUp(c, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		h.Refund(c, attempts...)
		return err
	}
	return h.FinishSignIn(c, p, "welcome", c.Query("next"))
}

// SignUpAttempts are what a sign-up with that address counts for.
func (h Handlers) SignUpAttempts(c *gin.Context, email string) []web.Attempt {
	return []web.Attempt{web.PerIP(c, "sign-up", h.Config.LimitSignUp), web.NewAttempt("sign-up of "+text.MailboxKey(email), h.Config.LimitMail)}
}

func (h Handlers) signUpByPassword(c *gin.Context, form *view.SignUp) (*Proved, error) {
	hash, err := h.Hash(c, form.Password)
	if err != nil {
		return nil, err
	}
	user := newUser(form)
	user.PasswordHash = hash
	return h.Prove(c, Step{
		Factor:  models.FactorPassword,
		Kind:    models.EventSignUp,
		Quietly: true,
		Prepare: func(tx *models.DB) (*models.User, error) {
			return user, h.createUser(c, tx, user, form.Token, func(tx *models.DB) error { return tx.CreateUser(c.Request.Context(), user) })
		},
	})
}

// createUser calls create, which stores user. The token of an invitation, unless it is
// empty, proves the address. It returns a [web.Refusal] if the invitation no longer works.
func (h Handlers) createUser(c *gin.Context, tx *models.DB, user *models.User, token string, create func(tx *models.DB) error) error {
	if token == "" {
		return create(tx)
	}
	err := tx.CreateInvitedUser(c.Request.Context(), user, token, create)
	if errors.Is(err, models.ErrNotFound) {
		err = goneInvitation(c)
	}
	return err
}

// signUpByPasskey stores an account without a password. It returns a *PasskeyRefusal if
// no authenticator has created a passkey for it.
func (h Handlers) signUpByPasskey(c *gin.Context, form *view.SignUp) (*Proved, error) {
	user := newUser(form)
	owner := &passkey.Owner{User: user}
	key, err := h.checkCreation(c, models.CeremonySignUp, form.PasskeyAnswer, func(state string) (*passkey.Owner, error) {
		var err error
		owner.Handle, err = passkey.HandleIn(state)
		return owner, err
	})
	if err != nil {
		return nil, err
	}
	p, err := h.Prove(c, Step{
		Factor:  models.FactorPasskey,
		Kind:    models.EventSignUp,
		Quietly: true,
		Prepare: func(tx *models.DB) (*models.User, error) {
			return user, h.createUser(c, tx, user, form.Token, func(tx *models.DB) error {
				return tx.CreateUserWithPasskey(c.Request.Context(), user, owner.Handle, key)
			})
		},
	})
	return p, AsRefusal(c, err)
}

// PasskeySignUpOptions tells the script what to ask an authenticator that gets the passkey
// of a new account. It refuses what SignUp would refuse, which then says why.
func (h Handlers) PasskeySignUpOptions(c *gin.Context) error {
	form, err := h.bindSignUp(c)
	if err != nil {
		return err
	}
	form.Excuse("password", "confirm_password")
	if err := h.Attempt(c, h.EnumerationLimit(c)); err != nil {
		return err
	}
	if err := h.FailUnavailable(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		c.Status(http.StatusUnprocessableEntity)
		return nil
	}
	begun, err := h.Passkeys.BeginCreation(&passkey.Owner{User: newUser(form), Handle: models.NewPasskeyHandle()})
	if err != nil {
		return err
	}
	return h.StartCeremony(c, models.CeremonySignUp, begun)
}

// CheckSignUp checks one field as the user leaves it.
func (h Handlers) CheckSignUp(c *gin.Context) error {
	if web.Current(c).User != nil { // the form was sent in the meantime
		c.Status(http.StatusNoContent)
		return nil
	}
	form, err := h.bindSignUp(c)
	if err != nil {
		return err
	}
	return h.CheckTaken(c, &form.Form)
}
