package account

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image/png"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"vestibule/app/auth"
	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/account"
	authview "vestibule/templates/auth"
)

// setUp is an app that a user sets up. It is not stored before a code confirms it: until
// then a cookie holds it, encrypted.
type setUp struct {
	id  uuid.UUID // of the app
	key *otp.Key
}

// newSetUp begins to set up an app, in this browser.
func (h Handlers) newSetUp(c *gin.Context) (*setUp, error) {
	user := web.Current(c).User
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Vestibule", AccountName: user.Login(), SecretSize: 20}) // RFC 4226, 4: 160 bits
	if err != nil {
		return nil, err
	}
	s := &setUp{uuid.Must(uuid.NewV7()), key}
	plain := fmt.Sprintln(s.id, time.Now().Unix(), key.URL())
	return s, h.SetSealedCookie(c, web.SetUpCookie, plain, setUpContext(user), view.SetUpLife)
}

// openSetUp returns the app that the user sets up in this browser, or models.ErrNotFound.
func (h Handlers) openSetUp(c *gin.Context) (*setUp, error) {
	plain, err := h.SealedCookie(c, web.SetUpCookie, setUpContext(web.Current(c).User))
	if err != nil {
		return nil, err
	}
	var id, address string
	var begun int64
	if _, err := fmt.Sscan(plain, &id, &begun, &address); err != nil {
		return nil, err
	}
	key, err := otp.NewKeyFromURL(address)
	if err != nil {
		return nil, err
	}
	if time.Since(time.Unix(begun, 0)) > view.SetUpLife {
		return nil, models.ErrNotFound
	}
	return &setUp{uuid.MustParse(id), key}, nil
}

// setUpContext keeps the app that one user sets up from another on the same browser.
func setUpContext(user *models.User) string { return "set up an authenticator of " + user.ID.String() }

func newAuthenticator(c *gin.Context, s *setUp) *view.Authenticator {
	form := forms.New(&view.Authenticator{Secret: s.key.Secret(), URL: s.key.URL(), Next: nextPage(c)})
	form.Focus = &form.Code
	return form
}

// ShowAuthenticator shows the user's apps and, if they have none or ask for another, sets
// one up.
func (h Handlers) ShowAuthenticator(c *gin.Context) error {
	apps, err := h.DB.Authenticators(c.Request.Context(), web.Current(c).User.ID)
	if err != nil {
		return err
	}
	if h.Secrets.First() == "" || len(apps) > 0 && !c.Request.URL.Query().Has("another") {
		return h.renderAuthenticator(c, http.StatusOK, nil, apps)
	}
	s, err := h.openSetUp(c)
	if errors.Is(err, models.ErrNotFound) {
		s, err = h.newSetUp(c)
	}
	if err != nil {
		return err
	}
	return h.renderAuthenticator(c, http.StatusOK, newAuthenticator(c, s), apps)
}

// renderAuthenticator shows the apps, and form unless it is nil.
func (h Handlers) renderAuthenticator(c *gin.Context, status int, form *view.Authenticator, apps []models.Authenticator) error {
	factors, err := h.Factors(c.Request.Context(), web.Current(c).User)
	if err != nil {
		return err
	}
	f := h.Frame(c, status)
	page := view.AuthenticatorPage(f, form, apps, factors, h.Secrets.First() != "")
	if form == nil {
		return web.Render(c, f, page, page)
	}
	form.Code = "" // of no use again
	return web.Render(c, f, page, view.AuthenticatorForm(form))
}

