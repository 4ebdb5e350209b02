package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Handler answers a request. If it returns an error, Kit answers with the page for it.
type Handler func(c *gin.Context) error

// Routes is a group of routes with a common path and common middleware.
type Routes struct {
	kit   *Kit
	group *gin.RouterGroup

	impersonated Impersonated
}

// Group returns a group of e that has the given middleware.
func (k *Kit) Group(e *gin.Engine, middleware ...Handler) Routes {
	return Routes{k, &e.RouterGroup, Closed}.Group("/", middleware...)
}

// Kit returns the Kit that the routes share.
func (r Routes) Kit() *Kit { return r.kit }

// Group returns a group below path whose middleware comes after that of r.
func (r Routes) Group(path string, middleware ...Handler) Routes {
	return Routes{r.kit, r.group.Group(path, r.kit.adapt(middleware)...), r.impersonated}
}

// Use adds middleware for the routes that follow.
func (r Routes) Use(middleware ...Handler) { r.group.Use(r.kit.adapt(middleware)...) }

// GET adds a route that changes nothing.
func (r Routes) GET(path string, handlers ...Handler) {
	r.register(http.MethodGet, path)
	r.group.GET(path, r.kit.adapt(handlers)...)
}

// POST adds a route that may change something.
func (r Routes) POST(path string, handlers ...Handler) {
	r.register(http.MethodPost, path)
	r.group.POST(path, r.kit.adapt(handlers)...)
}

func (k *Kit) adapt(handlers []Handler) []gin.HandlerFunc {
	adapted := make([]gin.HandlerFunc, len(handlers))
	for i, h := range handlers {
		adapted[i] = k.Handle(h)
	}
	return adapted
}

// Handle turns h into a gin handler that also answers its error.
func (k *Kit) Handle(h Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := h(c); err != nil {
			k.answerError(c, err)
		}
	}
}
