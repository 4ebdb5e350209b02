//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// secret is the password of everybody here.
const secret = "seven green umbrellas"

// patience is how long the program may take to start.
const patience = 30 * time.Second

type bench struct {
	program string
	turn    time.Duration
	turns   int
	only    []string // the sections to measure
	first   int64    // of the numbers that make names unique
	report  *report
}

// testCase is one kind of request, and what it is compared with.
type testCase struct {
	name    string
	path    string
	header  http.Header
	form    url.Values
	workers int
	want    int
	floor   string  // "Gin", "Gin and a query", "Gin and argon2id", or what other is
	other   string  // an e-mail to ask for instead, in place of a floor
	target  float64 // the least ratio, if there is one
}

func person(name string) url.Values {
	return url.Values{
		"username": {name}, "email": {name + "@example.com"}, "first_name": {"Ada"}, "last_name": {"Byron"},
		"password": {secret}, "confirm_password": {secret},
	}
}

// database measures every case on one database.
func (b *bench) database(ctx context.Context, name, databaseURL, dir string) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := b.serve(ctx, databaseURL, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar}
	response, err := client.PostForm(s.url+"/sign-up", person("bench-ada")) // on to the dashboard, which takes the toast
	if err != nil {
		return err
	}
	page, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	stylesheet := regexp.MustCompile(`/assets/vestibule\.[0-9a-f]+\.css`).FindString(string(page))
	if response.Request.URL.Path != "/dashboard" || stylesheet == "" {
		return fmt.Errorf("sign-up led to %s with %s", response.Request.URL, response.Status)
	}
	base, err := url.Parse(s.url)
	if err != nil {
		return err
	}
	signedIn := http.Header{}
	for _, cookie := range jar.Cookies(base) {
		signedIn.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	etag := http.Header{}
	if response, err = client.Get(s.url + stylesheet); err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	etag.Set("If-None-Match", response.Header.Get("ETag"))

	weak := person("bench{n}")
	weak.Set("confirm_password", "another")
	cases := []testCase{
		{name: "home page", path: "/", want: 200, floor: "Gin", target: 0.80},
		{name: "stylesheet", path: stylesheet, want: 200, floor: "Gin"},
		{name: "stylesheet, not changed", path: stylesheet, header: etag, want: 304, floor: "Gin"},
		{name: "dashboard", path: "/dashboard", header: signedIn, want: 200, floor: "Gin and a query"},
		{name: "dashboard, refused", path: "/dashboard", want: 303, floor: "Gin"},
		{name: "check of a field", path: "/sign-up/check?field=email", form: person("bench{n}"), want: 200, floor: "Gin"},
		{name: "bad sign-up", path: "/sign-up", form: weak, want: 422, floor: "Gin"},
		{name: "sign-up", path: "/sign-up", form: person("bench{n}"), workers: 8, want: 303, floor: "Gin and argon2id", target: 0.90},
		{name: "sign-in", path: "/sign-in", form: url.Values{"login": {"bench-ada"}, "password": {secret}}, workers: 8, want: 303, floor: "Gin and argon2id", target: 0.90},
		{name: "forgotten password, known address", path: "/forgot-password", form: url.Values{"email": {"bench-ada@example.com"}}, workers: 1, want: 200,
			floor: "unknown address", other: "nobody@example.com"},
	}
	for _, c := range cases {
		if c.name == "dashboard" && name == "PostgreSQL" {
			c.target = 0.80
		}
		if err := b.compare(ctx, name, databaseURL, s, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// compare gives the case and its floor their turns, and reports both.
func (b *bench) compare(ctx context.Context, database, databaseURL string, s *site, c testCase) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	o := order{Method: http.MethodGet, URL: s.url + c.path, Header: c.header.Clone(), Workers: c.workers, For: b.turn, Want: []int{c.want}}
	if o.Workers == 0 {
		o.Workers = 16
	}
	if c.floor == "Gin and argon2id" { // few fit into a turn, and each needs warm memory
		o.For *= 4
	}
	if c.form != nil {
		o.Method = http.MethodPost
		o.Body = strings.ReplaceAll(c.form.Encode(), "%7Bn%7D", "{n}")
		o.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	}
	if o.Header == nil {
		o.Header = http.Header{}
	}
	o.Header.Set("Accept-Encoding", "gzip") // said by us, so that the client leaves the bytes as they come
	next := func(o order) (outcome, error) {
		b.first += 1_000_000
		o.First = b.first
		return attack(ctx, o)
	}
	var least func() (outcome, error)
	switch {
	case c.other != "":
		other := o
		other.Body = url.Values{"email": {c.other}}.Encode()
		least = func() (outcome, error) { return next(other) }
	default:
		r, err := capture(ctx, o)
		if err != nil {
			return err
		}
		r.Session, r.Hash = c.floor == "Gin and a query", c.floor == "Gin and argon2id"
		at, err := floor(ctx, plan{Database: databaseURL, Replies: []reply{r}})
		if err != nil {
			return err
		}
		same := o
		same.URL = at + c.path
		if r.Hash { // as many at a time as there are cores, as the site's pool does
			same.Workers = runtime.GOMAXPROCS(0)
		}
		least = func() (outcome, error) { return next(same) }
	}
	s.forgetPeak()
	var ours, theirs outcome
	for turn := range b.turns + 1 {
		seen, err := next(o)
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
	b.report.add(database, c, ours, theirs, s.peak())
	return nil
}

// capture takes one answer of the site's, for the floor to repeat.
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

// site is the program as it serves.
type site struct {
	url string
	cmd *exec.Cmd
}

// serve starts the program without limits on tries: they would be the measure.
func (b *bench) serve(ctx context.Context, databaseURL, dir string) (*site, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := listener.Addr().String()
	if err := listener.Close(); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log")) // #nosec G304 -- in our own temporary folder
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s := &site{url: "http://" + addr, cmd: exec.CommandContext(ctx, b.program)} // #nosec G204 -- what is to be measured
	s.cmd.Dir, s.cmd.Stderr = dir, log
	s.cmd.Env = []string{"ADDR=" + addr, "DATABASE_URL=" + databaseURL,
		"LIMIT_ACCOUNT=off", "LIMIT_ADDRESS=off", "LIMIT_SIGN_UP=off", "LIMIT_MAIL=off", "LIMIT_CHECK=off"}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for start := time.Now(); time.Since(start) < patience; time.Sleep(5 * time.Millisecond) {
		if response, err := http.Get(s.url + "/readyz"); err == nil {
			return s, response.Body.Close()
		}
	}
	wrote, _ := os.ReadFile(log.Name())
	return nil, errors.Join(fmt.Errorf("the program does not start: %s", wrote), s.stop())
}

func (s *site) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	_ = s.cmd.Wait() // whatever it says: it is over
	return nil
}

// forgetPeak lets peak begin anew, where the system can (Linux).
func (s *site) forgetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.cmd.Process.Pid), []byte("5"), 0)
}

// peak is the most memory that the program has had, in bytes; 0 where the
// system does not tell.
func (s *site) peak() int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib int64
	_, _ = fmt.Sscanf(rest, "%d kB", &kib)
	return kib << 10
}
