// Package assets holds the stylesheet, the scripts and the icons. Each is served under
// a name that contains the hash of its content, so browsers may cache it forever and
// still get every change.
package assets

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

//go:embed *.css *.js *.json *.svg *.png
var files embed.FS

type asset struct {
	name    string
	content *encoded
}

var all = sync.OnceValue(func() (hashed struct {
	paths  map[string]string // by name
	assets map[string]asset  // by path
}) {
	hashed.paths, hashed.assets = map[string]string{}, map[string]asset{}
	names, err := fs.Glob(files, "*")
	if err != nil {
		panic(err) // only a malformed pattern
	}
	for _, name := range names {
		content, err := files.ReadFile(name)
		if err != nil {
			panic(err) // an embedded file always exists
		}
		sum := sha256.Sum256(content)
		ext := path.Ext(name)
		p := "/assets/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		hashed.paths[name], hashed.assets[p] = p, asset{name, encode(content)}
	}
	return hashed
})

// Path returns the URL path of the file with that name. It panics if no such file
// exists, so that every test of the template fails.
func Path(name string) string {
	p, ok := all().paths[name]
	if !ok {
		panic("no asset " + name)
	}
	return p
}

// otherVersion matches the path of a file whose content may be that of another version.
var otherVersion = regexp.MustCompile(`^/assets/([a-z.-]+)\.[0-9a-f]+(\.[a-z]+)$`)

// Handler serves the files under their hashed names.
//
// While a new version replaces the old one, a page of either may ask a process of the
// other for its files. The hash is then unknown, and the present file serves better than
// none. It must not be stored under the name of the other.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, cache := r.URL.Path, "public, max-age=31536000, immutable"
		a, ok := all().assets[p]
		if name := otherVersion.FindStringSubmatch(p); !ok && name != nil {
			p, cache = all().paths[name[1]+name[2]], "no-store"
			a, ok = all().assets[p]
		}
		if !ok {
			w.Header().Set("Cache-Control", "no-store")
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", cache)
		// Each content coding is a separate representation and needs its own ETag.
		content, coding := a.content.choose(r, w.Header())
		w.Header().Set("ETag", `"`+path.Base(p)+coding+`"`)
		switch path.Ext(a.name) {
		case ".svg": // net/http omits its charset
			w.Header().Set("Content-Type", "image/svg+xml; charset=utf-8")
		case ".json":
			w.Header().Set("Content-Type", "application/speculationrules+json")
		}
		http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(content))
	})
}
