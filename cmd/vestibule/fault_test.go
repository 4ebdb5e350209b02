//go:build linux || darwin || freebsd

package main_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/uptrace/bun"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// unlimited switches off the throttles, for tests that are a crowd of their own.
var unlimited = []string{"LIMIT_ACCOUNT=off", "LIMIT_ADDRESS=off", "LIMIT_SIGN_UP=off", "LIMIT_MAIL=off", "LIMIT_CHECK=off", "LIMIT_WRITES=off"}

// TestPostgreSQLDies kills the server under load, three times, and starts it
// again. Whoever was signed in still is.
func TestPostgreSQLDies(t *testing.T) {
	t.Parallel()
	cluster := modelstest.Own(t)
	database, _, err := cluster.CreateDatabase(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, append(unlimited, "DATABASE_URL="+database)...)
	s.mayFail = true

	const people = 6
	var good, unavailable [people]atomic.Int64 // answers, by person
	var group sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer group.Wait()
	defer stop()
	var members []*caller
	for i := range people {
		c := s.caller(t)
		c.wants(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusSeeOther)
		members = append(members, c)
		group.Go(func() {
			stranger := s.caller(t)
			for round := 0; ctx.Err() == nil; round++ {
				var got reply
				if i < people-2 {
					path := []string{"/dashboard", "/account", "/account/sessions"}[round%3]
					got = c.get(path)
					c.wants(got, path, http.StatusOK, http.StatusServiceUnavailable)
				} else { // somebody at the door
					got = stranger.signIn(apptest.Nth(i))
					c.wants(got, "sign-in", http.StatusSeeOther, http.StatusServiceUnavailable)
					stranger = s.caller(t)
				}
				if got.status == http.StatusServiceUnavailable {
					unavailable[i].Add(1)
					time.Sleep(20 * time.Millisecond) // else the log has nothing else
				} else {
					good[i].Add(1)
				}
			}
		})
	}
	// each waits until everybody got another answer of a kind.
	each := func(counts *[people]atomic.Int64, what string) {
		t.Helper()
		var before [people]int64
		for i := range counts {
			before[i] = counts[i].Load()
		}
		if !waitFor(func() bool {
			for i := range counts {
				if counts[i].Load() < before[i]+3 {
					return false
				}
			}
			return true
		}) {
			t.Fatalf("not everybody gets answers: %s", what)
		}
	}
	probe := s.caller(t)
	for range 3 {
		each(&good, "PostgreSQL runs")
		if err := cluster.Kill(); err != nil {
			t.Fatal(err)
		}
		each(&unavailable, "PostgreSQL is dead")
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/": 200, "/sign-in": 200} {
			probe.wantsStatus(probe.get(path), path, want)
		}
		if err := cluster.Start(); err != nil {
			t.Fatal(err)
		}
		if !waitFor(func() bool { return probe.get("/readyz").status == http.StatusOK }) {
			t.Fatal("the site is not ready again")
		}
	}
	each(&good, "PostgreSQL runs again")
	stop()
	group.Wait()

	// A restart in a quiet moment leaves a pool of dead connections, of which
	// nobody is to notice anything.
	if err := errors.Join(cluster.Kill(), cluster.Start()); err != nil {
		t.Fatal(err)
	}
	for range people {
		for _, c := range members {
			group.Go(func() { c.wantsStatus(c.get("/dashboard"), "/dashboard", http.StatusOK) })
			group.Go(func() {
				stranger := s.caller(t)
				stranger.wants(stranger.signIn(apptest.Nth(0)), "sign-in", http.StatusSeeOther)
			})
		}
	}
	group.Wait()

	var served, refused int64
	for i := range people {
		served, refused = served+good[i].Load(), refused+unavailable[i].Load()
	}
	t.Logf("3 crashes: %d requests served, %d answered with 503, no session lost", served, refused)
}

