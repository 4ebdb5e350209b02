package breached_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1" // #nosec G505 -- the public lists are of SHA-1
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vestibule/app/breached"
)

// list returns a list as the public one is: of n passwords, sorted by hash.
func list(n int) string {
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf("%X:%d", sha1.Sum(fmt.Append(nil, "breached ", i)), i+1) // #nosec G401 -- as above
	}
	slices.Sort(lines)
	return strings.Join(lines, "\r\n") + "\r\n"
}

// build writes a filter, and returns its path.
func build(t *testing.T, list []byte, least int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filter")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := breached.Build(bytes.NewReader(list), file, least); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFilter builds a filter of several shards, and asks it for every password of its list
// and for many others.
func TestFilter(t *testing.T) {
	t.Parallel()
	const n, least, others = 100_000, 1000, 1_000_000
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write([]byte(list(n))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := build(t, zipped.Bytes(), least)
	f, err := breached.OpenFilter(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Count() != n-least+1 {
		t.Errorf("the filter has %d passwords, want %d", f.Count(), n-least+1)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > 25*n/10 {
		t.Errorf("the file has %d bytes for %d passwords (%v)", info.Size(), n, err)
	}
	for i := least - 1; i < n; i += 50 {
		if known, err := f.Has(t.Context(), fmt.Sprint("breached ", i)); !known || err != nil {
			t.Fatalf("password %d of the list is unknown (%v)", i, err)
		}
	}
	wrong := 0
	for i := range others / 500 { // each reads a shard
		if known, err := f.Has(t.Context(), fmt.Sprint("another ", i, rand.Uint64())); err != nil {
			t.Fatal(err)
		} else if known {
			wrong++
		}
	}
	if wrong > 2 { // 0.03 are expected
		t.Errorf("%d of %d other passwords seem to be in the list", wrong, others/500)
	}
	if known, err := f.Has(t.Context(), "breached 0"); known || err != nil {
		t.Errorf("a password that is too rare is in the filter (%v)", err)
	}
}

// TestBuildRefuses feeds what is no list.
func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	lines := strings.SplitAfter(list(3), "\r\n")
	for name, text := range map[string]string{
		"":                         "no hash",
		"\r\n\n":                   "no hash",
		"password\n":               "line 1 isn't HASH:COUNT",
		lines[0] + "<!doctype>\n":  "line 2 isn't HASH:COUNT",
		lines[0][:40] + ":many\n":  "line 1 isn't HASH:COUNT",
		lines[0][:39] + "X:1\n":    "line 1 isn't HASH:COUNT",
		lines[1] + lines[0]:        "line 2 is out of order",
		"\x1f\x8bno gzip":          "gzip",
		strings.Repeat("A", 1<<17): "too long",
	} {
		if _, err := breached.Build(strings.NewReader(name), new(bytes.Buffer), 1); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%.20q: %v, want %q", name, err, text)
		}
	}
	if n, err := breached.Build(strings.NewReader(lines[0]+lines[0]+strings.ToLower(lines[1])), new(bytes.Buffer), 1); n != 2 || err != nil {
		t.Errorf("hashes that stand twice, or in lower case: %d, %v", n, err)
	}
}

// TestOpenFilterRefuses damages a file in each of its parts.
func TestOpenFilterRefuses(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(build(t, []byte(list(1000)), 1))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"an empty file":    nil,
		"a list":           []byte(list(100)),
		"half a file":      whole[:len(whole)/2],
		"a file cut short": whole[:len(whole)-1],
		"no beginning":     whole[1:],
		"another index":    append(slices.Clone(whole[:len(whole)-40]), append([]byte{whole[len(whole)-40] ^ 1}, whole[len(whole)-39:]...)...),
	} {
		path := filepath.Join(t.TempDir(), "filter")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := breached.Open(path); err == nil || !strings.Contains(err.Error(), "no filter of breached passwords") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for source, text := range map[string]string{
		filepath.Join(t.TempDir(), "none"):   "no such file",
		t.TempDir():                          "no filter",
		"http://example.com/range/":          "https URL",
		"ftp://example.com/range/":           "https URL",
		"https:///range/":                    "https URL",
		"https://example.com/range/?prefix=": "https URL",
	} {
		if _, err := breached.Open(source); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", source, err, text)
		}
	}
}

// TestRange asks a server that knows one password, and some that answer something else.
func TestRange(t *testing.T) {
	t.Parallel()
	hash := fmt.Sprintf("%X", sha1.Sum([]byte("correct horse"))) // #nosec G401 -- as above
	padding := strings.Repeat("0", 35)
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request)
		known  bool
		failed string
	}{
		{"known", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s:7\r\n%s:0", hash[5:], padding) }, true, ""},
		{"in lower case", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, strings.ToLower(hash[5:])+":7") }, true, ""},
		{"unknown", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, padding+":9") }, false, ""},
		{"padding", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, hash[5:]+":0") }, false, ""},
		{"nothing", func(w http.ResponseWriter, r *http.Request) {}, false, ""},
		{"no range", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "<!doctype html>") }, false, "doesn't answer with a range"},
		{"a long line", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, strings.Repeat("A", 2<<20)) }, false, "doesn't answer with a range"},
		{"too busy", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, false, "answers 429"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/else", http.StatusFound) }, false, "answers 302"},
		{"cut off", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false, "doesn't answer"},
	} {
		var asked *http.Request
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked = r; tt.answer(w, r) }))
		checker, err := breached.Open(strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/range/")
		if err != nil {
			t.Fatal(err)
		}
		known, err := checker.Has(t.Context(), "correct horse")
		server.Close()
		if known != tt.known || (err == nil) != (tt.failed == "") || err != nil && !strings.Contains(err.Error(), tt.failed) {
			t.Errorf("%s: %t, %v", tt.name, known, err)
		}
		if err != nil && strings.Contains(err.Error(), hash[:5]) {
			t.Errorf("%s: the error holds a part of the hash: %v", tt.name, err)
		}
		if asked.URL.Path != "/range/"+hash[:5] || asked.Header.Get("Add-Padding") != "true" {
			t.Errorf("%s: %s was asked, with %v", tt.name, asked.URL, asked.Header)
		}
		if checker.Offline() {
			t.Errorf("%s: a service is not offline", tt.name)
		}
	}
}
