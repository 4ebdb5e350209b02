package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/models"
)

type forgotForm struct {
	Email string `form:"email" label:"E-mail" type:"email" autocomplete:"email" validate:"required,max=254,address"`
}

func (a *App) showForgotPassword(c *gin.Context) {
	form := forms.New(new(forgotForm))
	form.Focus = "email"
	a.render(c, http.StatusOK, "forgot", form, nil)
}

// forgotPassword queues a mail without a look at whether the address is known,
// so that neither the answer nor its time tells. The queue's worker looks.
func (a *App) forgotPassword(c *gin.Context) {
	in := new(forgotForm)
	form := forms.New(in)
	if !a.bind(c, form) {
		return
	}
	if !form.Valid() {
		a.render(c, http.StatusUnprocessableEntity, "forgot", form, nil)
		return
	}
	tries := []attempt{perIP(c, "forgot-password", a.config.LimitSignUp), {"forgot-password of " + models.Key(in.Email), a.config.LimitMail}}
	if a.limited(c, "forgot", form, nil, tries...) {
		return
	}
	if err := a.db.QueueMail(c.Request.Context(), models.Mail{Kind: models.MailResetPassword, Recipient: in.Email}); err != nil {
		a.refund(c, tries...)
		a.error(c, err)
		return
	}
	a.render(c, http.StatusOK, "forgot", form, in.Email)
}
