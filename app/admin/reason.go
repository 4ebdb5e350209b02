package admin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/admin"
)

// withReason asks for the reason of r or, with a reason, runs do in a transaction, in which it
// must also record that, and then leads to the path next with a toast.
func (h Handlers) withReason(c *gin.Context, r view.Reasoned, toast, next string, do func(tx *models.DB, reason string) error) error {
	form, given, err := h.askReason(c, r)
	if err != nil || !given {
		return err
	}
	err = h.DB.InTx(c.Request.Context(), func(tx *models.DB) error { return do(tx, form.Reason) })
	if err != nil {
		return err
	}
	return h.RedirectWith(c, toast, next)
}

// askReason shows the page of r, or that its form is wrong. It reports whether a reason was
// given instead, which the form has.
func (h Handlers) askReason(c *gin.Context, r view.Reasoned) (form *view.Reason, given bool, err error) {
	form = forms.New(new(view.Reason))
	form.Focus = &form.Reason
	status := http.StatusOK
	if c.Request.Method == http.MethodPost {
		if err := web.Bind(c, &form.Form); err != nil {
			return nil, false, err
		}
		if form.Valid() {
			return form, true, nil
		}
		status = http.StatusUnprocessableEntity
	}
	f := h.Frame(c, status)
	return form, false, web.Render(c, f, view.ReasonPage(f, r, form), view.ReasonForm(r, form))
}
