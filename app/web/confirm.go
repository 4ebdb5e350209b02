package web

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/templates/site"
)

// Confirm is middleware that asks before an action whose form has a field "confirm" with
// the question. Under htmx a dialog has asked already. The page sends the other fields
// again.
func (k *Kit) Confirm(c *gin.Context) error {
	if c.Request.Method != http.MethodPost || IsHTMX(c) {
		return nil
	}
	var form struct {
		forms.Form
		Question string `form:"confirm"`
		Label    string `form:"confirm_label"`
		Means    string `form:"confirm_means"`
	}
	if err := Bind(c, &forms.New(&form).Form); err != nil || form.Question == "" {
		return nil // the handler says what is wrong
	}
	typed, _ := Typed(c)
	kept := slices.DeleteFunc(typed, func(f forms.Field) bool {
		return slices.Contains([]string{"confirm", "confirm_label", "confirm_means"}, f.Name)
	})
	c.Abort()
	f := k.Frame(c, http.StatusOK)
	page := site.ConfirmPage(f, form.Question, form.Means, form.Label, Origin(c), kept)
	return Render(c, f, page, page)
}
