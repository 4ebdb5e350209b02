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

// TestTransactionsBegin has transactions begin with what is not one good, simple
// statement. Nothing of them may be kept.
func TestTransactionsBegin(t *testing.T) {
	t.Parallel()
	db := modelstest.Open(t, modelstest.PostgreSQL(t))
	pool := db.Bun().DB
	pool.SetMaxOpenConns(1) // so that a statement is prepared on the connection that comes next
	const insert = "INSERT INTO throttles (key, tries, until, forget_at) VALUES ('door', 1, now(), now())"
	prepared, err := pool.PrepareContext(t.Context(), insert)
	if err != nil {
		t.Fatal(err)
	}
	defer prepared.Close()
	for name, do := range map[string]func(tx *sql.Tx) (wrong error){
		"a statement prepared before": func(tx *sql.Tx) error {
			_, err := tx.StmtContext(t.Context(), prepared).ExecContext(t.Context())
			return errors.Join(err, tx.Rollback())
		},
		"a statement prepared within": func(tx *sql.Tx) error {
			stmt, err := tx.PrepareContext(t.Context(), insert)
			if err != nil {
				return err
			}
			_, err = stmt.ExecContext(t.Context())
			return errors.Join(err, tx.Rollback())
		},
		"what is no statement": func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(t.Context(), "SELEKT 1"); err == nil {
				return errors.New("there is SELEKT")
			}
			if _, err := tx.ExecContext(t.Context(), insert); err == nil {
				return errors.New("it goes on")
			}
			if _, err := tx.StmtContext(t.Context(), prepared).ExecContext(t.Context()); err == nil {
				return errors.New("it goes on, prepared")
			}
			if err := tx.Commit(); err == nil {
				return errors.New("it can be committed")
			}
			return nil
		},
		"what fails": func(tx *sql.Tx) error {
			if rows, err := tx.QueryContext(t.Context(), "SELECT no FROM throttles"); err == nil {
				return errors.Join(errors.New("there is such a column"), rows.Close())
			}
			return tx.Rollback()
		},
	} {
		tx, err := pool.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := do(tx); wrong != nil {
			t.Errorf("%s: %v", name, wrong)
		}
		var kept int
		if err := pool.QueryRowContext(t.Context(), "SELECT count(*) FROM throttles").Scan(&kept); err != nil || kept != 0 {
			t.Errorf("%s: %d rows are kept (%v)", name, kept, err)
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

// TestTransactionsEnd has transactions end with writes that are kept, and with some
// that fail: then none is, and the connection is as good as before.
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

// isTaken tells whether PostgreSQL answered unique_violation.
func isTaken(err error) bool {
	var answer pgdriver.Error
	return errors.As(err, &answer) && answer.Field('C') == "23505"
}

// TestClientLeavesAtCommit has who asked go before the commit. What was deferred may
// not come with the next transaction on the connection.
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
