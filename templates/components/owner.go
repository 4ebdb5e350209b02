package components

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"vestibule/models"
)

type userKey struct{}

// WithUser returns a context in which components are drawn for u, who is nil for a guest.
func WithUser(ctx context.Context, u *models.User) context.Context {
	return context.WithValue(ctx, userKey{}, OwnerOf(u).String())
}

// OwnerField is the hidden field by which a form says for whom it was drawn.
const OwnerField = "signed_in_as"

// Owner is the user for whom a form was drawn. It is zero for a guest.
type Owner struct {
	ID    uuid.UUID
	Login string // at that time: see [models.User.Login]
}

// OwnerOf returns u as the owner of a form. u is nil for a guest.
func OwnerOf(u *models.User) Owner {
	if u == nil {
		return Owner{}
	}
	return Owner{u.ID, u.Login()}
}

// ownerIn returns the owner of the forms that are drawn in ctx, as the field has it. It is
// empty for a guest.
func ownerIn(ctx context.Context) string {
	o, _ := ctx.Value(userKey{}).(string)
	return o
}

// ParseOwner returns the owner that a form names, or the zero Owner if it names none.
func ParseOwner(value string) Owner {
	id, login, _ := strings.Cut(value, " ")
	parsed, err := uuid.Parse(id)
	if err != nil {
		return Owner{}
	}
	return Owner{parsed, login}
}

func (o Owner) String() string {
	if o == (Owner{}) {
		return ""
	}
	return o.ID.String() + " " + o.Login
}
