package web

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/templates/components"
)

// The fields by which the site asks for something in place of a page. See the forms
// Reauthenticate and SignInAgain of templates/auth.
const (
	ContinueField = "sudo"        // what happens after the password
	LoginField    = "again_login" // who signs in again
	ForField      = "again_for"   // whose form goes on after that

	CurrentCodeField = "current_code" // a code with the password
	AgainCodeField   = "again_code"   // a code after it
)

// ReadForm reads the form in a request's body, if there is one. It returns a [Refusal]
// if the body is too large or broken.
func ReadForm(c *gin.Context) error {
	if c.Request.Method != http.MethodPost || c.ContentType() != "application/x-www-form-urlencoded" {
		return nil
	}
	return unreadable(c.Request.ParseForm())
}

// Typed returns what was sent in a form that ReadForm has read, to send it again. It
// leaves out passwords, and returns their names.
func Typed(c *gin.Context) (typed []forms.Field, passwords []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Request.PostForm)) {
		switch {
		case name == components.OwnerField || name == ContinueField || name == LoginField || name == ForField || name == CurrentCodeField || name == AgainCodeField || name == components.CookiesExpectedField:
		case strings.HasSuffix(name, "_credential"), strings.HasSuffix(name, "_problem"): // of the form that asks
		case strings.Contains(name, "password"):
			passwords = append(passwords, name)
		default:
			for _, value := range c.Request.PostForm[name] {
				typed = append(typed, forms.Field{Name: name, Value: value})
			}
		}
	}
	return typed, passwords
}

// typedBefore is Typed for a request that has failed, maybe before its form was read. It
// returns nothing that another site has sent.
func (k *Kit) typedBefore(c *gin.Context) []forms.Field {
	if c.Request.PostForm == nil {
		if k.crossOrigin.Check(c.Request) != nil || LimitBody(c) != nil || ReadForm(c) != nil {
			return nil
		}
	}
	typed, _ := Typed(c)
	return typed
}

// Shown returns those of the fields that a person has typed, to show them: neither the
// token of a link, the answer of an authenticator nor an id, and nothing that is empty.
func Shown(typed []forms.Field) []forms.Field {
	return slices.DeleteFunc(slices.Clone(typed), func(f forms.Field) bool {
		return f.Name == "token" || f.Name == "credential" || f.Name == "problem" || strings.TrimSpace(f.Value) == "" || uuid.Validate(f.Value) == nil
	})
}
