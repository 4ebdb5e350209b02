package models_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/driver/pgdriver"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestLateAnswers lets answers of PostgreSQL arrive after the person who asked has
// given up. The next person must get their own answer.
func TestLateAnswers(t *testing.T) {
	t.Parallel()
	line, dsn := delay(t, modelstest.PostgreSQL(t))
	db := modelstest.Open(t, modelstest.With(t, dsn, "read_timeout", "1s"))
	anna, ben := newUser(t, db, "anna.smith"), newUser(t, db, "ben.jones")
	_, annas := signIn(t, db, anna)
	_, bens := signIn(t, db, ben)
	for name, ask := range map[string]func(ctx context.Context) error{
		"a prepared statement": func(ctx context.Context) error {
			line.Lock()
			_, err := db.SessionByToken(ctx, annas)
			return err
		},
		"a plain statement": func(ctx context.Context) error {
			line.Lock()
			_, err := db.Sessions(ctx, anna.ID)
			return err
		},
		"a transaction": func(ctx context.Context) error {
			return db.InTx(ctx, func(tx *models.DB) error {
				line.Lock()
				_, err := tx.SessionByToken(ctx, annas)
				return err
			})
		},
		"rows": func(ctx context.Context) error {
			rows, err := db.Bun().QueryContext(ctx, "SELECT repeat('a', 1000) FROM generate_series(1, 100000)")
			line.Lock()
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
			}
			return rows.Err()
		},
	} {
		for range 3 {
			for token, want := range map[string]*models.User{annas: anna, bens: ben} { // prepares it
				if s, err := db.SessionByToken(t.Context(), token); err != nil || s.UserID != want.ID {
					t.Fatalf("%s: %s is not signed in (%v)", name, want.Username, err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			if err := ask(ctx); err == nil {
				t.Errorf("%s: the answer came through a line that was held", name)
			}
			cancel()
			line.Unlock()
			for range 20 {
				if s, err := db.SessionByToken(t.Context(), bens); err != nil || s.UserID != ben.ID {
					t.Fatalf("%s: ben.jones got %+v (%v)", name, s, err)
				}
				if all, err := db.Sessions(t.Context(), ben.ID); err != nil || len(all) != 1 || all[0].UserID != ben.ID {
					t.Fatalf("%s: ben.jones got %+v (%v)", name, all, err)
				}
			}
		}
	}
}

// delay puts a line between the program and a database server. Locking the line
// holds back the server's answers. The returned URL leads through it.
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

// held writes only while the line is unlocked.
type held struct {
	io.Writer
	line *sync.Mutex
}

func (h held) Write(p []byte) (int, error) {
	h.line.Lock()
	defer h.line.Unlock()
	return h.Writer.Write(p)
}

// TestTransactionsEnd ends transactions with writes that succeed, and with some
// that fail: none of those is kept, and the connection stays usable.
func TestTransactionsEnd(t *testing.T) {
	t.Parallel()
	db := modelstest.Open(t, modelstest.PostgreSQL(t))
	db.Bun().SetMaxOpenConns(1)
	for _, constraint := range []string{"UNIQUE (name)", "UNIQUE (recipient) DEFERRABLE INITIALLY DEFERRED"} { // the latter, at the commit
		if _, err := db.Bun().ExecContext(t.Context(), "ALTER TABLE mails ADD "+constraint); err != nil {
			t.Fatal(err)
		}
	}
	queueing := func(mails ...models.Mail) func(tx *models.DB) error {
		return func(tx *models.DB) error {
			for _, m := range mails {
				if err := tx.QueueMail(t.Context(), m); err != nil {
					return err
				}
			}
			return nil
		}
	}
	anna, ben := models.Mail{Recipient: "anna@example.com", Name: "Anna"}, models.Mail{Recipient: "ben@example.com", Name: "Ben"}
	undo := errors.New("undo")
	for name, tt := range map[string]struct {
		do    func(tx *models.DB) error
		kept  int
		fails func(err error) bool
	}{
		"writes":                    {queueing(anna, ben), 2, nil},
		"no writes":                 {queueing(), 0, nil},
		"a write that fails":        {queueing(anna, ben, models.Mail{Recipient: "other@example.com", Name: "Anna"}), 0, isTaken},
		"a commit that fails":       {queueing(anna, ben, models.Mail{Recipient: "anna@example.com", Name: "Other"}), 0, isTaken},
		"writes that are given up":  {func(tx *models.DB) error { return errors.Join(queueing(anna)(tx), undo) }, 0, func(err error) bool { return errors.Is(err, undo) }},
		"writes and what is no SQL": {queueing(anna, models.Mail{Name: "no\x00where"}), 0, func(err error) bool { return err != nil }},
	} {
		for begin, first := range map[string]func(tx *models.DB) error{"at once": queueing(), "after a look": looking(t)} {
			emptyQueue(t, db)
			backend, before := where(t, db)
			err := db.InTx(t.Context(), func(tx *models.DB) error { return errors.Join(first(tx), tt.do(tx)) })
			if tt.fails == nil && err != nil || tt.fails != nil && !tt.fails(err) {
				t.Errorf("%s, %s: the error is %v", name, begin, err)
			}
			if got := queue(t, db); len(got) != tt.kept {
				t.Errorf("%s, %s: %+v are kept, want %d", name, begin, got, tt.kept)
			}
			same, one := where(t, db)
			if _, two := where(t, db); same != backend || one == before || two == one {
				t.Fatalf("%s, %s: the connection is %d, before %d; its transactions are %d, %d and %d", name, begin, same, backend, before, one, two)
			}
		}
	}
}

// where returns the server process and the transaction that answer.
func where(t *testing.T, db *models.DB) (backend, transaction int64) {
	t.Helper()
	if err := db.Bun().NewRaw("SELECT pg_backend_pid(), txid_current()").Scan(t.Context(), &backend, &transaction); err != nil {
		t.Fatal(err)
	}
	return backend, transaction
}

// isTaken reports whether PostgreSQL answered unique_violation.
func isTaken(err error) bool {
	var answer pgdriver.Error
	return errors.As(err, &answer) && answer.Field('C') == "23505"
}

// TestClientLeavesAtCommit cancels a request just before its commit. Its writes
// must not appear with the next transaction on the connection.
func TestClientLeavesAtCommit(t *testing.T) {
	t.Parallel()
	db := modelstest.Open(t, modelstest.PostgreSQL(t))
	db.Bun().SetMaxOpenConns(1)
	ctx, leave := context.WithCancel(t.Context())
	db.Bun().AddQueryHook(atCommit(leave)) //lint:ignore SA1019 a copy, as WithQueryHook makes, would not see the application's queries
	err := db.InTx(ctx, func(tx *models.DB) error {
		return tx.QueueMail(ctx, models.Mail{Recipient: "anna@example.com"})
	})
	if !errors.Is(err, context.Canceled) && !errors.Is(err, sql.ErrTxDone) { // whichever is seen first
		t.Errorf("the error is %v", err)
	}
	if err := db.InTx(t.Context(), looking(t)); err != nil {
		t.Error(err)
	}
	if got := queue(t, db); len(got) > 0 {
		t.Errorf("%+v are kept", got)
	}
}

// atCommit is called before each commit.
type atCommit func()

func (f atCommit) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if event.Query == "COMMIT" {
		f()
	}
	return ctx
}

func (atCommit) AfterQuery(context.Context, *bun.QueryEvent) {}

// looking returns a transaction that reads.
func looking(t *testing.T) func(tx *models.DB) error {
	return func(tx *models.DB) error {
		_, err := tx.UserByID(t.Context(), uuid.New())
		if errors.Is(err, models.ErrNotFound) {
			return nil
		}
		return err
	}
}
