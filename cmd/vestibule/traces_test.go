//go:build linux || darwin || freebsd

package main_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"vestibule/app/apptest"
)

// collector takes spans by OTLP, as that of OpenTelemetry does.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	received []*tracepb.ResourceSpans
	header   http.Header // of the last request
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unzipped, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unzipped
		}
		content, err := io.ReadAll(body)
		sent := new(tracepb.TracesData)
		if err == nil {
			err = proto.Unmarshal(content, sent)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s %s of %s: %v", r.Method, r.URL, r.Header.Get("Content-Type"), err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.received, c.header = append(c.received, sent.ResourceSpans...), r.Header
	}))
	t.Cleanup(c.Close)
	return c
}

// spans returns what was received, and every name and value in it.
func (c *collector) spans() (spans []*tracepb.Span, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.received {
		text += fmt.Sprintln(r.Resource)
		for _, scope := range r.ScopeSpans {
			spans = append(spans, scope.Spans...)
		}
	}
	for _, span := range spans {
		text += fmt.Sprintln(span.Name, span.TraceState, span.Attributes, span.Events, span.Links, span.Status)
	}
	return spans, text
}

// TestTraces follows a sign-up and a mailed link to a collector.
func TestTraces(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		collected := newCollector(t)
		s := serve(t, "DATABASE_URL="+database, "TRUSTED_PROXIES=127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT="+collected.URL,
			"OTEL_EXPORTER_OTLP_HEADERS=api-key=swordfish%3D1", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_BSP_SCHEDULE_DELAY=50", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test")
		s.signUp(apptest.Anna)
		const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/reset-password?token=secret-of-the-link", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
		r.Header.Set("X-Forwarded-For", "203.0.113.77")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		s.caller(t).get("/secret-of-the-link/x")
		s.caller(t).get("/healthz")
		s.stop() // sends the rest
		if collected.header.Get("Api-Key") != "swordfish=1" {
			t.Errorf("the headers are %v", collected.header)
		}

		spans, text := collected.spans()
		roots, children := map[string]*tracepb.Span{}, map[string][]string{}
		for _, span := range spans {
			if span.Kind == tracepb.Span_SPAN_KIND_SERVER {
				roots[span.Name] = span
			}
			children[string(span.ParentSpanId)] = append(children[string(span.ParentSpanId)], span.Name)
		}
		if len(roots) != 3 || roots["POST /sign-up"] == nil || roots["GET /reset-password"] == nil || roots["GET"] == nil {
			t.Fatalf("the requests are %v:\n%s", roots, text)
		}
		if got := roots["GET /reset-password"]; hex.EncodeToString(got.TraceId) != trace || hex.EncodeToString(got.ParentSpanId) != parent {
			t.Errorf("the trace of the proxy doesn't go on: %v", got)
		}
		waited := strings.Join(children[string(roots["POST /sign-up"].SpanId)], ", ")
		for _, want := range []string{"hash password", "INSERT users", "INSERT events", "INSERT sessions", "BEGIN", "COMMIT"} {
			if !strings.Contains(waited, want) {
				t.Errorf("a sign-up waited for %s, want %s, too", waited, want)
			}
		}
		for _, want := range []string{`"vestibule"`, `"deployment.environment"`, `"http.route"`, `"/reset-password"`, `"http.response.status_code"`, `"db.collection.name"`} {
			if !strings.Contains(text, want) {
				t.Errorf("the spans lack %s", want)
			}
		}
		p := apptest.Anna
		for _, private := range []string{"secret-of-the-link", "token=", "?", p.Email, p.Username, p.First, p.Last, p.Password, "example.com", "127.0.0.1", "203.0.113.77", "$argon2id$", "VALUES", "swordfish"} {
			if strings.Contains(text, private) {
				t.Errorf("the spans hold %q", private)
			}
		}
		if !s.log.contains(trace) {
			t.Error("the log doesn't have the trace")
		}
	})
}

// TestTracesThatCannotBeSent keeps nobody from the site.
func TestTracesThatCannotBeSent(t *testing.T) {
	t.Parallel()
	s := serve(t, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://"+freeAddr(t), "OTEL_BSP_SCHEDULE_DELAY=50")
	s.signUp(apptest.Anna)
	if !waitFor(func() bool { return s.log.contains("traces not sent") }) {
		t.Error("the log says nothing")
	}
	for name, settings := range map[string][]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL": {"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317"},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318"},
		"OTEL_EXPORTER_OTLP_HEADERS":  {"OTEL_EXPORTER_OTLP_HEADERS=hunter2secret", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"},
		"OTEL_EXPORTER_OTLP_TIMEOUT":  {"OTEL_EXPORTER_OTLP_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"},
	} {
		wantsRefusal(t, command(t, append(settings, "ADDR="+freeAddr(t), "LOG_LEVEL=error")), name, "hunter2secret")
	}
}
