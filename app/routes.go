package app

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/assets"
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
	e.RedirectTrailingSlash = true
	e.ContextWithFallback = true // a gin.Context ends with its request
	if err := e.SetTrustedProxies(proxies); err != nil {
		return nil, err
	}

	e.Use(a.begin, a.recover, a.headers)
	e.GET("/assets/*name", gin.WrapH(assets.Handler()))
	e.GET("/favicon.ico", func(c *gin.Context) { c.Redirect(http.StatusFound, assets.Path("favicon.svg")) })

	e.Use(a.limitBody, a.sameOrigin, a.session)
	e.NoRoute(a.notFound)
	e.NoMethod(a.methodNotAllowed)

	public := e.Group("/")
	public.GET("/", a.showHome)
	public.POST("/sign-out", a.signOut)
	public.POST("/password-strength", a.passwordStrength)

	guests := e.Group("/", a.guestsOnly)
	guests.GET("/sign-up", a.showSignUp)
	guests.POST("/sign-up", a.signUp)
	guests.POST("/sign-up/check", a.checkSignUp)
	guests.GET("/sign-in", a.showSignIn)
	guests.POST("/sign-in", a.signIn)

	signedIn := e.Group("/", a.signedInOnly)
	signedIn.GET("/dashboard", a.showDashboard)
	signedIn.GET("/account", a.showAccount)
	signedIn.POST("/account", a.saveAccount)
	signedIn.POST("/account/check", a.checkAccount)

	return e, nil
}
