package assets

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// encoded is content that is the same for every client. It is compressed once, as small
// as possible, on first use. Never use it for private content, which the length of a
// compressed response can reveal (BREACH).
type encoded struct {
	plain        []byte
	gzip, brotli func() []byte
}

// encode returns content, which the caller must not change afterwards, as encoded.
func encode(content []byte) *encoded {
	return &encoded{
		plain: content,
		gzip: sync.OnceValue(func() []byte {
			return compressed(content, func(b io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(b, gzip.BestCompression) })
		}),
		brotli: sync.OnceValue(func() []byte {
			return compressed(content, func(b io.Writer) (io.WriteCloser, error) {
				return brotli.NewWriterLevel(b, brotli.BestCompression), nil
			})
		}),
	}
}

func compressed(content []byte, by func(io.Writer) (io.WriteCloser, error)) []byte {
	var b bytes.Buffer
	w, err := by(&b)
	if err == nil {
		if _, err = w.Write(content); err == nil {
			err = w.Close()
		}
	}
	if err != nil {
		panic(err) // only an invalid level: writing to memory can't fail
	}
	return b.Bytes()
}

// choose returns the shortest form that a request's Accept-Encoding allows, and sets the
// matching headers. It returns the body and the name of its coding, or "" if the body
// isn't compressed.
func (e *encoded) choose(request *http.Request, answer http.Header) (body []byte, coding string) {
	answer.Add("Vary", "Accept-Encoding")
	body = e.plain
	accepted := strings.Join(request.Header.Values("Accept-Encoding"), ",")
	if accepts(accepted, "gzip") && len(e.gzip()) < len(body) {
		body, coding = e.gzip(), "gzip"
	}
	if accepts(accepted, "br") && len(e.brotli()) < len(body) {
		body, coding = e.brotli(), "br"
	}
	if coding != "" {
		answer.Set("Content-Encoding", coding)
	}
	return body, coding
}

// accepts reports whether an Accept-Encoding allows a coding (RFC 9110, 12.5.3).
func accepts(header, coding string) bool {
	others := false
	for name := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(name, ";")
		q, weighted := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		good := !weighted || err == nil && weight > 0
		switch name = strings.TrimSpace(name); {
		case strings.EqualFold(name, coding):
			return good
		case name == "*":
			others = good
		}
	}
	return others
}
