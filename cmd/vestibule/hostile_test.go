//go:build linux || darwin || freebsd

package main_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"vestibule/app/apptest"
	"vestibule/models/modelstest"
)

// dial opens a bare connection to the site.
func (s *site) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// raw sends bytes and returns the answer.
func (s *site) raw(t *testing.T, request string) reply {
	t.Helper()
	conn := s.dial(t)
	go io.WriteString(conn, request) // the site may answer, and hang up, before the end
	r := bufio.NewReader(conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%.100q: %v", request, err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil && answer.StatusCode < 400 {
		t.Fatalf("%.100q: %v", request, err)
	}
	return reply{answer.StatusCode, answer.Header, string(body), answer.Close}
}

// TestSlowClients dribbles headers and bodies on many connections. The site
// hangs up in the end, and serves others meanwhile.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for name, begin := range map[string]string{
		"headers": "GET / HTTP/1.1\r\nHost: localhost\r\n",
		"nothing": "",
		"body":    "POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const clients = 50
			var left atomic.Int64
			left.Store(clients)
			for range clients {
				conn := s.dial(t)
				if _, err := io.WriteString(conn, begin); err != nil {
					t.Fatal(err)
				}
				if begin != "" {
					go func() {
						for _, err := io.WriteString(conn, "a"); err == nil; _, err = io.WriteString(conn, "a") {
							time.Sleep(100 * time.Millisecond)
						}
					}()
				}
				go func() {
					_, err := io.Copy(io.Discard, conn)
					if ne, ok := err.(net.Error); !ok || !ne.Timeout() { // it is hung up, not our patience at its end
						left.Add(-1)
					}
				}()
			}
			c := s.caller(t)
			served := 0
			if !waitFor(func() bool {
				c.wantsStatus(c.get("/sign-up"), "/sign-up", http.StatusOK)
				served++
				return left.Load() == 0
			}) {
				t.Errorf("the site still waits for %d of %d slow clients", left.Load(), clients)
			}
			t.Logf("%d slow clients were hung up on, %d pages served meanwhile", clients, served)
		})
	}
}

// TestEndlessBody sends bodies that never end, in both ways that HTTP has.
func TestEndlessBody(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const head = "POST /sign-up HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	part := strings.Repeat("username=a&", 1000)
	for name, tt := range map[string]struct{ begin, part string }{
		"by length": {head + "Content-Length: 9223372036854775807\r\n\r\n", part},
		"by chunks": {head + "Transfer-Encoding: chunked\r\n\r\n", fmt.Sprintf("%x\r\n%s\r\n", len(part), part)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.dial(t)
			sent := make(chan int64, 1)
			go func() {
				n, _ := io.Copy(conn, io.MultiReader(strings.NewReader(tt.begin), &forever{part: tt.part})) // ends when the site hangs up
				sent <- n
			}()
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != http.StatusRequestEntityTooLarge || !answer.Close {
				t.Errorf("the answer is %s, and hangs up: %v", answer.Status, answer.Close)
			}
			if n := <-sent; n > 32<<20 {
				t.Errorf("the site read on for %d bytes", n)
			}
		})
	}
}

// forever repeats part.
type forever struct {
	part string
	rest string
}

