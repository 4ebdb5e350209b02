package organization

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/forms"
	"vestibule/app/web"
	"vestibule/models"
	view "vestibule/templates/organization"
)

// maxNotice is how far ahead an organization may require a second factor.
const maxNotice = 366 * 24 * time.Hour

// newSecurity returns the form of the organization's policy.
func newSecurity(c *gin.Context) *view.Security {
	o := web.Current(c).Member.Organization
	form := forms.New(new(view.Security))
	if form.From = requiredFrom(o); o.NoTrust {
		form.NoTrust = "1"
	}
	form.Check = func() {
		if form.From == "" || form.From == requiredFrom(o) { // which may be past
			return
		}
		switch from, err := time.Parse(time.DateOnly, form.From); {
		case err != nil:
			form.Fail("from", "Enter a date such as "+day(time.Now())+".")
		case time.Since(from) > 48*time.Hour: // today, somewhere
			form.Fail("from", "Choose today or a later day.")
		case time.Until(from) > maxNotice:
			form.Fail("from", "Choose a day within a year.")
		}
	}
	return form
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// requiredFrom returns the day from which o requires a second factor, or "" if it doesn't.
func requiredFrom(o *models.Organization) string {
	if o.SecondFactorFrom.IsZero() {
		return ""
	}
	return day(o.SecondFactorFrom)
}

// ShowSecurity shows whether an organization requires a second factor, and who has none.
func (h Handlers) ShowSecurity(c *gin.Context) error {
	return h.renderSecurity(c, http.StatusOK, newSecurity(c))
}

func (h Handlers) renderSecurity(c *gin.Context, status int, form *view.Security) error {
	ctx, actor := c.Request.Context(), web.Current(c).Member
	factors, err := h.Factors(ctx, web.Current(c).User)
	if err != nil {
		return err
	}
	form.Ready, form.Browsers = factors.HasSecond(), h.Config.TrustBrowser > 0
	missing := view.Missing{}
	if missing.Count, err = h.DB.CountWithOneFactor(ctx, actor.OrganizationID); err != nil {
		return err
	}
	search := models.MemberSearch{OneFactor: true, After: web.PageStart(c, "after"), Limit: web.PageSize + 1}
	members, err := h.DB.Members(ctx, actor.OrganizationID, search)
	if err != nil {
		return err
	}
	missing.List = web.NewList(c, "after", members, func(m models.Membership) uuid.UUID { return m.ID }, func(m models.Membership) view.MemberRow {
		m.Role = new(models.Role)
		return newMemberRow(actor, &m, nil)
	})
	f := h.Frame(c, status)
	if !missing.First() {
		return web.Render(c, f, view.SecurityPage(f, form, missing), view.MissingRows(missing))
	}
	return web.Render(c, f, view.SecurityPage(f, form, missing), view.SecurityForm(f, form))
}

// RequireSecondFactor makes the organization require a second factor from a day on.
func (h Handlers) RequireSecondFactor(c *gin.Context) error {
	form := newSecurity(c)
	form.From, form.NoTrust = "", ""
	if err := web.Bind(c, &form.Form); err != nil {
		return err
	}
	ctx, actor := c.Request.Context(), web.Current(c).Member
	o := actor.Organization
	factors, err := h.Factors(ctx, web.Current(c).User)
	if err != nil {
		return err
	}
	if !factors.HasSecond() {
		form.Error = "Add a second step to your own account first. Otherwise you'd be locked out."
	}
	if !form.Valid() {
		return h.renderSecurity(c, http.StatusUnprocessableEntity, form)
	}
	from, noTrust := o.SecondFactorFrom, form.NoTrust != ""
	if form.From != requiredFrom(o) {
		from, _ = time.Parse(time.DateOnly, form.From) // newSecurity has checked it
	}
	if from.Equal(o.SecondFactorFrom) && noTrust == o.NoTrust {
		return h.RedirectWith(c, "saved", web.Within(c, "/security"))
	}
	if o.SecondFactorFrom.IsZero() { // members get mail
		if limited, err := h.Limited(c, &form.Form, web.NewAttempt("second-factor notice in "+o.ID.String(), h.Config.LimitMail)); err != nil {
			return err
		} else if limited {
			return h.renderSecurity(c, http.StatusTooManyRequests, form)
		}
	}
	begins := from
	if now := time.Now(); begins.Before(now) {
		begins = now
	}
	detail := &models.EventDetail{Organization: o.Name, From: begins.UTC().Format("2 January 2006")}
	if noTrust {
		detail.NoTrust = "not in trusted browsers either"
	}
	err = h.AuditedDetail(c, models.EventTwoFactorsRequired, nil, detail, func(tx *models.DB) error {
		return tx.RequireSecondFactor(ctx, actor, from, noTrust)
	})
	if err != nil {
		return err
	}
	return h.RedirectWith(c, "two-factors-required", web.Within(c, "/security"))
}

// LiftSecondFactor makes the organization require no second factor.
func (h Handlers) LiftSecondFactor(c *gin.Context) error {
	o := web.Current(c).Member.Organization
	if !o.SecondFactorFrom.IsZero() { // not lifted in another tab
		detail := &models.EventDetail{Organization: o.Name}
		err := h.AuditedDetail(c, models.EventTwoFactorsLifted, nil, detail, func(tx *models.DB) error {
			return tx.LiftSecondFactor(c.Request.Context(), web.Current(c).Member)
		})
		if err != nil {
			return err
		}
	}
	return h.RedirectWith(c, "two-factors-lifted", web.Within(c, "/security"))
}