// AddAuthenticator stores the app if the code is right.
func (h Handlers) AddAuthenticator(c *gin.Context) error {
	user := web.Current(c).User
	apps, err := h.DB.Authenticators(c.Request.Context(), user.ID)
	if err != nil {
		return err
	}
	s, err := h.openSetUp(c)
	if errors.Is(err, models.ErrNotFound) { // expired, or done in another tab
		return h.RedirectWith(c, "set-up-ended", authview.ThenPath("/account/authenticator", nextPage(c)))
	}
	if err != nil {
		return err
	}
	form := newAuthenticator(c, s)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	app := &models.Authenticator{ID: s.id, UserID: user.ID, Name: form.Name}
	if form.Valid() {
		var right bool
		if app.LastStep, right, err = auth.MatchCode(s.key.Secret(), form.Code, time.Now()); err != nil {
			return err
		}
		if !right {
			form.Fail("code", "That code is wrong. Check that your device's clock is right, then enter the code that it shows now.")
		}
	}
	if !form.Valid() {
		return h.renderAuthenticator(c, http.StatusUnprocessableEntity, form, apps)
	}
	if app.Secret, app.KeyID, err = h.Secrets.Seal([]byte(s.key.Secret()), auth.AuthenticatorContext(app)); err != nil {
		return err
	}
	err = h.Audited(c, models.EventAuthenticatorAdded, user, func(tx *models.DB) error {
		if err := tx.AddAuthenticator(c.Request.Context(), user, app); err != nil {
			return err
		}
		return tx.Strengthen(c.Request.Context(), web.Current(c).Session, models.FactorCode)
	})
	switch {
	case web.Full(&form.Form, err, "You can have up to %s apps. Remove one first."):
		return h.renderAuthenticator(c, http.StatusUnprocessableEntity, form, apps)
	case err != nil && !errors.As(err, new(*models.TakenError)): // taken if the form was sent twice
		return err
	}
	h.ClearCookie(c, web.SetUpCookie)
	factors, err := h.Factors(c.Request.Context(), user)
	if err != nil {
		return err
	}
	next := cmp.Or(form.Next, "/account/authenticator")
	if factors.RecoveryCodes == 0 {
		next = authview.ThenPath("/account/recovery-codes", form.Next)
	}
	return h.RedirectWith(c, "authenticator-added", next)
}

// ShowAuthenticatorQR draws the code that an app scans, while it is being set up.
func (h Handlers) ShowAuthenticatorQR(c *gin.Context) error {
	s, err := h.openSetUp(c)
	if err != nil {
		return err
	}
	image, err := s.key.Image(view.QRSize, view.QRSize)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image); err != nil {
		return err
	}
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "image/png", b.Bytes())
	return nil
}

// authenticator returns the app in the path.
func (h Handlers) authenticator(c *gin.Context) (*models.Authenticator, error) {
	return h.DB.AuthenticatorByID(c.Request.Context(), web.Current(c).User.ID, web.ID(c))
}

func newRename(app *models.Authenticator) *view.RenameAuthenticator {
	form := forms.New(&view.RenameAuthenticator{Name: app.Name})
	form.Focus = &form.Name
	return form
}

// EditAuthenticator shows the form that renames an app.
func (h Handlers) EditAuthenticator(c *gin.Context) error {
	app, err := h.authenticator(c)
	if err != nil {
		return err
	}
	return h.renderRename(c, http.StatusOK, newRename(app), app)
}

func (h Handlers) renderRename(c *gin.Context, status int, form *view.RenameAuthenticator, app *models.Authenticator) error {
	f := h.Frame(c, status)
	return web.Render(c, f, view.RenameAuthenticatorPage(f, form, app), view.RenameAuthenticatorForm(form, app))
}

// RenameAuthenticator changes the name of an app.
func (h Handlers) RenameAuthenticator(c *gin.Context) error {
	app, err := h.authenticator(c)
	if err != nil {
		return err
	}
	form := newRename(app)
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	if !form.Valid() {
		return h.renderRename(c, http.StatusUnprocessableEntity, form, app)
	}
	user := web.Current(c).User
	err = h.Audited(c, models.EventAuthenticatorRenamed, user, func(tx *models.DB) error {
		return tx.RenameAuthenticator(c.Request.Context(), user.ID, app.ID, form.Name)
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "saved", "/account/authenticator")
}

// RemoveAuthenticator removes an app.
func (h Handlers) RemoveAuthenticator(c *gin.Context) error {
	user := web.Current(c).User
	err := h.Audited(c, models.EventAuthenticatorRemoved, user, func(tx *models.DB) error {
		return tx.RemoveAuthenticator(c.Request.Context(), user, web.ID(c))
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "authenticator-removed", "/account/authenticator")
}
