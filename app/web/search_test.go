package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/app/password"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestSearchesAtOnce has one user start more searches than are allowed. They run few at
// a time, and another user's search has its turn among them.
func TestSearchesAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		hasher, err := password.NewHasher(password.Here, password.DefaultParams, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		k, err := NewKit(Config{BaseURL: "http://localhost"}, db, nil, hasher)
		if err != nil {
			t.Fatal(err)
		}
		k.searching = make(chan struct{}, 1) // as with two cores
		search := func(user *models.User, text string, find func() error) error {
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			c.Set(requestKey{}, &Request{User: user})
			return k.Search(c, text, func(context.Context, *models.DB) error { return find() })
		}
		anna, ben := &models.User{ID: uuid.New()}, &models.User{ID: uuid.New()}
		none := func() error { return nil }
		started, end, ended := make(chan struct{}, 4), make(chan struct{}), make(chan error, 4)
		start := func(user *models.User) {
			ended <- search(user, "x", func() error { started <- struct{}{}; <-end; return nil })
		}
		for range maxSearches {
			go start(anna)
		}
		<-started
		for k.searches.held(anna.ID.String()) < maxSearches {
			runtime.Gosched() // until the others wait
		}
		refusal := new(Refusal)
		if err := search(anna, "x", none); !errors.As(err, &refusal) || refusal.Status != http.StatusTooManyRequests {
			t.Errorf("one more search: %v, want 429", err)
		}
		if err := search(anna, "", none); err != nil {
			t.Errorf("the whole list: %v", err)
		}
		go start(ben)
		if len(started) > 0 {
			t.Error("two searches run at once")
		}
		close(end)
		for range maxSearches + 1 {
			if err := <-ended; err != nil {
				t.Errorf("a search: %v", err)
			}
		}
		if err := search(anna, "x", none); err != nil {
			t.Errorf("a search after them: %v", err)
		}
	})
}