func (f *forever) Read(p []byte) (int, error) {
	if f.rest == "" {
		f.rest = f.part
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// TestMalformedRequests sends what no browser does. Each is refused by a
// status, and the site then hangs up.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const get, host = "GET / HTTP/1.1\r\n", "Host: localhost\r\n"
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "X-%d: abcdefgh\r\n", i)
	}
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"a long header":            {get + host + "X-Long: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", 431},
		"a long cookie":            {get + host + "Cookie: session=" + strings.Repeat("A", 64<<10) + "\r\n\r\n", 431},
		"a long path":              {"GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\n" + host + "\r\n", 431},
		"a long name":              {get + host + strings.Repeat("X", 64<<10) + ": x\r\n\r\n", 431},
		"5000 headers":             {get + host + many.String() + "\r\n", 431},
		"headers without end":      {get + host + strings.Repeat("X: "+strings.Repeat("x", 1000)+"\r\n", 1000), 431},
		"no host":                  {get + "\r\n", 400},
		"two hosts":                {get + host + "Host: evil.example\r\n\r\n", 400},
		"a host with a slash":      {get + "Host: localhost/x\r\n\r\n", 400},
		"a host with a space":      {get + "Host: local host\r\n\r\n", 400},
		"a space before the colon": {get + host + "X : x\r\n\r\n", 400},
		"NUL in a header":          {get + host + "X: a\x00b\r\n\r\n", 400},
		"a bare line break":        {get + host + "X: a\rb\r\n\r\n", 400},
		"no name":                  {get + host + ": x\r\n\r\n", 400},
		"two lengths":              {"POST /sign-in HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", 400},
		"a negative length":        {"POST /sign-in HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
		"a length in words":        {"POST /sign-in HTTP/1.1\r\n" + host + "Content-Length: three\r\n\r\nabc", 400},
		"an unknown encoding":      {"POST /sign-in HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
		"two encodings":            {"POST /sign-in HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501},
		"another version":          {"GET / HTTP/9.9\r\n" + host + "\r\n", 505},
		"a version without digits": {"GET / HTTP/x\r\n" + host + "\r\n", 400},
		"no version":               {"GET /\r\n\r\n", 400},
		"TLS":                      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400},
		"noise":                    {"\xff\xfe\x00\r\n\r\n", 400},
		"a method with a bracket":  {"G<T / HTTP/1.1\r\n" + host + "\r\n", 400},
		"a path with a line break": {"GET /a\nb HTTP/1.1\r\n" + host + "\r\n", 400},
		"a path that is no path":   {"GET account HTTP/1.1\r\n" + host + "\r\n", 400},
		"bad percent":              {"GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.raw(t, tt.request)
			if got.status != tt.status || !got.last {
				t.Errorf("the answer is %d, and hangs up: %v; want %d", got.status, got.last, tt.status)
			}
			if strings.Contains(got.body, "goroutine") || strings.Contains(got.body, "evil.example") || len(got.body) > 200 {
				t.Errorf("the answer says %q", got.body)
			}
		})
	}
	c := s.caller(t)
	c.wantsStatus(c.get("/"), "/", http.StatusOK)
}

// TestPathTricks asks for pages by paths that mean another path to somebody. It
// stays a path of the site that one may see, or none.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.signUp(apptest.Anna)
	for _, path := range []string{
		"//", "///", "//dashboard", "/dashboard//", "//evil.example", "//evil.example/%2f..", "///evil.example", "/\\evil.example", "/\\/evil.example/",
		"/.", "/..", "/../", "/../dashboard", "/../../../../etc/passwd", "/./dashboard", "/dashboard/.", "/dashboard/..", "/account/../dashboard", "/x/..//evil.example/..",
		"/%2e", "/%2e%2e/", "/%2e%2e/%2e%2e/etc/passwd", "/.%2e/dashboard", "/%2e/dashboard", "/..%2fdashboard", "/..%5cdashboard", "/account/%2e%2e/dashboard",
		"/%2f%2fevil.example", "/%2fevil.example", "/%5cevil.example", "/%5c%5cevil.example", "/%09/evil.example", "/%0a/evil.example", "/%0d%0aSet-Cookie:%20session=evil",
		"/%00", "/dashboard%00", "/%00dashboard", "/dashboard%00.css", "/assets/%00", "/\x7f", "/\xff\xfe", "/%ff%fe", "/%c0%af%c0%afevil.example", "/%c0%ae%c0%ae/", "/%u002e",
		"/dashboard%2f", "/dashboard%20", "/dashboard;", "/dashboard;.css", "/dashboard.css", "/dashboard/x.css", "/dashboard%3f.css", "/dashboard%23", "/Dashboard", "/DASHBOARD",
		"/%64ashboard", "/d%61shboard?x", "/dashboard?/../sign-in", "/dashboard#x", "/account/sessions%2f", "/account%2fsessions", "/account%2Fpassword",
		"/assets", "/assets/", "/assets/.", "/assets/..", "/assets/../account", "/assets/../../go.mod", "/assets/%2e%2e/%2e%2e/go.mod", "/assets/..%2f..%2fgo.mod",
		"/assets//etc/passwd", "/assets/%2fetc%2fpasswd", "/assets/\\..\\..\\go.mod", "/assets/assets.go", "/assets/C:/Windows/win.ini",
		"/.env", "/.git/config", "/data/vestibule.db", "/vestibule.db", "/etc/passwd", "/debug/pprof/", "/metrics", "/admin", "/server-status", "/WEB-INF/web.xml", "/wp-login.php",
		"http://evil.example/dashboard", "http://evil.example//", "https://evil.example/", "http://evil.example:80@localhost/dashboard", "//evil.example/sign-in?next=//evil.example",
		"/" + strings.Repeat("a", 8000), "/" + strings.Repeat("../", 2000), "/" + strings.Repeat("%2e%2e/", 1000), "/dashboard" + strings.Repeat("/", 8000), "/?" + strings.Repeat("a=b&", 2000),
	} {
		name := path
		if len(name) > 60 {
			name = name[:60]
		}
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS"} {
				got := s.rawMethod(t, method, path)
				switch got.status {
				case 200, 302, 303, 400, 404, 405, 415:
				default:
					t.Errorf("%s: %d", method, got.status)
				}
				if to, err := url.Parse(got.header.Get("Location")); err != nil || to.Host != "" || to.Scheme != "" ||
					strings.HasPrefix(got.header.Get("Location"), "//") || strings.ContainsAny(got.header.Get("Location"), "\\\r\n") {
					t.Errorf("%s leads to %q", method, got.header.Get("Location"))
				}
				if cookies := got.header.Values("Set-Cookie"); len(cookies) > 0 {
					t.Errorf("%s sets %q", method, cookies)
				}
				for _, inside := range []string{"Hello, Anna", apptest.Anna.Email, "root:", "module vestibule", "package assets", "goroutine", "SQLite format", "<pre>"} {
					if strings.Contains(got.body, inside) {
						t.Errorf("%s shows %q", method, inside)
					}
				}
			}
		})
	}
}

