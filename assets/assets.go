// Package assets holds the stylesheet, the scripts and the icon, and serves
// each under a name that contains its content's hash, so that browsers may keep
// it for ever and still get every change.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed *.css *.js *.svg
var files embed.FS

type asset struct {
	name    string
	content []byte
	gzipped []byte // nil where that is not smaller
}

var all = sync.OnceValue(func() (hashed struct {
	paths  map[string]string // by name
	assets map[string]asset  // by path
}) {
	hashed.paths, hashed.assets = map[string]string{}, map[string]asset{}
	names, err := fs.Glob(files, "*")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(err) // an embedded file is always there
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(name)
		p := "/assets/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		hashed.paths[name], hashed.assets[p] = p, asset{name, content, compress(content)}
	}
	return hashed
})

// compress returns content gzipped, or nil when that is no gain. It is done once:
// it takes milliseconds at start, and none in a request.
func compress(content []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is wrong
	}
	if _, err := w.Write(content); err != nil {
		panic(err) // memory takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if b.Len() >= len(content) {
		return nil
	}
	return b.Bytes()
}

// acceptsGzip tells whether an Accept-Encoding allows gzip (RFC 9110, 12.5.3).
func acceptsGzip(header string) bool {
	others := false
	for coding := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(coding, ";")
		q, weighted := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		good := !weighted || err == nil && weight > 0
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return good
		case "*":
			others = good
		}
	}
	return others
}

// Path is the URL path of the file of that name. It panics when there is none:
// a template that names a missing file is to fail in the first test.
func Path(name string) string {
	p, ok := all().paths[name]
	if !ok {
		panic("no asset " + name)
	}
	return p
}

// Handler serves the files under their hashed names.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := all().assets[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Set("Vary", "Accept-Encoding")
		// Another encoding is another representation, with an ETag of its own.
		tag, content := path.Base(r.URL.Path), a.content
		if a.gzipped != nil && acceptsGzip(strings.Join(r.Header.Values("Accept-Encoding"), ",")) {
			tag, content = tag+".gz", a.gzipped
			w.Header().Set("Content-Encoding", "gzip")
		}
		w.Header().Set("ETag", `"`+tag+`"`)
		if path.Ext(a.name) == ".svg" { // which net/http serves without its encoding
			w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
		}
		http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(content))
	})
}
