//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/procfs"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// secret is every user's password.
const secret = "seven green umbrellas"

// startTimeout is how long the program may take to start.
const startTimeout = 30 * time.Second

type bench struct {
	program string
	tool    string // the go command
	turn    time.Duration
	turns   int
	only    []string       // sections to measure
	named   *regexp.Regexp // matches the names of the cases to measure
	cluster *modelstest.Cluster
	random  *rand.Rand
	first   int64 // the last order.First
	report  *report
}

// testCase is one kind of request and the floor it is compared with.
type testCase struct {
	name    string
	path    string
	header  http.Header
	form    url.Values
	workers int
	want    int
	targets func(turn int) ([]vegeta.Target, error) // the requests of a turn, if they differ in more than a number
	once    bool                                    // none of them can be sent twice
	floor   string                                  // "Gin", "Gin and a query", "Gin and a prepared query" or "argon2id"
	target  float64                                 // the lowest acceptable ratio, or 0
}

func person(name string) url.Values {
	return url.Values{
		"username": {name}, "email": {name + "@example.com"}, "first_name": {"Ada"}, "last_name": {"Byron"},
		"password": {secret}, "confirm_password": {secret},
	}
}

// signOuts is the number of sessions that end in a turn.
const signOuts = 2000

// database measures every case on a database that already has users, all of them
// members of one organization.
func (b *bench) database(ctx context.Context, name, databaseURL, dir string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := fill(ctx, databaseURL, func(f *filler) error {
		last := sample + signOuts*int64(b.turns+3)
		return errors.Join(f.users(ctx, sample), f.sessions(ctx, 1, last, sample, time.Now(), time.Now().Add(720*time.Hour)))
	}); err != nil {
		return err
	}
	if err := fillOrganization(ctx, databaseURL); err != nil {
		return err
	}
	keys, err := newPasskeys(ctx, databaseURL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, keys.db.Close()) }()
	provider, err := newOpenID(ctx, keys.db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.server.Close()) }()
	s, err := b.serve(ctx, databaseURL, dir, provider.env()...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	page, err := capture(ctx, order{Method: http.MethodGet, URL: s.url + "/dashboard", Header: cookie(1)})
	if err != nil {
		return err
	}
	stylesheet := regexp.MustCompile(`/assets/vestibule\.[0-9a-f]+\.css`).FindString(string(page.Body))
	if page.Status != http.StatusOK || stylesheet == "" {
		return fmt.Errorf("the dashboard answers %d", page.Status)
	}
	style, err := capture(ctx, order{Method: http.MethodGet, URL: s.url + stylesheet, Header: http.Header{"Accept-Encoding": {encodings}}})
	if err != nil {
		return err
	}

	weak := person("bench{n}")
	weak.Set("confirm_password", "another")
	cases := []testCase{
		{name: "home page", path: "/", want: 200, floor: "Gin", target: 0.65},
		{name: "stylesheet", path: stylesheet, want: 200, floor: "Gin"},
		{name: "stylesheet, not modified", path: stylesheet, header: http.Header{"If-None-Match": style.Header["Etag"]}, want: 304, floor: "Gin"},
		{name: "dashboard", path: "/dashboard", header: cookie(1), want: 200, floor: "Gin and a query", target: map[string]float64{"PostgreSQL": 0.80}[name]},
		{name: "dashboard", path: "/dashboard", header: cookie(1), want: 200, floor: "Gin and a prepared query"},
		{name: "dashboard, refused", path: "/dashboard", want: 303, floor: "Gin"},
		{name: "members", path: "/o/" + slug + "/members", header: cookie(1), want: 200, floor: "Gin and a prepared query"},
		{name: "check of a field", path: "/sign-up/check?field=email", form: person("bench{n}"), want: 200, floor: "Gin"},
		{name: "bad sign-up", path: "/sign-up", form: weak, want: 422, floor: "Gin"},
		{name: "sign-up", path: "/sign-up", form: person("bench{n}"), workers: 8, want: 303, floor: "argon2id", target: 0.90},
		{name: "sign-in", path: "/sign-in", workers: 8, want: 303, floor: "argon2id", target: 0.90, targets: func(int) ([]vegeta.Target, error) {
			return signIns(b.spread(sample, sample), s).Targets, nil // one user alone would make all wait for one row
		}},
		{name: "challenge for a passkey", path: "/sign-in/passkey", form: url.Values{}, want: 200, floor: "Gin"},
		{name: "sign-in by passkey", path: "/sign-in", form: url.Values{}, want: 303, floor: "Gin", once: true, targets: func(int) ([]vegeta.Target, error) {
			return keys.signIns(ctx, b.spread(sample, sample), s)
		}},
		{name: "sign-in by mailed code", path: "/sign-in/code", workers: 8, want: 303, floor: "argon2id", once: true, targets: func(int) ([]vegeta.Target, error) {
			return codeSignIns(ctx, keys.db, b.spread(sample, sample), s)
		}},
		{name: "sign-in by provider", path: openIDPath, want: 303, floor: "Gin", once: true, targets: func(int) ([]vegeta.Target, error) {
			return provider.signIns(ctx, b.spread(sample, sample), s)
		}},
		{name: "sign-out", path: "/sign-out", form: url.Values{}, want: 303, floor: "Gin", once: true, targets: func(turn int) ([]vegeta.Target, error) {
			targets := make([]vegeta.Target, signOuts)
			for i := range targets {
				header := cookie(sample + int64(turn*signOuts+i+1))
				header.Set("Content-Type", "application/x-www-form-urlencoded")
				targets[i] = vegeta.Target{Method: http.MethodPost, URL: s.url + "/sign-out", Header: header}
			}
			return targets, nil
		}},
	}
	for _, c := range cases {
		if !b.named.MatchString(c.name) {
			continue
		}
		if err := b.compare(ctx, name, databaseURL, s, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// slug is the address of the organization that every user belongs to.
const slug = "everybody"

// fillOrganization creates that organization, owned by the first user.
func fillOrganization(ctx context.Context, databaseURL string) (err error) {
	db, err := models.Open(ctx, databaseURL, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	owner, err := db.UserByLogin(ctx, login(1))
	if err != nil {
		return err
	}
	if err := db.CreateOrganization(ctx, &models.Organization{Name: "Everybody", Slug: slug}, owner); err != nil {
		return err
	}
	organization, err := db.MembershipBySlug(ctx, slug, owner.ID)
	if err != nil {
		return err
	}
	roles, err := db.Roles(ctx, organization.OrganizationID)
	if err != nil {
		return err
	}
	var members []models.Membership
	for u, err := range db.AllUsers(ctx, "") {
		if err != nil {
			return err
		}
		if u.ID != owner.ID {
			members = append(members, models.Membership{ID: uuid.Must(uuid.NewV7()), OrganizationID: organization.OrganizationID, UserID: u.ID,
				RoleID: roles[len(roles)-1].ID, CreatedAt: time.Now().UTC()})
		}
	}
	if _, err = db.Bun().NewInsert().Model(&members).Exec(ctx); err != nil {
		return err
	}
	if !db.Postgres() {
		return nil // the program never runs ANALYZE on SQLite, so nobody has its statistics
	}
	_, err = db.Bun().ExecContext(ctx, "ANALYZE")
	return err
}

// encodings is the Accept-Encoding of browsers. Setting it keeps net/http from
// decompressing the answers.
const encodings = "gzip, deflate, br"

// hashTurns is how many times longer a turn lasts if it hashes passwords. Few hashes
// fit into a turn, and most of the mail they cause should be sent within it.
const hashTurns = 5

// compare measures the case and its floor in turn, and reports both.
func (b *bench) compare(ctx context.Context, database, databaseURL string, s *site, c testCase) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := order{Method: http.MethodGet, URL: s.url + c.path, Header: c.header.Clone(), Workers: c.workers, For: b.turn, Want: []int{c.want}}
	if o.Workers == 0 {
		o.Workers = 16
	}
	if o.Header == nil {
		o.Header = http.Header{}
	}
	o.Header.Set("Accept-Encoding", encodings)
	if c.form != nil {
		o.Method = http.MethodPost
		o.Body = strings.ReplaceAll(c.form.Encode(), "%7Bn%7D", "{n}")
		o.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.floor == "argon2id" {
		o.For *= hashTurns
	}
	least := func() (outcome, error) { return hashes(ctx, o.For) }
	if c.floor != "argon2id" {
		first := o
		if c.targets != nil {
			targets, err := c.targets(0) // turn 0, because a target may work only once
			if err != nil {
				return err
			}
			first.URL, first.Header, first.Body = targets[0].URL, targets[0].Header, string(targets[0].Body)
		}
		r, err := capture(ctx, first)
		if err != nil {
			return err
		}
		r.Prepared = c.floor == "Gin and a prepared query"
		r.Session = r.Prepared || c.floor == "Gin and a query"
		at, err := floor(ctx, plan{Database: databaseURL, Reply: r})
		if err != nil {
			return err
		}
		least = func() (outcome, error) {
			same := o
			same.URL, same.Body = at+c.path, first.Body
			return attack(ctx, same)
		}
	}
	s.resetPeak()
	var ours, theirs outcome
	ask := func(turn int) (outcome, error) {
		b.first += 1_000_000
		o := o
		o.First = b.first
		if c.targets != nil {
			targets, err := c.targets(turn)
			if err != nil {
				return outcome{}, err
			}
			o.Targets, o.Once = targets, c.once
		}
		return attack(ctx, o)
	}
	for turn := range b.turns + 1 {
		seen, err := ask(turn + 1)
		if err != nil {
			return err
		}
		fseen, err := least()
		if err != nil {
			return err
		}
		if turn > 0 { // the first warms up
			ours.add(seen)
			theirs.add(fseen)
		}
	}
	peak := s.peak()
	// Measured in an extra turn, because reading it stops the site for a moment.
	before, err := s.garbage()
	if err != nil {
		return err
	}
	seen, err := ask(b.turns + 2)
	if err != nil {
		return err
	}
	after, err := s.garbage()
	if err != nil {
		return err
	}
	again, err := s.garbage() // tells what it takes to ask
	if err != nil {
		return err
	}
	made := after.since(before).since(again.since(after)).per(len(seen.Latencies))
	b.report.add(database, c, ours, theirs, made, peak)
	return nil
}

// capture sends one request and returns the answer, for the floor to repeat.
func capture(ctx context.Context, o order) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, o.Method, o.URL, strings.NewReader(strings.ReplaceAll(o.Body, "{n}", "0")))
	if err != nil {
		return reply{}, err
	}
	request.Header = o.Header.Clone()
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Header.Del("Date") // net/http's own
	return reply{Method: o.Method, Path: request.URL.Path, Status: response.StatusCode, Header: response.Header, Body: body}, err
}

// site is a running program.
type site struct {
	url, profiles string
	people        map[int64]uuid.UUID // the ids of users that an operator looks at
	cmd           *exec.Cmd
}

// serve starts the program, with settings, and without rate limits, which would dominate the
// result.
func (b *bench) serve(ctx context.Context, databaseURL, dir string, settings ...string) (*site, error) {
	addr, release, err := modelstest.ReservePort()
	if err != nil {
		return nil, err
	}
	defer release()
	log, err := os.Create(filepath.Join(dir, "log")) // #nosec G304 -- in our own temporary folder
	if err != nil {
		return nil, err
	}
	defer log.Close()
	profiles, release, err := modelstest.ReservePort()
	if err != nil {
		return nil, err
	}
	defer release()
	s := &site{url: "http://" + addr, profiles: "http://" + profiles, cmd: exec.CommandContext(ctx, b.program)} // #nosec G204 -- the program to measure
	s.cmd.Dir, s.cmd.Stderr = dir, log
	s.cmd.Env = append(settings, "ADDR="+addr, "BASE_URL="+baseURL, "PPROF_ADDR="+profiles, "DATABASE_URL="+databaseURL,
		"LIMIT_ACCOUNT=off", "LIMIT_ADDRESS=off", "LIMIT_SIGN_UP=off", "LIMIT_MAIL=off", "LIMIT_CHECK=off", "LIMIT_WRITES=off", "ADMIN_SECOND_FACTOR=off")
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for start := time.Now(); time.Since(start) < startTimeout; time.Sleep(5 * time.Millisecond) {
		if response, err := http.Get(s.url + "/readyz"); err == nil {
			return s, response.Body.Close()
		}
	}
	wrote, _ := os.ReadFile(log.Name())
	return nil, errors.Join(fmt.Errorf("the program didn't start within %s: %s", startTimeout, wrote), s.stop())
}

func (s *site) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = s.cmd.Wait() // its exit status doesn't matter
	return nil
}

// resetPeak makes peak start over, on Linux.
func (s *site) resetPeak() {
	for _, pid := range s.processes() {
		_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	}
}

// resident returns the memory that the program and its hashing process use now, in
// bytes.
func (s *site) resident() int64 { return s.status("VmRSS:") }

// peak returns the sum of the peak memory of each process, in bytes, or 0 if the
// system doesn't report it.
func (s *site) peak() int64 { return s.status("VmHWM:") }

func (s *site) status(name string) (bytes int64) {
	for _, pid := range s.processes() {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		_, rest, _ := strings.Cut(string(status), name)
		var kib int64
		_, _ = fmt.Sscanf(rest, "%d kB", &kib)
		bytes += kib << 10
	}
	return bytes
}

// processes returns the ids of the program's process and of those it started.
func (s *site) processes() []int {
	return append(children(s.cmd.Process.Pid), s.cmd.Process.Pid)
}

// children returns the ids of the processes that parent started, or none if the
// system doesn't report them.
func children(parent int) (pids []int) {
	all, _ := procfs.AllProcs()
	for _, p := range all {
		if status, err := p.Stat(); err == nil && status.PPID == parent {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

// garbage is what the program has allocated.
type garbage struct{ objects, bytes float64 }

func (g garbage) since(before garbage) garbage {
	return garbage{g.objects - before.objects, g.bytes - before.bytes}
}

func (g garbage) per(requests int) garbage {
	return garbage{g.objects / float64(requests), g.bytes / float64(requests)}
}

var allocated = regexp.MustCompile(`(?m)^# (TotalAlloc|Mallocs) = (\d+)$`)

func (s *site) garbage() (g garbage, err error) {
	response, err := http.Get(s.profiles + "/debug/pprof/heap?debug=1")
	if err != nil {
		return g, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return g, err
	}
	for _, match := range allocated.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return g, err
		}
		if match[1] == "Mallocs" {
			g.objects = n
		} else {
			g.bytes = n
		}
	}
	return g, nil
}