// TestReadOnlyPostgreSQL lets nobody write, as a standby does after a failover,
// or a hosted server whose disk is nearly full. Pages are still shown.
func TestReadOnlyPostgreSQL(t *testing.T) {
	t.Parallel()
	database := modelstest.EmptyPostgreSQL(t)
	s := serve(t, append(unlimited, "DATABASE_URL="+database)...)
	s.mayFail = true
	member := s.caller(t)
	member.wants(member.post("/sign-up", apptest.Anna.Form()), "sign-up", http.StatusSeeOther)
	admin := modelstest.Open(t, database).Bun() // on one connection, which stays as it is
	readOnly := func(state string) {
		t.Helper()
		name := bun.Ident(path.Base(strings.Split(database, "?")[0]))
		if _, err := admin.ExecContext(t.Context(), "ALTER DATABASE ? SET default_transaction_read_only = ?", name, bun.Safe(state)); err != nil {
			t.Fatal(err)
		}
		others := func() int {
			t.Helper()
			var pids []int
			if err := admin.NewRaw("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(t.Context(), &pids); err != nil {
				t.Fatal(err)
			}
			for _, pid := range pids {
				if _, err := admin.ExecContext(t.Context(), "SELECT pg_terminate_backend(?)", pid); err != nil {
					t.Fatal(err)
				}
			}
			return len(pids)
		}
		if !waitFor(func() bool { return others() == 0 }) {
			t.Fatal("old connections live on")
		}
	}

	readOnly("on")
	stranger := s.caller(t)
	for _, path := range []string{"/dashboard", "/account", "/account/sessions", "/account/activity"} {
		member.wants(member.get(path), path, http.StatusOK)
	}
	stranger.wants(stranger.get("/sign-up"), "/sign-up", http.StatusOK)
	stranger.wants(stranger.post("/sign-up", apptest.Ben.Form()), "sign-up", http.StatusServiceUnavailable)
	stranger.wants(stranger.signIn(apptest.Anna), "sign-in", http.StatusServiceUnavailable)
	member.wants(member.post("/account", annaKing.Form()), "/account", http.StatusServiceUnavailable)

	readOnly("off")
	stranger.wants(stranger.post("/sign-up", apptest.Ben.Form()), "sign-up", http.StatusSeeOther)
	member.wants(member.post("/account", annaKing.Form()), "/account", http.StatusSeeOther)
}

// TestBlockedDatabase locks what requests need, as a long transaction of
// somebody else does, for all connections or for a pool of two.
func TestBlockedDatabase(t *testing.T) {
	t.Parallel()
	for conns, each := range map[string]int{"0": 1, "2": 2} { // so many requests of each kind
		t.Run(conns+" connections", func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, database string) {
				postgres := strings.HasPrefix(database, "postgres")
				if postgres {
					database = modelstest.With(t, database, "statement_timeout", "3s") // in place of ten
				}
				s := serve(t, append(unlimited, "DATABASE_CONNS="+conns, "DATABASE_URL="+database)...)
				s.mayFail = true
				member := s.caller(t)
				member.wants(member.post("/sign-up", apptest.Anna.Form()), "sign-up", http.StatusSeeOther)

				unlock, waiting := lock(t, database)
				var group sync.WaitGroup
				for i := range each {
					group.Go(func() {
						// SQLite still reads while another writes.
						member.wants(member.get("/dashboard"), "/dashboard", readable(!postgres)...)
					})
					group.Go(func() {
						c := s.caller(t)
						c.wants(c.get("/sign-up"), "/sign-up", http.StatusOK)
						if postgres { // on SQLite it waits as a sign-up does, three times
							c.wants(c.signIn(apptest.Anna), "sign-in", http.StatusServiceUnavailable)
						}
					})
					group.Go(func() {
						c := s.caller(t)
						c.wants(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusServiceUnavailable)
					})
				}
				group.Wait()
				probe := s.caller(t)
				probe.wantsStatus(probe.get("/healthz"), "/healthz", http.StatusOK)
				if !waitFor(func() bool { return waiting() == 0 }) {
					t.Errorf("%d statements wait on, for which nobody waits", waiting())
				}
				unlock()

				if !waitFor(func() bool { return probe.get("/readyz").status == http.StatusOK }) {
					t.Fatal("the site is not ready again")
				}
				member.wants(member.get("/dashboard"), "/dashboard", http.StatusOK)
				for i := range each { // nothing of the refused sign-ups was kept
					c := s.caller(t)
					c.wants(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusSeeOther)
				}
			})
		})
	}
}

