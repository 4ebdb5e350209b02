package admin

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	view "vestibule/templates/admin"
)

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
