// Package assets holds the stylesheet, the scripts and the icon, and serves
// each under a name that contains its content's hash, so that browsers may keep
// it for ever and still get every change.
package assets

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

//go:embed *.css *.js *.svg
var files embed.FS

type asset struct {
	name    string
	content *Encoded
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
		hashed.paths[name], hashed.assets[p] = p, asset{name, Encode(content)}
	}
	return hashed
})

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
		// Another coding is another representation, with an ETag of its own.
		content, coding := a.content.For(r, w.Header())
		w.Header().Set("ETag", `"`+path.Base(r.URL.Path)+coding+`"`)
		if path.Ext(a.name) == ".svg" { // which net/http serves without its encoding
			w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
		}
		http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(content))
	})
}