func readable(is bool) []int {
	if is {
		return []int{http.StatusOK, http.StatusServiceUnavailable} // the latter if both connections wait
	}
	return []int{http.StatusServiceUnavailable}
}

// lock keeps everybody else from the tables of PostgreSQL, or from writing to
// SQLite, until unlock. It also tells how many statements wait on PostgreSQL.
func lock(t *testing.T, database string) (unlock func(), waiting func() int) {
	t.Helper()
	db := modelstest.Open(t, database)
	tx, err := db.Bun().BeginTx(t.Context(), nil) // on SQLite this is the lock
	if err != nil {
		t.Fatal(err)
	}
	if db.Postgres() {
		if _, err := tx.ExecContext(t.Context(), "LOCK TABLE users, sessions, throttles IN ACCESS EXCLUSIVE MODE"); err != nil {
			t.Fatal(err)
		}
	}
	unlock = sync.OnceFunc(func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(unlock)
	return unlock, func() (n int) {
		t.Helper()
		if !db.Postgres() {
			return 0
		}
		const query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
		if err := db.Bun().NewRaw(query).Scan(t.Context(), &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// TestKilledDuringSignUps kills the program amid a storm of sign-ups, in a soak
// twenty times. Whoever was let in has a whole account, and nobody has half of one.
func TestKilledDuringSignUps(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		office := apptest.StartMailServer(t)
		settings := append(unlimited, "DATABASE_URL="+database, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com")
		var tried, told atomic.Int64
		var joined sync.Map // username → person who was told of the account
		kills := modelstest.InSoak(20, 3)
		for range kills {
			s := serve(t, settings...)
			s.mayFail = true
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					for {
						p := apptest.Nth(int(tried.Add(1)))
						switch got := s.caller(t).post("/sign-up", p.Form()); got.status {
						case http.StatusSeeOther:
							joined.Store(p.Username, p)
							told.Add(1)
						case 0:
							return
						default:
							t.Errorf("sign-up: %d\n%s", got.status, got.body)
							return
						}
					}
				})
			}
			enough := told.Load() + 1 + rand.Int64N(5)
			if !waitFor(func() bool { return told.Load() >= enough }) {
				t.Error("nobody can sign up")
			}
			time.Sleep(time.Duration(rand.Int64N(int64(50 * time.Millisecond)))) // amid whatever it does
			s.kill()
			group.Wait()
		}

		s := serve(t, settings...)
		s.mayFail = true
		joined.Range(func(_, p any) bool {
			c := s.caller(t)
			c.wants(c.signIn(p.(apptest.Person)), "sign-in of "+p.(apptest.Person).Username, http.StatusSeeOther)
			c.wants(c.get("/dashboard"), "/dashboard", http.StatusOK)
			return !t.Failed()
		})

		db := modelstest.Open(t, database)
		users := wholeUsers(t, db, office)
		if told.Load() == 0 || len(users) < int(told.Load()) {
			t.Fatalf("%d people were told that they have an account, %d have", told.Load(), len(users))
		}
		t.Logf("%d kills: %d of %d sign-ups were told of, %d users are stored, %d mails still wait", kills, told.Load(), tried.Load(), len(users), len(queue(t, db)))
	})
}