// rawMethod asks for a path as it stands, which net/http's client would mend.
func (s *site) rawMethod(t *testing.T, method, path string) reply {
	t.Helper()
	conn := s.dial(t)
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{answer.StatusCode, answer.Header, string(body), answer.Close}
}

// TestManyConnections holds connections open, as browsers do between two pages,
// in a soak ten thousand, and goes on to serve.
func TestManyConnections(t *testing.T) {
	s := serve(t)
	clients := modelstest.InSoak(10_000, 1000)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(min(uint64(limit.Cur), 1<<20)) - 500; most < clients { // of which Go has raised the soft one
		t.Logf("no more than %d files may be open", limit.Cur)
		clients = most
	}
	conns := make([]net.Conn, clients)
	var group sync.WaitGroup
	const dialers = 20
	for first := range dialers {
		group.Go(func() {
			for i := first; i < clients; i += dialers {
				conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					t.Error(err)
					return
				}
				conns[i] = conn
				if err := ask(conn); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	t.Cleanup(func() {
		for _, conn := range conns {
			if conn != nil {
				conn.Close()
			}
		}
	})
	if t.Failed() {
		return
	}

	for i := range 5 {
		c := s.caller(t)
		c.wants(c.post("/sign-up", apptest.Nth(i).Form()), "sign-up", http.StatusSeeOther)
		for _, path := range []string{"/", "/dashboard", "/account/sessions", "/healthz", "/readyz"} {
			c.wantsStatus(c.get(path), path, http.StatusOK)
		}
	}
	for i := 0; i < clients; i += 100 { // they are alive, too
		if err := ask(conns[i]); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d connections held open", clients)
}

// ask makes one request, which leaves no line in the log, and keeps the
// connection.
func ask(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "GET /assets/none HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(conn, 512), nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusNotFound || answer.Close {
		return fmt.Errorf("the answer is %s, and hangs up: %v", answer.Status, answer.Close)
	}
	return nil
}

// TestFraming has another site's page show the site in a frame, where a click
// would be one on the site. The browser shows nothing in it.
func TestFraming(t *testing.T) {
	eachVisitor(t, func(v *visitor) {
		v.signsUp(apptest.Anna)
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			for _, path := range []string{"/", "/dashboard", "/account/delete", "/sign-in"} {
				fmt.Fprintf(w, "<iframe src=%q></iframe>", v.site.url+path)
			}
		}))
		defer other.Close()
		v.expects("frame-ancestors")
		v.do(chromedp.Navigate(other.URL))
		if !waitFor(func() bool { return v.refusals() == 4 }) {
			v.Errorf("the browser refuses %d of 4 frames", v.refusals())
		}
	})
}

// refusals counts the frames that the browser did not show.
func (v *visitor) refusals() (n int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, problem := range v.problems {
		if strings.Contains(problem, "frame-ancestors") {
			n++
		}
	}
	return n
}
