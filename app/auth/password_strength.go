package auth

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/password"
	"vestibule/app/web"
	"vestibule/templates/components"
)

type strengthForm struct {
	forms.Form
	Username  string `form:"username"`
	FirstName string `form:"first_name"`
	LastName  string `form:"last_name"`
	Name      string `form:"name"`
	Email     string `form:"email"`
	Password  string `form:"password" type:"password"`
}

// maxPersonal is the longest of those fields, in bytes.
const maxPersonal = 4 * 254

// PasswordStrength rates a password as the user types.
func (h Handlers) PasswordStrength(c *gin.Context) error {
	form := forms.New(new(strengthForm))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	release, ok := h.AcquireScoring(c.Request.Context())
	if !ok { // better an empty meter than slow pages
		return renderStrength(c, password.NoScore)
	}
	defer release()
	var personal []string
	for _, s := range append([]string{form.FirstName, form.LastName, form.Username, form.Email}, strings.Fields(form.Name)...) {
		if len(s) <= maxPersonal { // longer values are invalid anyway
			personal = append(personal, s)
		}
	}
	if u := web.Current(c).User; u != nil {
		personal = append(personal, u.Personal()...)
	}
	return renderStrength(c, password.Strength(form.Password, personal...))
}

func renderStrength(c *gin.Context, score password.Score) error {
	return web.RenderFragment(c, http.StatusOK, components.Strength(int(score), score.Label()))
}
