package web

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"vestibule/models"
)

// maxDownload is how long a download may take, and stalledDownload how long one in
// which nothing moves.
const (
	maxDownload     = 5 * time.Minute
	stalledDownload = 30 * time.Second
)

// downloadRate is how many bytes a second a download may take, so that reading and
// encoding its rows leaves the cores to others.
const downloadRate = 8 << 20

// Download answers with the file that write produces. It streams the file, so a large
// one needs no more memory. A user can have one download at a time. If write fails before
// anything was sent, the user gets an error page. Later, the connection breaks, so nobody
// mistakes a part for the whole.
func (k *Kit) Download(c *gin.Context, filename, mediaType string, write func(ctx context.Context, w *bufio.Writer) error) error {
	release, ok := k.downloads.acquire(share{Current(c).User.ID.String(), 1})
	if !ok {
		c.Header("Retry-After", retryAfter)
		return Refuse(http.StatusTooManyRequests, "Download in progress", "You already have a download running. Wait for it to finish, then try again.")
	}
	defer release()
	// Longer than other requests. A client that is gone ends it, as writing then fails.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), maxDownload)
	defer cancel()
	sent := &sender{c: c, filename: filename, mediaType: mediaType}
	w := bufio.NewWriterSize(sent, 64<<10)
	err := write(ctx, w)
	if err == nil {
		err = w.Flush()
	}
	switch {
	case err == nil || !c.Writer.Written():
		return err
	case sent.err == nil:
		Current(c).Log().Error("download aborted", "err", err)
	default:
		Current(c).Log().Info("client aborted the download", "err", err)
	}
	panic(http.ErrAbortHandler)
}

// Export lists the rows of a feature's own tables that are about a user, for JSON.
type Export func(ctx context.Context, user *models.User) iter.Seq2[any, error]

// Export adds a list to the data that people can download, under key. It panics if
// another feature has the key.
func (k *Kit) Export(key string, read Export) {
	if k.exports[key] != nil {
		panic("two features export " + key)
	}
	if k.exports == nil {
		k.exports = map[string]Export{}
	}
	k.exports[key] = read
}

// Exports returns the exports of the features, by key.
func (k *Kit) Exports() map[string]Export { return k.exports }

// ExportRows returns own of each of rows, as an [Export] does.
func ExportRows[Row any](rows iter.Seq2[*Row, error], own func(*Row) any) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for row, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(own(row), nil) {
				return
			}
		}
	}
}

// sender sends a file. Its headers are set at the first write, so that an error before
// it can still become a page.
type sender struct {
	c                   *gin.Context
	filename, mediaType string
	err                 error // of the connection
}

// Write implements [io.Writer].
func (s *sender) Write(p []byte) (int, error) {
	if !s.c.Writer.Written() {
		s.c.Header("Content-Type", s.mediaType)
		s.c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=%q", s.filename))
		s.c.Status(http.StatusOK)
	}
	// Not every writer of a test has a deadline.
	_ = http.NewResponseController(s.c.Writer).SetWriteDeadline(time.Now().Add(stalledDownload))
	var n int
	n, s.err = s.c.Writer.Write(p)
	time.Sleep(time.Duration(n) * time.Second / downloadRate)
	return n, s.err
}