// wholeUsers returns everybody, and wants nobody to have half an account: each
// has a hash, keys, and a mail that is sent or waits.
func wholeUsers(t *testing.T, db *models.DB, office *apptest.MailServer) (users []models.User) {
	t.Helper()
	if err := db.Bun().NewSelect().Model(&users).Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	queued := map[string]bool{}
	for _, m := range queue(t, db) {
		queued[m.Recipient] = queued[m.Recipient] || m.Kind == models.MailVerifyEmail
	}
	for _, u := range users {
		if _, _, _, err := argon2id.DecodeHash(u.PasswordHash); err != nil ||
			u.UsernameKey != models.Key(u.Username) || u.EmailKey != models.Key(u.Email) || u.FirstName == "" || u.CreatedAt.IsZero() {
			t.Errorf("half a user: %+v", u)
		}
		if !queued[u.Email] && len(office.To(u.Email, apptest.VerifySubject)) == 0 {
			t.Errorf("no mail to %s is sent or waits", u.Email)
		}
	}
	return users
}

// TestStopDuringManyRequests sends SIGTERM amid sign-ups that are half sent:
// each is finished, and nobody else is let in.
func TestStopDuringManyRequests(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := serve(t, append(unlimited, "DATABASE_URL="+database)...)
		const requests = 20
		var sent, finished sync.WaitGroup
		goOn := make(chan struct{})
		for i := range requests {
			sent.Add(1)
			finished.Go(func() {
				form := apptest.Nth(i).Form().Encode()
				begun := sync.OnceFunc(sent.Done)
				body := io.MultiReader(strings.NewReader(form[:20]), waiting{begun, goOn}, strings.NewReader(form[20:]))
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/sign-up", body)
				if err != nil {
					t.Error(err)
					return
				}
				request.ContentLength = int64(len(form))
				request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				request.Header.Set("Expect", "100-continue") // the body begins when the handler reads it
				answer, err := (&http.Transport{ExpectContinueTimeout: patience}).RoundTrip(request)
				begun()
				if err != nil {
					t.Error(err)
					return
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusSeeOther {
					t.Errorf("a sign-up that was begun gets %s", answer.Status)
				}
			})
		}
		sent.Wait()
		s.terminate()
		if !waitFor(func() bool { return s.caller(t).get("/").status == 0 }) {
			t.Error("it goes on to serve newcomers")
		}
		close(goOn)
		finished.Wait()
		s.stop()
		users, err := modelstest.Open(t, database).Bun().NewSelect().Model((*models.User)(nil)).Count(t.Context())
		if err != nil || users != requests {
			t.Errorf("%d users are stored (%v), want %d", users, err, requests)
		}
	})
}

// waiting is nothing to read, but not before goOn is closed.
type waiting struct {
	begun func()
	goOn  chan struct{}
}

func (w waiting) Read([]byte) (int, error) {
	w.begun()
	<-w.goOn
	return 0, io.EOF
}

// TestStartAtOnce starts two processes on an empty database.
func TestStartAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		var sites [2]*site
		var group sync.WaitGroup
		for i := range sites {
			group.Go(func() { sites[i] = serve(t, "DATABASE_URL="+database) })
		}
		group.Wait()
		if t.Failed() {
			return
		}
		for i, s := range sites {
			s.signUp(apptest.Nth(i))
			c := s.caller(t)
			c.wants(c.signIn(apptest.Nth(0)), "sign-in", http.StatusSeeOther)
			c.wantsStatus(c.get("/readyz"), "/readyz", http.StatusOK)
		}
		if n := strings.Count(sites[0].log.String()+sites[1].log.String(), "database migrated"); n != 1 {
			t.Errorf("%d processes migrated, want 1", n)
		}
		if left := succeed(t, database, "migrate", "status"); strings.Contains(left, "not yet") {
			t.Errorf("not all ran:\n%s", left)
		}
	})
}
