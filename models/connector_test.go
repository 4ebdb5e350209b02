package models_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestLateAnswers has answers of PostgreSQL's come after who asked has given up.
// Whoever asks next must get their own.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	line, dsn := delay(t, modelstest.PostgreSQL(t))
	db := modelstest.Open(t, dsn)
	anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "ben.jones")
	_, annas := signIn(t, db, anna)
	_, bens := signIn(t, db, ben)
	for range 3 {
		for token, want := range map[string]*models.User{annas: anna, bens: ben} { // prepares it
			if s, err := db.SessionByToken(t.Context(), token); err != nil || s.UserID != want.ID {
				t.Fatalf("%s is not signed in (%v)", want.Username, err)
			}
		}
		line.Lock()
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if s, err := db.SessionByToken(ctx, annas); err == nil {
			t.Errorf("%v came through a line that was held", s)
		}
		cancel()
		line.Unlock()
		for range 20 {
			if s, err := db.SessionByToken(t.Context(), bens); err != nil || s.UserID != ben.ID {
				t.Fatalf("ben.jones got %+v (%v)", s, err)
			}
		}
	}
}

// delay puts a line before the server of a database: who locks it holds back what
// the server answers. The URL returned leads through it.
func delay(t *testing.T, dsn string) (line *sync.Mutex, through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	server := u.Host
	u.Host = l.Addr().String()
	line = new(sync.Mutex)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				client.Close()
				continue
			}
			go func() { _, _ = io.Copy(upstream, client); upstream.Close() }()
			go func() { _, _ = io.Copy(held{client, line}, upstream); client.Close() }()
		}
	}()
	return line, u.String()
}

// held writes when nobody holds the line.
type held struct {
	io.Writer
	line *sync.Mutex
}

func (h held) Write(p []byte) (int, error) {
	h.line.Lock()
	defer h.line.Unlock()
	return h.Writer.Write(p)
}
