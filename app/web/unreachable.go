package web

import (
	"context"

	"vestibule/app/forms"
)

// FailUnreachable sets an error in form if the site's mail server can't write to its
// email address, so nobody waits for a link that never comes.
func (k *Kit) FailUnreachable(ctx context.Context, form *forms.Form) {
	if email := form.ValidValue("email"); email != "" && k.Reaches != nil && !k.Reaches(ctx, email) {
		Unreachable(form)
	}
}

// Unreachable sets the error in form that the site's mail server can't write to its
// email address.
func Unreachable(form *forms.Form) {
	form.Fail("email", "We can't send mail to this address. Use one with only letters a to z, digits and symbols before the @.")
}
