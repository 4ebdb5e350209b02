//go:build linux || darwin || freebsd

package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/gin-gonic/gin"
	"github.com/uptrace/bun/driver/pgdriver"
	"golang.org/x/sync/errgroup"
	_ "modernc.org/sqlite" // the driver of database/sql

	"vestibule/app/password"
)

// reply is an answer of Vestibule that the floor repeats byte by byte.
type reply struct {
	Method, Path string
	Status       int
	Header       http.Header
	Body         []byte
	Session      bool // look up the session, as the site must
	Prepared     bool // look it up by a statement prepared once per connection, as the site does
}

// plan is the input of a floor server.
type plan struct {
	Database string
	Reply    reply
}

// floor serves p's reply in a separate process until ctx ends, and returns its URL.
func floor(ctx context.Context, p plan) (string, error) {
	cmd, err := command(ctx, "floor", p)
	if err != nil {
		return "", err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	context.AfterFunc(ctx, func() { _ = cmd.Wait() }) // killed
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the floor didn't start: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// floorServer runs in the process that floor starts: bare Gin, and database/sql with
// one handwritten query.
func floorServer(in io.Reader, out io.Writer) error {
	var p plan
	if err := json.NewDecoder(in).Decode(&p); err != nil {
		return err
	}
	debug.SetGCPercent(200) // as the site does
	known, err := sessions(p.Database)
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	r := p.Reply
	e.Handle(r.Method, r.Path, func(c *gin.Context) {
		if r.Session && !known(c, r.Prepared) {
			c.AbortWithStatus(http.StatusUnauthorized)
			return
		}
		h := c.Writer.Header()
		for name, values := range r.Header {
			h[name] = values
		}
		c.Status(r.Status)
		if len(r.Body) > 0 {
			_, _ = c.Writer.Write(r.Body)
		}
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "http://"+listener.Addr().String())
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	return server.Serve(listener)
}

// sessions returns a function that looks up a request's session and user, on a pool as
// large as Vestibule's: by the query that is usually written by hand, or by a prepared
// statement.
func sessions(database string) (func(c *gin.Context, prepared bool) bool, error) {
	query := `SELECT s.id, s.user_id, s.expires_at, s.last_seen_at, u.username, u.email, u.first_name, u.last_name, u.password_hash
		FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token_hash = ? AND s.expires_at > ?`
	var db *sql.DB
	conns := max(16, 4*runtime.GOMAXPROCS(0))
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		var err error
		if db, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"); err != nil {
			return nil, err
		}
		conns = max(4, 2*runtime.GOMAXPROCS(0))
	} else {
		db = sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(database)))
		query = strings.Replace(strings.Replace(query, "?", "$1", 1), "?", "$2", 1)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	stmt, err := db.Prepare(query)
	if err != nil {
		return nil, err
	}
	return func(c *gin.Context, prepared bool) bool {
		token, err := c.Cookie(sessionCookie)
		if err != nil {
			return false
		}
		bits, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return false
		}
		hash := sha256.Sum256(bits)
		var id, user, username, email, first, last, password string
		var expires, seen any // text on SQLite
		at := time.Now().UTC().Format("2006-01-02 15:04:05.999999-07:00")
		row := func() *sql.Row { return db.QueryRowContext(c.Request.Context(), query, hash[:], at) }
		if prepared {
			row = func() *sql.Row { return stmt.QueryRowContext(c.Request.Context(), hash[:], at) }
		}
		err = row().Scan(&id, &user, &expires, &seen, &username, &email, &first, &last, &password)
		return err == nil
	}, nil
}

// hashes computes argon2id hashes for d in a separate process: one at a time on each
// core, with Vestibule's default parameters.
func hashes(ctx context.Context, d time.Duration) (seen outcome, err error) {
	err = self(ctx, "hashes", d, &seen)
	return seen, err
}

// hasher runs in the process that hashes starts.
func hasher(in io.Reader, out io.Writer) error {
	var d time.Duration
	if err := json.NewDecoder(in).Decode(&d); err != nil {
		return err
	}
	params := password.DefaultParams
	var seen outcome
	var mu sync.Mutex
	var group errgroup.Group
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for time.Since(start) < d {
				began := time.Now()
				if _, err := argon2id.CreateHash(secret, &params); err != nil {
					return err
				}
				mu.Lock()
				seen.Latencies = append(seen.Latencies, time.Since(began))
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	seen.Took = time.Since(start)
	return json.NewEncoder(out).Encode(seen)
}
