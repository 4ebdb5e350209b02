package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/forms"
	"vestibule/app/password"
)

type strengthForm struct {
	Username  string `form:"username"`
	FirstName string `form:"first_name"`
	LastName  string `form:"last_name"`
	Email     string `form:"email"`
	Password  string `form:"password" type:"password"`
}

// maxPersonal is the longest of those fields, in bytes.
const maxPersonal = 4 * 254

// passwordStrength says how well a password would hold, as the person types.
func (a *App) passwordStrength(c *gin.Context) {
	in := new(strengthForm)
	if !a.bind(c, forms.New(in)) {
		return
	}
	select {
	case a.scoring <- struct{}{}:
		defer func() { <-a.scoring }()
	default: // a meter that stays empty is better than pages that wait for it
		a.fragment(c, http.StatusOK, "signup", "strength", password.NoScore)
		return
	}
	var personal []string
	for _, s := range []string{in.FirstName, in.LastName, in.Username, in.Email} {
		if len(s) <= maxPersonal { // none that is longer is taken
			personal = append(personal, s)
		}
	}
	if u := current(c).User; u != nil {
		personal = append(personal, u.FirstName, u.LastName, u.Username, u.Email)
	}
	a.fragment(c, http.StatusOK, "signup", "strength", password.Strength(in.Password, personal...))
}
