package auth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
)

type forgotForm struct {
	Email string `form:"email" label:"E-mail" type:"email" autocomplete:"email" validate:"required,max=254,address"`
}

func (h Handlers) ShowForgotPassword(c *gin.Context) error {
	form := forms.New(new(forgotForm))
	form.Focus = "email"
	return h.Render(c, http.StatusOK, "forgot", form, nil)
}

// ForgotPassword queues a mail without a look at whether the address is known,
// so that neither the answer nor its time tells. The queue's worker looks.
func (h Handlers) ForgotPassword(c *gin.Context) error {
	in := new(forgotForm)
	form := forms.New(in)
	if err := web.Bind(c, form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.Render(c, http.StatusUnprocessableEntity, "forgot", form, nil)
	}
	tries := []web.Attempt{web.PerIP(c, "forgot-password", h.Config.LimitSignUp), web.NewAttempt("forgot-password of "+models.Key(in.Email), h.Config.LimitMail)}
	if limited, err := h.Limited(c, form, tries...); err != nil {
		return err
	} else if limited {
		return h.Render(c, http.StatusTooManyRequests, "forgot", form, nil)
	}
	if err := h.DB.QueueMail(c.Request.Context(), models.Mail{Kind: models.MailResetPassword, Recipient: in.Email}); err != nil {
		h.Refund(c, tries...)
		return err
	}
	return h.Render(c, http.StatusOK, "forgot", form, in.Email)
}
