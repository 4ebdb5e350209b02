package assets_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"vestibule/assets"
)

func get(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	assets.Handler().ServeHTTP(w, r)
	return w
}

func TestEveryFileIsServedUnderItsHash(t *testing.T) {
	t.Parallel()
	hashed := regexp.MustCompile(`^/assets/[a-z.-]+\.[0-9a-f]{12}\.(css|js|json|svg|png)$`)
	types := map[string]string{".css": "text/css", ".js": "text/javascript", ".json": "application/speculationrules+json", ".svg": "image/svg+xml", ".png": "image/png"}
	for ext, kind := range types {
		files, err := filepath.Glob("*" + ext)
		if err != nil || len(files) == 0 {
			t.Fatalf("there are %d files *%s (%v)", len(files), ext, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			path := assets.Path(file)
			if !hashed.MatchString(path) {
				t.Errorf("%s is at %s", file, path)
			}
			w := get(t, path)
			if w.Code != http.StatusOK || w.Body.String() != string(content) {
				t.Errorf("%s answers %d with %d bytes, want %d", path, w.Code, w.Body.Len(), len(content))
			}
			if got, _, err := mime.ParseMediaType(w.Header().Get("Content-Type")); err != nil || got != kind {
				t.Errorf("%s is %q (%v), want %q", path, got, err, kind)
			}
			if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
				t.Errorf("%s has Cache-Control %q", path, got)
			}
			etag := w.Header().Get("ETag")
			if again := get(t, path, "If-None-Match", etag); etag == "" || again.Code != http.StatusNotModified || again.Body.Len() > 0 {
				t.Errorf("%s with ETag %q answers %d again, want 304", path, etag, again.Code)
			}
			if other := get(t, path, "If-None-Match", `"other"`); other.Code != http.StatusOK {
				t.Errorf("%s with another ETag answers %d", path, other.Code)
			}
		}
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	path := assets.Path("htmx.min.js")
	plain := get(t, path)
	etags := map[string]string{}
	for header, coding := range map[string]string{
		"gzip": "gzip", "br": "br", "br, GZIP;q=0.5": "br", "BR;q=0, Gzip": "gzip", "*": "br", "deflate, gzip, br, zstd": "br", "gzip;q=0, *": "br", "*, br;q=0": "gzip",
		"": "", "deflate": "", "gzip;q=0": "", "br; q=0.0": "", "*;q=0": "", "identity, *;q=0": "", "gzip;q=x": "", "gzip, *;q=0": "gzip",
	} {
		w := get(t, path, "Accept-Encoding", header)
		if got := w.Header().Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("%q: Vary is %q", header, got)
		}
		body := w.Body.Bytes()
		if got := w.Header().Get("Content-Encoding"); got != coding {
			t.Errorf("%q is answered in %q, want %q", header, got, coding)
			continue
		}
		if coding != "" && (etags[coding] != "" && etags[coding] != w.Header().Get("ETag") || w.Header().Get("ETag") == plain.Header().Get("ETag") || w.Body.Len() >= plain.Body.Len()/2) {
			t.Errorf("%q: ETag %s, %d of %d bytes", header, w.Header().Get("ETag"), w.Body.Len(), plain.Body.Len())
		}
		etags[coding] = w.Header().Get("ETag")
		decoders := map[string]func(io.Reader) (io.Reader, error){
			"":     func(r io.Reader) (io.Reader, error) { return r, nil },
			"gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
			"br":   func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
		}
		r, err := decoders[coding](bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if body, err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("%q gives other content", header)
		}
		if again := get(t, path, "Accept-Encoding", header, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%q: the same ETag answers %d, want 304", header, again.Code)
		}
	}
}

// TestScriptsKeepNothing wants the scripts to leave no trace in the browser, and
// to take no messages from other pages.
func TestScriptsKeepNothing(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("*.js")
	if err != nil || len(scripts) < 2 {
		t.Fatalf("the scripts are %v (%v)", scripts, err)
	}
	for _, script := range scripts {
		content, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range []string{"localStorage", "sessionStorage", "indexedDB", "document.cookie", "caches.open", "postMessage", "document.write"} {
			if bytes.Contains(content, []byte(word)) {
				t.Errorf("%s uses %s", script, word)
			}
		}
	}
}

func TestUnknownFiles(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/assets/", "/assets/vestibule.css", "/assets/missing.000000000000.css", "/assets/vestibule.hash.css", "/assets/assets.go", "/assets/htmx.LICENSE", "/assets/../go.mod", "/",
	} {
		w := get(t, path)
		if w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s answers %d with Cache-Control %q", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
}

// TestFilesOfAnotherVersion asks for files as a page of an older or newer version does.
func TestFilesOfAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{".css", ".js", ".json", ".svg", ".png"} {
		files, err := filepath.Glob("*" + ext)
		if err != nil || len(files) == 0 {
			t.Fatalf("there are %d files *%s (%v)", len(files), ext, err)
		}
		for _, file := range files {
			present := get(t, assets.Path(file))
			path := "/assets/" + strings.TrimSuffix(file, ext) + ".000000000000" + ext
			w := get(t, path)
			if w.Code != http.StatusOK || w.Body.String() != present.Body.String() || w.Header().Get("Content-Type") != present.Header().Get("Content-Type") {
				t.Errorf("%s answers %d with %d bytes of %s", path, w.Code, w.Body.Len(), w.Header().Get("Content-Type"))
			}
			if got := w.Header().Get("Cache-Control"); got != "no-store" {
				t.Errorf("%s has Cache-Control %q", path, got)
			}
		}
	}
}

func TestPathOfAMissingFilePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("it does not")
		}
	}()
	assets.Path("missing.css")
}
