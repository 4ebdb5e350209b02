package account

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/passkey"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
	authview "vestibule/templates/auth"
)

// ShowPasskeys shows the user's passkeys, and the form that adds one.
func (h Handlers) ShowPasskeys(c *gin.Context) error {
	return h.renderPasskeys(c, http.StatusOK, forms.New(new(view.AddPasskey)))
}

func (h Handlers) renderPasskeys(c *gin.Context, status int, form *view.AddPasskey) error {
	owner, err := h.auth().PasskeyOwner(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	rows := make([]view.PasskeyRow, 0, len(owner.Passkeys))
	for _, p := range owner.Passkeys {
		row := view.PasskeyRow{ID: p.ID.String(), Name: p.Name, Synced: p.BackupEligible, CreatedAt: p.CreatedAt, LastUsedAt: p.LastUsedAt}
		if name := passkey.AuthenticatorName(p.AAGUID); name != p.Name {
			row.Authenticator = name
		}
		rows = append(rows, row)
	}
	f := h.Frame(c, status)
	page := view.PasskeysPage(f, form, nextPage(c), rows, h.Passkeys != nil, h.auth().PasskeySignal(owner))
	return web.Render(c, f, page, view.AddPasskeyForm(form, nextPage(c)))
}

// nextPage returns where adding a passkey leads, or "" for the list.
func nextPage(c *gin.Context) string {
	if c.Query("next") == "" {
		return ""
	}
	return web.LocalPath(c.Query("next"))
}

// ShowPasskeyOffer offers to add a passkey, after a sign-in by password.
func (h Handlers) ShowPasskeyOffer(c *gin.Context) error {
	f := h.Frame(c, http.StatusOK)
	page := view.PasskeyOfferPage(f, forms.New(new(view.AddPasskey)))
	return web.Render(c, f, page, page)
}

// AddPasskeyOptions tells the script what to ask an authenticator that gets a passkey.
func (h Handlers) AddPasskeyOptions(c *gin.Context) error {
	owner, err := h.auth().PasskeyOwner(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	if owner.Handle, err = h.DB.EnsurePasskeyHandle(c.Request.Context(), owner.User.ID); err != nil {
		return err
	}
	begun, err := h.Passkeys.BeginCreation(owner)
	if err != nil {
		return err
	}
	return h.auth().StartCeremony(c, models.CeremonyAdd, begun)
}

// AddPasskey stores the passkey that an authenticator has created.
func (h Handlers) AddPasskey(c *gin.Context) error {
	form := forms.New(new(view.AddPasskey))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	err := h.addPasskey(c, form.PasskeyAnswer)
	switch {
	case err == nil:
		return h.RedirectWith(c, "passkey-added", cmp.Or(nextPage(c), "/account/passkeys"))
	case auth.Refused(&form.Form, err), web.Full(&form.Form, err, "You can have up to %s passkeys. Remove one first."):
	default:
		return err
	}
	return h.renderPasskeys(c, http.StatusUnprocessableEntity, form)
}

func (h Handlers) addPasskey(c *gin.Context, sent authview.PasskeyAnswer) error {
	user := web.Current(c).User
	p, err := h.auth().CheckCreation(c, sent)
	if err != nil {
		return err
	}
	err = h.Audited(c, models.EventPasskeyAdded, user, func(tx *models.DB) error {
		if err := tx.AddPasskey(c.Request.Context(), user, p); err != nil {
			return err
		}
		return tx.Strengthen(c.Request.Context(), web.Current(c).Session, models.FactorPasskey)
	})
	return auth.AsRefusal(c, err)
}

// passkey finds the passkey in the path.
func (h Handlers) passkey(c *gin.Context) (*models.Passkey, error) {
	return h.DB.PasskeyByID(c.Request.Context(), web.Current(c).User.ID, web.ID(c))
}

// ShowPasskey shows the forms that rename and remove a passkey.
func (h Handlers) ShowPasskey(c *gin.Context) error {
	p, err := h.passkey(c)
	if err != nil {
		return err
	}
	return h.renderPasskey(c, http.StatusOK, forms.New(&view.Passkey{Name: p.Name}), p)
}

func (h Handlers) renderPasskey(c *gin.Context, status int, form *view.Passkey, p *models.Passkey) error {
	user := web.Current(c).User
	factors, err := h.Factors(c.Request.Context(), user)
	if err != nil {
		return err
	}
	factors.Passkeys-- // without this one
	removable := factors.WayIn()
	f := h.Frame(c, status)
	return web.Render(c, f, view.PasskeyPage(f, form, p.Name, removable), view.PasskeyForm(f, form))
}

// RenamePasskey gives a passkey another name.
func (h Handlers) RenamePasskey(c *gin.Context) error {
	p, err := h.passkey(c)
	if err != nil {
		return err
	}
	form := forms.New(new(view.Passkey))
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderPasskey(c, http.StatusUnprocessableEntity, form, p)
	}
	if user := web.Current(c).User; form.Name != p.Name {
		err = h.Audited(c, models.EventPasskeyRenamed, user, func(tx *models.DB) error {
			return tx.RenamePasskey(c.Request.Context(), user, p.ID, form.Name)
		})
	}
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "passkey-renamed", "/account/passkeys")
}

// RemovePasskey deletes a passkey, unless the user could not sign in without it.
func (h Handlers) RemovePasskey(c *gin.Context) error {
	user := web.Current(c).User
	err := h.Audited(c, models.EventPasskeyRemoved, user, func(tx *models.DB) error {
		return tx.RemovePasskey(c.Request.Context(), user, web.ID(c))
	})
	if errors.Is(err, models.ErrLastWayIn) {
		return lastWayIn("You can't sign in without this passkey. Set a password or add another passkey first.")
	}
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "passkey-removed", "/account/passkeys")
}
