//go:build linux || darwin || freebsd

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/PuerkitoBio/goquery"
)

// visit opens the home page as a browser does on a first visit. It counts the requests
// and the bytes received for the page and everything it needs.
func (b *bench) visit(ctx context.Context, dir string) (found []limit, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	databaseURL, drop, err := b.fresh(ctx, "SQLite", dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	s, err := b.serveAlone(ctx, databaseURL, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	var bytes atomic.Int64
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return counted{conn, &bytes}, err
	}}}
	requests := 0
	get := func(path, encoding string, read func(io.Reader) error) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
		if err != nil {
			return err
		}
		request.Header.Set("Accept-Encoding", encodings)
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Encoding") != encoding {
			return fmt.Errorf("%s answers %s in %q", path, response.Status, response.Header.Get("Content-Encoding"))
		}
		requests++
		return read(response.Body)
	}
	needs := map[string]bool{}
	if err := get("/", "", func(body io.Reader) error { // a page that holds a secret isn't compressed
		page, err := goquery.NewDocumentFromReader(body)
		if err != nil {
			return err
		}
		for _, link := range page.Find("link[rel~=stylesheet], link[rel~=icon], script[src], img[src]").EachIter() {
			needs[link.AttrOr("href", link.AttrOr("src", ""))] = true
		}
		return nil
	}); err != nil {
		return nil, err
	}
	for path := range needs {
		if err := get(path, "br", func(body io.Reader) error { _, err := io.Copy(io.Discard, body); return err }); err != nil {
			return nil, err
		}
	}
	return []limit{
		{What: "first visit over the wire", Value: float64(bytes.Load()) / 1000, AtMost: 50, Unit: "kB", How: "assets compressed by Brotli, with response headers"},
		{What: "first visit", Value: float64(requests), AtMost: 5, Unit: "requests", How: "page, stylesheet, two scripts, icon"},
	}, nil
}

// counted is a connection that counts the bytes received.
type counted struct {
	net.Conn
	bytes *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}
