package web

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"vestibule/models"
)

// maxSearches is how many searches one user may have running or waiting. More than one,
// because typing starts the next before the last has ended.
const maxSearches = 3

// Search runs find, which reads what text asks for with the given context and database.
// Without a text it is any query. A search is limited in time, and in number: at most
// half the cores search at once, so it slows no page of others.
func (k *Kit) Search(c *gin.Context, text string, find func(ctx context.Context, db *models.DB) error) error {
	ctx := c.Request.Context()
	if text == "" {
		return find(ctx, k.DB)
	}
	client := PerIP(c, "search", models.Limit{}).key
	if u := Current(c).Sender(); u != nil {
		client = u.ID.String()
	}
	release, ok := k.searches.acquire(share{client, maxSearches})
	if !ok {
		c.Header("Retry-After", "2")
		return Refuse(http.StatusTooManyRequests, "Too many searches", "Your last searches are still running. Please try again in a moment.")
	}
	defer release()
	select {
	case k.searching <- struct{}{}:
		defer func() { <-k.searching }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return k.DB.Search(ctx, find)
}
