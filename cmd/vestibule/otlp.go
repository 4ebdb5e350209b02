package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlpClient sends spans by OTLP over HTTP (OpenTelemetry Protocol Specification). That of
// the library brings gRPC, a quarter of the size of this program.
type otlpClient struct {
	http    *http.Client
	url     *url.URL
	headers http.Header
	gzip    bool
}

// newOTLPClient reads the settings of OpenTelemetry (Protocol Exporter Specification).
func newOTLPClient() (*otlpClient, error) {
	if protocol := traceSetting("PROTOCOL"); protocol != "" && protocol != "http/protobuf" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL is %q: it must be http/protobuf, usually on port 4318", protocol)
	}
	endpoint, setting := os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	if endpoint == "" {
		setting = "OTEL_EXPORTER_OTLP_ENDPOINT"
		endpoint = strings.TrimSuffix(os.Getenv(setting), "/") + "/v1/traces"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s must be a URL such as http://localhost:4318", setting)
	}
	c := &otlpClient{url: u, headers: http.Header{}, http: &http.Client{Timeout: 10 * time.Second}}
	for pair := range strings.SplitSeq(traceSetting("HEADERS"), ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		decoded, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || err != nil { // it may hold a key
			return nil, errors.New("OTEL_EXPORTER_OTLP_HEADERS must be NAME=VALUE, separated by commas")
		}
		c.headers.Set(strings.TrimSpace(name), decoded)
	}
	c.headers.Set("Content-Type", "application/x-protobuf")
	switch compression := traceSetting("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		c.gzip = true
		c.headers.Set("Content-Encoding", "gzip")
	default:
		return nil, fmt.Errorf(`OTEL_EXPORTER_OTLP_COMPRESSION is %q: it must be "gzip" or "none"`, compression)
	}
	if timeout := traceSetting("TIMEOUT"); timeout != "" {
		ms, err := strconv.ParseUint(timeout, 10, 31)
		if err != nil || ms == 0 {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_TIMEOUT is %q: it must be a number of milliseconds", timeout)
		}
		c.http.Timeout = time.Duration(ms) * time.Millisecond // #nosec G115 -- it has 31 bits
	}
	if file := traceSetting("CERTIFICATE"); file != "" {
		pem, err := os.ReadFile(file) // #nosec G304 G703 -- the operator names the file
		if err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_CERTIFICATE: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, errors.New("OTEL_EXPORTER_OTLP_CERTIFICATE holds no certificate")
		}
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
		c.http.Transport = transport
	}
	return c, nil
}

// shownURL returns where spans go, for the log.
func (c *otlpClient) shownURL() string { return c.url.Redacted() }

// Start implements [otlptrace.Client].
func (c *otlpClient) Start(context.Context) error { return nil }

// Stop implements [otlptrace.Client].
func (c *otlpClient) Stop(context.Context) error {
	c.http.CloseIdleConnections()
	return nil
}

// UploadTraces implements [otlptrace.Client]. What can't be sent is lost.
func (c *otlpClient) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// It has the same bytes as an ExportTraceServiceRequest, whose package imports gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	if c.gzip {
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		_, err = w.Write(body)
		if err := errors.Join(err, w.Close()); err != nil {
			return err
		}
		body = compressed.Bytes()
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header = c.headers.Clone()
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s", c.shownURL(), answer.Status)
	}
	return nil
}
