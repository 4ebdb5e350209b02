package auth

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

// SignUpForm is the form of a new account.
type SignUpForm struct {
	Profile
	Email           string `form:"email" label:"E-mail" type:"email" autocomplete:"email" validate:"required,max=254,address"`
	Password        string `form:"password" label:"Password" type:"password" autocomplete:"new-password" hint:"At least 8 characters. A few unrelated words make a good one." validate:"required"`
	ConfirmPassword string `form:"confirm_password" label:"Confirm password" noun:"your password again" type:"password" autocomplete:"new-password" validate:"required,eqfield=Password"`
}

// Check applies the rules for passwords, which look at the other fields too.
func (in *SignUpForm) Check(f *forms.Form) { CheckPassword(f, in.Password, in.user()) }

// user is who is about to join.
func (in *SignUpForm) user() *models.User {
	return &models.User{Username: in.Username, Email: in.Email, FirstName: in.FirstName, LastName: in.LastName}
}

func newSignUpForm() (*SignUpForm, *forms.Form) {
	in := new(SignUpForm)
	form := forms.New(in)
	form.CheckURL = "/sign-up/check"
	return in, form
}

func (h Handlers) ShowSignUp(c *gin.Context) error {
	in, form := newSignUpForm()
	in.Email = c.Query("email") // of an invitation
	return h.Render(c, http.StatusOK, "signup", form, nil)
}

func (h Handlers) SignUp(c *gin.Context) error {
	in, form := newSignUpForm()
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if limited, err := h.Limited(c, form, h.EnumerationLimit(c)); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "signup", form, nil)
	}
	if err := h.FailTaken(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "signup", form, nil)
	}
	tries := []web.Attempt{web.PerIP(c, "sign-up", h.Config.LimitSignUp), web.NewAttempt("sign-up of "+models.Key(in.Email), h.Config.LimitMail)}
	if limited, err := h.Limited(c, form, tries...); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "signup", form, nil)
	}
	hash, err := h.Hash(c, in.Password)
	if err != nil {
		h.Refund(c, tries...)
		return err
	}
	user := in.user()
	user.PasswordHash = hash
	e, err := h.startSession(c, models.EventSignUp, true, func(tx *models.DB) (*models.User, error) {
		return user, tx.CreateUser(c.Request.Context(), user)
	})
	if failed := new(models.TakenError); errors.As(err, &failed) {
		Taken(form, failed.Field)
		if err := h.FailTaken(c, form); err != nil { // the other may be taken too
			return err
		}
		return h.Render(c, http.StatusUnprocessableEntity, "signup", form, nil)
	}
	if err != nil {
		h.Refund(c, tries...)
		return err
	}
	return h.finishSignIn(c, e, "welcome")
}

// CheckSignUp checks one field as the person leaves it.
func (h Handlers) CheckSignUp(c *gin.Context) error {
	if web.Current(c).User != nil { // it comes late: the form was sent meanwhile
		c.Status(http.StatusNoContent)
		return nil
	}
	_, form := newSignUpForm()
	return h.CheckTaken(c, "signup", form)
}
