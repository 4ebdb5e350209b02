package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/templates/site"
)

// ShowDevComponents shows every component of the pages, in the theme of the query.
func (a *App) ShowDevComponents(c *gin.Context) error {
	f := a.Frame(c, http.StatusOK)
	if theme := c.Query("theme"); theme == "light" || theme == "dark" {
		f.Theme = theme
	}
	refused, failed := newSpecimen("refused-"), newSpecimen("failed-")
	for _, field := range []string{"name", "email", "role", "text", "choices", "password"} {
		refused.Fail(field, "This is what's wrong, and what to do.")
	}
	failed.Error = "Too many attempts. Try again in 40 seconds."
	page := site.DevComponentsPage(f, newSpecimen(""), refused, failed)
	return web.Render(c, f, page, page)
}

func newSpecimen(prefix string) *site.Specimen {
	form := forms.New(&site.Specimen{Name: "Anna Smith", Choices: []string{"read"}})
	form.Prefix = prefix
	form.Offer(&form.Role, []forms.Option{{Value: "member", Label: "Member"}, {Value: "admin", Label: "Admin"}})
	form.Offer(&form.Choices, []forms.Option{{Value: "read", Label: "Read notes"}, {Value: "write", Label: "Write notes"}})
	return form
}
