package web

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"vestibule/models"
)

// TestDownload has a file written whole, in part and not at all. A user has one download
// at a time.
func TestDownload(t *testing.T) {
	t.Parallel()
	const large = 1 << 20
	var log bytes.Buffer
	k, err := NewKit(Config{BaseURL: "http://localhost:8080"}, nil, slog.New(slog.NewJSONHandler(&log, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	anna, ben := &models.User{ID: uuid.New()}, &models.User{ID: uuid.New()}
	started, finish := make(chan struct{}), make(chan struct{})
	e := gin.New()
	e.Use(k.Begin, k.Recover, LimitTime)
	e.GET("/:what", func(c *gin.Context) { Current(c).User = anna }, k.Handle(func(c *gin.Context) error {
		what := c.Param("what")
		if what == "bens" {
			Current(c).User = ben
		}
		return k.Download(c, "all.txt", "text/plain", func(_ context.Context, w *bufio.Writer) error {
			switch what {
			case "nothing":
				return errors.Join(w.WriteByte('a'), errors.New("a screw is loose"))
			case "part":
				_, err := w.WriteString(strings.Repeat("a", large))
				return errors.Join(err, errors.New("a screw is loose"))
			case "slow":
				_, err := w.WriteString("sent at once")
				err = errors.Join(err, w.Flush())
				close(started)
				<-finish
				return err
			default:
				_, err := w.WriteString(strings.Repeat("a", large))
				return err
			}
		})
	}))
	server := httptest.NewServer(e)
	defer server.Close()
	get := func(path string) (*http.Response, string, error) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		return a, string(body), err
	}

	if a, body, err := get("/whole"); a.StatusCode != http.StatusOK || len(body) != large || err != nil || a.ContentLength != -1 ||
		a.Header.Get("Content-Type") != "text/plain" || a.Header.Get("Content-Disposition") != `attachment; filename="all.txt"` {
		t.Errorf("a whole file: %d, %d bytes, %v, %v", a.StatusCode, len(body), err, a.Header)
	}
	if a, body, _ := get("/nothing"); a.StatusCode != http.StatusInternalServerError || !strings.Contains(body, "Something went wrong") || a.Header.Get("Content-Disposition") != "" {
		t.Errorf("an error before the file: %d, %v, %s", a.StatusCode, a.Header, body)
	}
	if _, body, err := get("/part"); err == nil {
		t.Errorf("an error within the file looks like its end, after %d bytes", len(body))
	}
	var group sync.WaitGroup
	group.Go(func() {
		if a, body, err := get("/slow"); a.StatusCode != http.StatusOK || body != "sent at once" || err != nil {
			t.Errorf("a slow file: %d, %q, %v", a.StatusCode, body, err)
		}
	})
	<-started
	if a, body, _ := get("/whole"); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" || !strings.Contains(body, "download running") {
		t.Errorf("a second download: %d, %s", a.StatusCode, body)
	}
	if a, _, _ := get("/bens"); a.StatusCode != http.StatusOK {
		t.Errorf("a download of another user: %d", a.StatusCode)
	}
	close(finish)
	group.Wait()
	if a, _, _ := get("/whole"); a.StatusCode != http.StatusOK {
		t.Errorf("a download after it: %d", a.StatusCode)
	}
	server.Close()
	if !strings.Contains(log.String(), "download aborted") {
		t.Errorf("the log is %s", log.String())
	}
}
