package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/assets"
	"vestibule/models"
)

// routes lists every URL of the site.
func (a *App) routes() (http.Handler, error) {
	proxies, err := a.config.trustedProxies()
	if err != nil {
		return nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false // it would answer before the middleware
	if err := e.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}

	e.RemoteIPHeaders = []string{"X-Forwarded-For"} // the one that proxies append to

	e.Use(a.begin, a.recover, a.headers)
	e.GET("/assets/*name", gin.WrapH(assets.Handler()))
	e.GET("/favicon.ico", func(c *gin.Context) { c.Redirect(http.StatusFound, assets.Path("favicon.svg")) })

	e.GET("/healthz", a.healthz)
	e.GET("/readyz", a.readyz)

	e.Use(a.limitTime, a.session, a.limitBody, a.sameOrigin)
	e.NoRoute(a.notFound)
	e.NoMethod(a.methodNotAllowed)

	public := e.Group("/")
	public.GET("/", a.showHome)
	public.POST("/sign-out", a.signOut)
	public.POST("/sign-up/check", a.checkSignUp)
	public.POST("/password-strength", a.passwordStrength)
	public.GET("/verify-email", a.showVerifyEmail)
	public.POST("/verify-email", a.verifyEmail)
	public.GET("/invitation", a.showInvitation)
	public.POST("/invitation", a.acceptInvitation)
	public.GET("/forgot-password", a.showForgotPassword)
	public.POST("/forgot-password", a.forgotPassword)
	public.GET("/reset-password", a.showResetPassword)
	public.POST("/reset-password", a.resetPassword)
	public.POST("/reset-password/check", a.checkReset)
	if a.outbox != nil {
		public.GET("/dev/mail", a.showDevMail)
	}

	guests := e.Group("/", a.guestsOnly)
	guests.GET("/sign-up", a.showSignUp)
	guests.POST("/sign-up", a.signUp)
	guests.GET("/sign-in", a.showSignIn)
	guests.POST("/sign-in", a.signIn)

	signedIn := e.Group("/", a.signedInOnly)
	signedIn.GET("/dashboard", a.showDashboard)
	signedIn.GET("/account", a.showAccount)
	signedIn.POST("/account", a.saveAccount)
	signedIn.POST("/account/check", a.checkAccount)
	signedIn.POST("/account/email/check", a.checkEmail)
	signedIn.POST("/account/password/check", a.checkNewPassword)
	signedIn.POST("/account/verify", a.resendVerification)
	signedIn.GET("/account/sessions", a.showSessions)
	signedIn.POST("/account/sessions/:id/end", a.endSession)
	signedIn.POST("/account/sessions/end-others", a.endOtherSessions)
	signedIn.GET("/account/activity", a.showActivity)
	signedIn.GET("/account/data", a.downloadData)

	signedIn.GET("/organizations", a.showOrganizations)
	signedIn.POST("/organizations", a.createOrganization)
	signedIn.POST("/organizations/check", a.checkOrganization)

	sensitive := signedIn.Group("/", a.sudo)
	sensitive.GET("/account/email", a.showEmail)
	sensitive.POST("/account/email", a.changeEmail)
	sensitive.GET("/account/password", a.showPassword)
	sensitive.POST("/account/password", a.changePassword)
	sensitive.GET("/account/delete", a.showDelete)
	sensitive.POST("/account/delete", a.deleteAccount)

	// The pages of an organization are for its members, and for others not there.
	organization := signedIn.Group("/o/:slug", a.membersOnly)
	organization.GET("", a.showOrganization)
	organization.POST("/leave", a.leaveOrganization)
	organization.GET("/members", a.showMembers)

	organization.GET("/notes", a.showNotes)
	notes := organization.Group("/notes", a.require(models.WriteNotes))
	notes.POST("", a.createNote)
	notes.POST("/check", a.checkNote)
	notes.GET("/:id", a.editNote)
	notes.POST("/:id", a.saveNote)
	notes.POST("/:id/check", a.checkNote)
	notes.POST("/:id/delete", a.deleteNote)

	managers := organization.Group("/members/:id", a.require(models.ManageMembers))
	managers.POST("/role", a.changeMemberRole)
	managers.POST("/remove", a.removeMember)

	inviters := organization.Group("/invitations", a.require(models.InviteMembers))
	inviters.GET("", a.showInvitations)
	inviters.POST("", a.verifiedOnly, a.invite)
	inviters.POST("/check", a.checkInvitation)
	inviters.POST("/:id/resend", a.verifiedOnly, a.resendInvitation)
	inviters.POST("/:id/revoke", a.revokeInvitation)

	organization.GET("/activity", a.require(models.SeeActivity), a.showOrganizationActivity)

	editors := organization.Group("/settings", a.require(models.EditOrganization))
	editors.GET("", a.showSettings)
	editors.POST("", a.saveSettings)
	editors.POST("/check", a.checkSettings)

	owners := organization.Group("/", a.require(models.OwnOrganization))
	owners.GET("/roles", a.showRoles)
	owners.POST("/roles", a.createRole)
	owners.POST("/roles/check", a.checkRole)
	owners.GET("/roles/:id", a.showRole)
	owners.POST("/roles/:id", a.saveRole)
	owners.POST("/roles/:id/delete", a.deleteRole)

	owners.Use(a.sudo)
	owners.GET("/transfer", a.showTransfer)
	owners.POST("/transfer", a.transfer)
	owners.GET("/dissolve", a.showDissolve)
	owners.POST("/dissolve", a.dissolve)

	return e, nil
}
