package app

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/models"
)

type signUpForm struct {
	accountForm
	Email           string `form:"email" label:"E-mail" type:"email" autocomplete:"email" validate:"required,max=254,address"`
	Password        string `form:"password" label:"Password" type:"password" autocomplete:"new-password" hint:"At least 8 characters. A few unrelated words make a good one." validate:"required"`
	ConfirmPassword string `form:"confirm_password" label:"Confirm password" noun:"your password again" type:"password" autocomplete:"new-password" validate:"required,eqfield=Password"`
}

// Check applies the rules for passwords, which look at the other fields too.
func (in *signUpForm) Check(f *forms.Form) { checkPassword(f, in.Password, in.user()) }

// user is who is about to join.
func (in *signUpForm) user() *models.User {
	return &models.User{Username: in.Username, Email: in.Email, FirstName: in.FirstName, LastName: in.LastName}
}

func newSignUpForm() (*signUpForm, *forms.Form) {
	in := new(signUpForm)
	form := forms.New(in)
	form.CheckURL = "/sign-up/check"
	return in, form
}

func (a *App) showSignUp(c *gin.Context) {
	in, form := newSignUpForm()
	in.Email = c.Query("email") // of an invitation
	a.render(c, http.StatusOK, "signup", form, nil)
}

func (a *App) signUp(c *gin.Context) {
	in, form := newSignUpForm()
	if !a.bind(c, form) {
		return
	}
	if a.limited(c, "signup", form, nil, a.enumerationLimit(c)) {
		return
	}
	if err := a.failTaken(c, form); err != nil {
		a.error(c, err)
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "signup", form, nil)
		return
	}
	tries := []attempt{perIP(c, "sign-up", a.config.LimitSignUp), {"sign-up of " + models.Key(in.Email), a.config.LimitMail}}
	if a.limited(c, "signup", form, nil, tries...) {
		return
	}
	hash, err := a.hash(c, in.Password)
	if err != nil {
		a.refund(c, tries...)
		a.error(c, err)
		return
	}
	user := in.user()
	user.PasswordHash = hash
	e, err := a.startSession(c, models.EventSignUp, true, func(tx *models.DB) (*models.User, error) {
		return user, tx.CreateUser(c.Request.Context(), user)
	})
	if failed := new(models.TakenError); errors.As(err, &failed) {
		form.Fail(failed.Field, takenSentences[failed.Field])
		if err := a.failTaken(c, form); err != nil { // the other may be taken too
			a.error(c, err)
			return
		}
		a.render(c, http.StatusUnprocessableEntity, "signup", form, nil)
		return
	}
	if err != nil {
		a.refund(c, tries...)
		a.error(c, err)
		return
	}
	a.finishSignIn(c, e, "welcome")
}

// checkSignUp checks one field as the person leaves it.
func (a *App) checkSignUp(c *gin.Context) {
	if current(c).User != nil { // it comes late: the form was sent meanwhile
		c.Status(http.StatusNoContent)
		return
	}
	_, form := newSignUpForm()
	a.checkTaken(c, "signup", form)
}

var takenSentences = map[string]string{
	"username": "This username is already taken.",
	"email":    "There is already an account with this e-mail.",
}

// enumerationLimit is a try to find out who has an account here.
func (a *App) enumerationLimit(c *gin.Context) attempt { return perIP(c, "check", a.config.LimitCheck) }

// checkTaken binds form and answers with the field that the person has just left:
// a username or e-mail may be somebody else's.
func (a *App) checkTaken(c *gin.Context, page string, form *forms.Form) {
	if !a.bind(c, form) {
		return
	}
	if err := a.attempt(c, a.enumerationLimit(c)); err != nil {
		a.error(c, err)
		return
	}
	if err := a.failTaken(c, form); err != nil {
		a.error(c, err)
		return
	}
	a.checkField(c, page, form)
}

// failTaken notes in form which of username and email belong to somebody else.
// It lets a person know together with all that is wrong, and before the submit;
// the database's constraints decide.
func (a *App) failTaken(c *gin.Context, form *forms.Form) error {
	if form.ValidValue("username") == "" && form.ValidValue("email") == "" {
		return nil
	}
	var self uuid.UUID
	if u := current(c).User; u != nil {
		self = u.ID
	}
	taken, err := a.db.Taken(c.Request.Context(), self, form.ValidValue("username"), form.ValidValue("email"))
	for _, field := range taken {
		form.Fail(field, takenSentences[field])
	}
	return err
}
