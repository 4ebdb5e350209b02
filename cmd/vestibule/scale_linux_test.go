package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestProcessesShareSessions signs in at one process and out at another.
func TestProcessesShareSessions(t *testing.T) {
	t.Parallel()
	b := balance(t, 3)
	migrated := 0
	for _, s := range b.processes {
		migrated += strings.Count(s.log.String(), "database migrated")
	}
	if migrated != 1 {
		t.Errorf("%d processes migrated the database", migrated)
	}
	everywhere := func(c *caller, want int) {
		t.Helper()
		for range len(b.processes) {
			c.wantsStatus(c.get("/dashboard"), "/dashboard by the balancer", want)
		}
		for _, s := range b.processes {
			c.wantsStatus(c.at(s).get("/dashboard"), "/dashboard at one process", want)
		}
	}
	b.signUp(apptest.Anna)
	desk, phone := b.caller(t), b.caller(t)
	desk.wantsStatus(desk.at(b.processes[0]).signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
	phone.wantsStatus(phone.at(b.processes[1]).signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
	everywhere(desk, http.StatusOK)
	everywhere(phone, http.StatusOK)

	desk.wantsStatus(desk.at(b.processes[2]).post("/account/sessions/end-others", nil), "to end the others", http.StatusSeeOther)
	everywhere(phone, http.StatusSeeOther)
	everywhere(desk, http.StatusOK)
	desk.wantsStatus(desk.at(b.processes[1]).post("/sign-out", nil), "sign-out", http.StatusSeeOther)
	everywhere(desk, http.StatusSeeOther)

	// A toast of one process's is shown by the next.
	phone.wantsStatus(phone.at(b.processes[0]).signIn(apptest.Anna), "sign-in", http.StatusSeeOther)
	if page := phone.at(b.processes[2]).get("/dashboard").body; !strings.Contains(page, "Signed in") {
		t.Errorf("the page has no toast:\n%s", page)
	}
}

// TestProcessesShareThrottles tries passwords through the balancer.
func TestProcessesShareThrottles(t *testing.T) {
	t.Parallel()
	const account, address, tries = 4, 9, 15
	b := balance(t, 3, fmt.Sprintf("LIMIT_ACCOUNT=%d,1h,1h,24h", account), fmt.Sprintf("LIMIT_ADDRESS=%d,1h,1h,24h", address))
	b.signUp(apptest.Anna)
	attempt := func(c *caller, p apptest.Person, let *int) {
		t.Helper()
		got := c.signIn(p)
		c.wants(got, "a wrong password", http.StatusUnprocessableEntity, http.StatusTooManyRequests)
		if got.status == http.StatusUnprocessableEntity {
			*let++
		}
	}
	wrong := apptest.Anna
	wrong.Password = "not her password"

	let := 0
	for i := range tries { // from an address of its own each time
		attempt(b.caller(t).from(fmt.Sprintf("127.0.1.%d", i+1), "192.0.2.1"), wrong, &let)
	}
	if let != account {
		t.Errorf("%d wrong passwords for one account were looked at, want %d", let, account)
	}

	let = 0
	for i := range tries { // an account of its own each time, and a lie about the address
		attempt(b.caller(t).from("127.0.2.1", fmt.Sprintf("198.51.100.%d", i)), apptest.Nth(i), &let)
	}
	if let != address {
		t.Errorf("%d wrong passwords from one address were looked at, want %d", let, address)
	}
	let = 0
	attempt(b.caller(t).from("127.0.2.2", "127.0.2.1"), apptest.Nth(tries), &let)
	if let != 1 {
		t.Error("another address was refused with it")
	}
}

// TestProcessesSendMailOnce has all processes look for mail to send.
func TestProcessesSendMailOnce(t *testing.T) {
	t.Parallel()
	office := apptest.StartMailServer(t)
	b := balance(t, 4, append(unlimited, "SMTP_URL="+office.URL, "MAIL_FROM=hall@example.com")...)
	const people = 40
	var group sync.WaitGroup
	for i := range people {
		group.Go(func() {
			c := b.caller(t)
			c.wantsStatus(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusSeeOther)
		})
	}
	group.Wait()
	db := modelstest.Open(t, strings.TrimPrefix(b.settings[0], "DATABASE_URL="))
	if !waitFor(func() bool { return count(t, db, "mails") == 0 }) {
		t.Fatalf("%d mails are still to be sent", count(t, db, "mails"))
	}
	for _, s := range b.processes {
		s.stop() // after what it sends: nothing comes later
	}
	for i := range people {
		if n := len(office.To(apptest.Nth(i).Email, apptest.VerifySubject)); n != 1 {
			t.Errorf("%s got %d mails", apptest.Nth(i).Email, n)
		}
	}
}

func count(t *testing.T, db *models.DB, table string) (n int) {
	t.Helper()
	if err := db.Bun().NewSelect().Table(table).ColumnExpr("count(*)").Scan(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestProcessesComeAndGo kills processes under load, and then restarts each in
// order. Whoever was signed in still is, and in the second part nobody who reads
// pages notices anything.
func TestProcessesComeAndGo(t *testing.T) {
	modelstest.Soak(t)
	t.Parallel()
	b := balance(t, 3, append(unlimited, "SHUTDOWN_DELAY=5s")...) // HAProxy notices after 0.3 s
	const readers, entrants = 4, 2
	var pages [readers]atomic.Int64
	var entries [entrants]atomic.Int64
	var orderly atomic.Bool
	var stopped atomic.Bool
	var joined sync.Map // who was told that they have an account
	var members []*caller
	for i := range readers {
		c := b.caller(t)
		c.wantsStatus(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusSeeOther)
		members = append(members, c)
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer stopped.Store(true)
	for i, c := range members {
		group.Go(func() {
			for round := 0; !stopped.Load(); round++ {
				path := []string{"/dashboard", "/account", "/account/sessions"}[round%3]
				strict := orderly.Load()
				switch got := c.get(path); got.status {
				case http.StatusOK:
					pages[i].Add(1)
				case 0, http.StatusBadGateway, http.StatusServiceUnavailable: // cut off, or nobody there
					if strict {
						t.Errorf("%s: %d", path, got.status)
					}
				default:
					t.Errorf("%s: %d to %s", path, got.status, got.header.Get("Location"))
				}
			}
		})
	}
	for i := range entrants {
		group.Go(func() {
			for n := readers + i; !stopped.Load(); n += entrants {
				time.Sleep(50 * time.Millisecond) // each is to sign in at the end
				c := b.caller(t)
				got := c.post("/sign-up", apptest.Nth(n).Form())
				c.client.CloseIdleConnections() // HAProxy has so many, and no more
				switch got.status {
				case http.StatusSeeOther:
					joined.Store(apptest.Nth(n), true)
					entries[i].Add(1)
				case 0, http.StatusBadGateway, http.StatusServiceUnavailable: // the account may be there all the same
				default:
					t.Errorf("sign-up: %d\n%s", got.status, got.body)
				}
			}
		})
	}
	goesOn := func() { // each gets an answer, and one to what they asked after this began
		t.Helper()
		for _, counts := range [][]atomic.Int64{pages[:], entries[:]} {
			for i := range counts {
				before := counts[i].Load()
				if !waitFor(func() bool { return counts[i].Load() > before+1 }) {
					t.Fatal("somebody gets no answers")
				}
			}
		}
	}
	for i := range 2 {
		goesOn()
		b.processes[i].kill()
		goesOn()
		b.again(i)
	}
	goesOn()
	orderly.Store(true)
	for i := range b.processes {
		b.processes[i].stop()
		goesOn()
		b.again(i)
		goesOn()
	}
	stopped.Store(true)
	group.Wait()
	for _, c := range members {
		for _, s := range b.processes {
			c.wantsStatus(c.at(s).get("/dashboard"), "/dashboard", http.StatusOK)
		}
	}
	n := 0
	joined.Range(func(p, _ any) bool {
		n++
		c := b.caller(t)
		defer c.client.CloseIdleConnections()
		c.wantsStatus(c.post("/sign-in", url.Values{"login": {p.(apptest.Person).Email}, "password": {p.(apptest.Person).Password}}), "sign-in", http.StatusSeeOther)
		return true
	})
	t.Logf("%d people signed up meanwhile, and all can sign in", n)
}
