package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/app/account"
	"vestibule/app/admin"
	"vestibule/app/auth"
	"vestibule/app/auth/mailed"
	"vestibule/app/auth/oauth"
	"vestibule/app/notes"
	"vestibule/app/organization"
	"vestibule/app/web"
	"vestibule/assets"
	"vestibule/models"
)

// routes lists every URL of the site. A feature with a function Routes lists its
// own there.
func (a *App) routes() (http.Handler, error) {
	var proxies []string
	for _, network := range a.Kit.Config.TrustedProxies {
		proxies = append(proxies, network.String())
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // it would bypass the middleware
	if err := e.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}

	e.RemoteIPHeaders = []string{"X-Forwarded-For"} // the one that proxies append to

	e.Use(a.Begin, a.ForwardedFor, a.Recover, a.Headers)
	e.GET("/assets/*name", gin.WrapH(assets.Handler()))
	e.GET("/favicon.ico", func(c *gin.Context) { c.Redirect(http.StatusFound, assets.Path("favicon.svg")) })

	// The page that password managers lead to (W3C, A Well-Known URL for Changing Passwords).
	e.GET("/.well-known/change-password", func(c *gin.Context) { c.Redirect(http.StatusFound, "/account/password") })

	e.GET("/healthz", a.Healthz)
	e.GET("/readyz", a.Readyz)
	e.GET("/.well-known/webauthn", a.RelatedOrigins)
	e.GET("/.well-known/passkey-endpoints", a.PasskeyEndpoints)

	// From here on, these names are the handlers of the packages.
	auth := auth.Handlers{Kit: a.Kit}
	mailed := mailed.Handlers{Kit: a.Kit}
	oauth := oauth.Handlers{Kit: a.Kit}
	account := account.Handlers{Kit: a.Kit}
	organization := organization.Handlers{Kit: a.Kit}
	admin := admin.Handlers{Kit: a.Kit, SendData: account.SendData, PreviewMail: a.previewMail}

	// Other sites post here: a signed token, or what changes nothing.
	e.POST("/auth/:provider/logout", web.LimitTime, a.Handle(web.LimitBody), a.Handle(oauth.ProviderSignedOut))
	e.POST("/auth/:provider/callback", a.Handle(web.LimitBody), a.Handle(oauth.PostedProviderCallback))

	e.Use(web.LimitTime, a.Handle(a.Session), a.Handle(web.LimitBody), a.Handle(a.SameOrigin), a.Handle(a.GuardImpersonation))
	e.NoRoute(a.Handle(web.NotFound))
	e.NoMethod(a.Handle(admin.HideMethods), a.Handle(web.MethodNotAllowed))

	// An operator who impersonates somebody reaches only the routes of groups that say so by
	// Impersonated: none that proves who somebody is, or gives anybody access.
	public := a.Group(e, auth.SameUser)
	public.Impersonated(web.Look).GET("/", a.ShowHome)
	public.Impersonated(web.Change).POST("/theme", a.SetTheme)
	public.Impersonated(web.Leave).POST("/sign-out", auth.SignOut)
	public.POST("/sign-up/check", auth.CheckSignUp)
	public.POST("/password-strength", auth.PasswordStrength)
	public.GET("/sign-in/second-factor", auth.ShowSecondFactor)
	public.POST("/sign-in/second-factor", auth.SecondFactor)
	public.GET("/sign-in/code", mailed.ShowSignInCode)
	public.POST("/sign-in/code", mailed.SignInCode)
	public.GET("/verify-email", mailed.ShowVerifyEmail)
	public.POST("/verify-email", mailed.VerifyEmail)
	public.GET("/verify-email/password", mailed.ShowVerifyEmailPassword)
	public.POST("/verify-email/password", mailed.VerifyEmailPassword)
	public.POST("/verify-email/password/check", mailed.CheckVerifyEmailPassword)
	public.GET("/invitation", organization.ShowInvitation)
	public.POST("/invitation", organization.AcceptInvitation)
	public.GET("/forgot-password", mailed.ShowForgotPassword)
	public.POST("/forgot-password", mailed.ForgotPassword)
	public.POST("/forgot-password/code", mailed.ForgotPasswordCode)
	public.GET("/reset-password", mailed.ShowResetPassword)
	public.POST("/reset-password", mailed.ResetPassword)
	public.POST("/reset-password/check", mailed.CheckResetPassword)
	public.GET("/recover/cancel", mailed.ShowRecoverCancel)
	public.POST("/recover/cancel", mailed.RecoverCancel)
	public.GET("/not-me", mailed.ShowNotMe)
	public.POST("/not-me", mailed.NotMe)

	recovery := public.Group("/recover", mailed.NeedsRecovery)
	recovery.GET("", mailed.ShowRecover)
	recovery.POST("", mailed.Recover)
	recovery.GET("/start", mailed.ShowRecoverStart)
	recovery.POST("/start", mailed.RecoverStart)
	recovery.GET("/finish", mailed.ShowRecoverFinish)
	recovery.POST("/finish", mailed.RecoverFinish)
	recovery.POST("/finish/check", mailed.CheckRecoverFinish)

	if a.showsMail() {
		local := public.Group("/dev", localOnly)
		local.GET("/components", a.ShowDevComponents)
		local.GET("/mail", a.ShowDevMail)
		local.GET("/mail/:id", a.ShowDevMailHTML)
	}

	public.POST("/auth/:provider", oauth.StartProvider)
	public.GET("/auth/:provider/callback", oauth.ProviderCallback)

	guests := public.Group("/", web.GuestsOnly)
	guests.GET("/sign-up", auth.ShowSignUp)
	guests.POST("/sign-up", auth.SignUp)
	guests.POST("/sign-up/passkey", auth.NeedsPasskeys, auth.PasskeySignUpOptions)
	guests.GET("/sign-up/provider", oauth.ShowProviderSignUp)
	guests.POST("/sign-up/provider", oauth.ProviderSignUp)
	public.POST("/sign-up/provider/check", oauth.CheckProviderSignUp)
	guests.GET("/sign-in", auth.ShowSignIn)
	guests.POST("/sign-in", auth.SignIn)
	public.POST("/sign-in/passkey", auth.NeedsPasskeys, auth.PasskeySignInOptions) // also to sign in again

	// What a second factor needs is there for people who have none yet.
	settingUp := public.Group("/", auth.SignedInOnly, a.LimitWrites, a.Confirm)
	settingUp.POST("/sign-in/again", auth.SignedInAgain)
	settingUp.GET("/sign-in/step-up", auth.StepUp)
	settingUp.POST("/sign-in/step-up", auth.StepUp)
	settingUp.POST("/account/verify", mailed.ResendVerification)
	settingUp.GET("/account/verify/code", mailed.ShowVerifyEmailCode)
	settingUp.POST("/account/verify/code", mailed.VerifyEmailCode)
	settingUp.GET("/account/security", account.ShowSecurity)
	settingUp.POST("/account/recovery/cancel", account.CancelRecovery)
	settingUp.POST("/account/authenticator/:id/remove", auth.ReauthenticateForButton, account.RemoveAuthenticator)
	settingUp.POST("/account/recovery-codes", auth.ReauthenticateForButton, account.CreateRecoveryCodes)
	settingUp.POST("/account/passkeys/confirm", auth.NeedsPasskeys, auth.PasskeyConfirmOptions)
	settingUp.POST("/account/passkeys/:id/remove", auth.ReauthenticateForButton, account.RemovePasskey)
	proved := settingUp.Group("/", auth.Reauthenticate)
	proved.GET("/account/authenticator", account.ShowAuthenticator)
	proved.POST("/account/authenticator", account.AddAuthenticator)
	proved.GET("/account/authenticator/qr", account.ShowAuthenticatorQR)
	proved.GET("/account/authenticator/:id", account.EditAuthenticator)
	proved.POST("/account/authenticator/:id", account.RenameAuthenticator)
	proved.GET("/account/recovery-codes", account.ShowRecoveryCodes)
	proved.GET("/account/passkeys", account.ShowPasskeys)
	proved.POST("/account/passkeys", auth.NeedsPasskeys, account.AddPasskey)
	proved.POST("/account/passkeys/options", auth.NeedsPasskeys, account.AddPasskeyOptions)
	proved.GET("/account/passkeys/offer", auth.NeedsPasskeys, account.ShowPasskeyOffer)
	proved.GET("/account/passkeys/:id", account.ShowPasskey)
	proved.POST("/account/passkeys/:id", account.RenamePasskey)

	signedIn := settingUp.Group("/", auth.SecondFactorOnly)
	signedIn.POST("/account/email/check", account.CheckEmail)
	signedIn.POST("/account/email/resend", auth.ReauthenticateForButton, account.ResendEmail)
	signedIn.POST("/account/email/code", mailed.ChangeEmailCode)
	signedIn.POST("/account/email/cancel", auth.ReauthenticateForButton, account.CancelEmail)
	signedIn.GET("/account/data", account.DownloadData)
	own := signedIn.Group("/", auth.Reauthenticate)
	own.GET("/account/email", account.ShowEmail)
	own.POST("/account/email", account.ChangeEmail)
	own.GET("/account/delete", account.ShowDelete)
	own.POST("/account/delete", account.DeleteAccount)

	signedIn.Use(auth.ConfirmedOnly)
	look, change := signedIn.Impersonated(web.Look), signedIn.Impersonated(web.Change)
	look.GET("/dashboard", a.ShowDashboard)
	look.GET("/account", account.ShowProfile)
	change.POST("/account", account.SaveProfile)
	change.POST("/account/check", account.CheckProfile)
	signedIn.POST("/account/password/check", account.CheckPassword)
	look.GET("/account/sessions", account.ShowSessions)
	signedIn.POST("/account/sessions/:id/end", account.EndSession)
	signedIn.POST("/account/sessions/end-others", account.EndOtherSessions)
	signedIn.POST("/account/browsers/:id/revoke", account.RevokeBrowser)
	signedIn.GET("/account/connections", account.ShowConnections)
	signedIn.POST("/account/connections/:id/remove", auth.ReauthenticateForButton, account.RemoveConnection)
	look.GET("/account/activity", account.ShowActivity)

	look.GET("/organizations", organization.ShowOrganizations)
	change.POST("/organizations", organization.CreateOrganization)
	change.POST("/organizations/check", organization.CheckOrganization)
	look.GET("/organizations/switcher", organization.ShowSwitcher)
	signedIn.POST("/invitations/:id/accept", organization.AcceptWaitingInvitation)
	signedIn.POST("/invitations/:id/decline", organization.DeclineInvitation)

	sensitive := signedIn.Group("/", auth.Reauthenticate)
	sensitive.POST("/account/connections", account.Connect)
	sensitive.GET("/account/password", account.ShowPassword)
	sensitive.POST("/account/password", account.ChangePassword)
	signedIn.POST("/account/password/remove", auth.ReauthenticateForButton, account.RemovePassword)

	// To anyone but its members, the pages of an organization don't exist.
	members := signedIn.Group("/o/:slug", organization.MembersOnly)
	members.POST("/leave", organization.Leave) // also without the second factor that the rest may require
	members.Use(organization.SecondFactorOnly)
	lookMembers := members.Impersonated(web.Look)
	lookMembers.GET("", organization.ShowOverview)
	lookMembers.GET("/members", organization.ShowMembers)
	notes.Routes(members.Impersonated(web.Change)) // /notes…

	managers := members.Group("/members/:id", web.Require(models.ManageMembers))
	managers.POST("/role", organization.ChangeMemberRole)
	managers.POST("/remove", organization.RemoveMember)

	inviters := members.Group("/invitations", web.Require(models.InviteMembers))
	inviters.Impersonated(web.Look).GET("", organization.ShowInvitations)
	inviters.POST("", web.VerifiedOnly, organization.Invite)
	inviters.POST("/check", organization.CheckInvitation)
	inviters.POST("/:id/resend", web.VerifiedOnly, organization.ResendInvitation)
	inviters.POST("/:id/revoke", organization.RevokeInvitation)

	lookMembers.GET("/activity", web.Require(models.SeeActivity), organization.ShowActivity)

	editors := members.Group("/settings", web.Require(models.EditOrganization)).Impersonated(web.Change)
	editors.GET("", organization.ShowSettings)
	editors.POST("", organization.SaveSettings)
	editors.POST("/check", organization.CheckSettings)

	owners := members.Group("/", web.Require(models.OwnOrganization))
	lookOwners := owners.Impersonated(web.Look)
	lookOwners.GET("/roles", organization.ShowRoles)
	owners.POST("/roles", organization.CreateRole)
	owners.POST("/roles/check", organization.CheckRole)
	lookOwners.GET("/roles/:id", organization.ShowRole)
	owners.POST("/roles/:id", organization.SaveRole)
	owners.POST("/roles/:id/delete", organization.DeleteRole)

	owners.Use(auth.Reauthenticate)
	owners.GET("/security", organization.ShowSecurity)
	owners.POST("/security", organization.RequireSecondFactor)
	owners.POST("/security/lift", organization.LiftSecondFactor)
	owners.GET("/transfer", organization.ShowTransfer)
	owners.POST("/transfer", organization.Transfer)
	owners.GET("/dissolve", organization.ShowDelete)
	owners.POST("/dissolve", organization.Delete)

	// To anyone but operators, these pages don't exist. Those that support may not use need AdminsOnly.
	operators := a.Group(e, admin.OperatorsOnly, auth.SameUser, a.LimitWrites, a.Confirm, auth.OperatorSecondFactorOnly, auth.ReauthenticateForButton).Group("/admin")
	operators.GET("", admin.ShowOverview)
	operators.GET("/people", admin.ShowPeople)
	operators.GET("/people/:id", admin.ShowPerson)
	admin.PersonRoutes(operators) // /people/:id/…
	operators.GET("/organizations", admin.ShowOrganizations)
	operators.GET("/organizations/:id", admin.ShowOrganization)
	operators.GET("/organizations/:id/transfer", admin.AdminsOnly, admin.TransferOrganization)
	operators.POST("/organizations/:id/transfer", admin.AdminsOnly, admin.TransferOrganization)
	operators.GET("/organizations/:id/delete", admin.AdminsOnly, admin.DeleteOrganization)
	operators.POST("/organizations/:id/delete", admin.AdminsOnly, admin.DeleteOrganization)
	operators.GET("/sessions", admin.ShowSessions)
	operators.GET("/sessions/:id/end", admin.EndSession)
	operators.POST("/sessions/:id/end", admin.EndSession)
	operators.GET("/invitations", admin.ShowInvitations)
	operators.GET("/invitations/:id/revoke", admin.AdminsOnly, admin.RevokeInvitation)
	operators.POST("/invitations/:id/revoke", admin.AdminsOnly, admin.RevokeInvitation)
	operators.GET("/throttles", admin.ShowThrottles)
	operators.GET("/throttles/:id/lift", admin.LiftThrottle)
	operators.POST("/throttles/:id/lift", admin.LiftThrottle)
	operators.GET("/audit", admin.ShowAudit)
	operators.GET("/audit.csv", admin.AdminsOnly, admin.ExportAuditCSV)
	operators.GET("/audit.json", admin.AdminsOnly, admin.ExportAuditJSON)
	operators.GET("/mail", admin.ShowMail)
	operators.GET("/mail/:id", admin.ShowMessage)
	admin.MailRoutes(operators)  // /mail/:id/…
	admin.TableRoutes(operators) // /tables…

	a.Group(e).Impersonated(web.Leave).POST("/admin/impersonation/stop", admin.StopImpersonation)

	return e, nil
}
