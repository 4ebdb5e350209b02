// Package metrics counts what the site does, for Prometheus. No label holds what a person
// typed, an address or an id, and each has few values.
package metrics

import (
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics counts. A nil *Metrics counts nothing, so a site that shows no metrics pays
// nothing. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests        *prometheus.CounterVec
	requestDuration *prometheus.HistogramVec
	signUps         *prometheus.CounterVec
	signIns         *prometheus.CounterVec
	throttled       *prometheus.CounterVec
	hashDuration    prometheus.Histogram
	hashWait        prometheus.Histogram
	hashesRefused   prometheus.Counter
	mails           *prometheus.CounterVec

	limits names
}

// Outcomes of an attempt to sign in.
const (
	Succeeded = "succeeded"     // a session began
	Continued = "second_factor" // another factor is missing
	Refused   = "refused"       // such as by a wrong password
	Limited   = "limited"       // too many attempts
)

// Outcomes of a delivery of mail.
const (
	Sent      = "sent"
	Retried   = "retried"   // failed, and waits for another attempt
	Rejected  = "rejected"  // refused for good, or given up
	Postponed = "postponed" // the recipient had too much of this kind
	Dropped   = "dropped"   // nobody is left to send it to
)

// Buckets in seconds. A password takes a tenth of a second, and its queue up to half a
// minute.
var (
	requestBuckets = []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}
	hashBuckets    = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15}
	waitBuckets    = []float64{.001, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// New returns a Metrics that also shows what sources say. Ways are those by which people
// sign in.
func New(sources Sources, ways ...string) *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64) prometheus.HistogramOpts {
		return prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}
	}
	m := &Metrics{
		registry:        prometheus.NewRegistry(),
		requests:        counter("vestibule_http_requests_total", "Requests that were answered.", "method", "route", "status"),
		requestDuration: prometheus.NewHistogramVec(histogram("vestibule_http_request_duration_seconds", "How long an answer took.", requestBuckets), []string{"method", "route"}),
		signUps:         counter("vestibule_sign_ups_total", "Accounts that people created.", "way"),
		signIns:         counter("vestibule_sign_ins_total", "Attempts to sign in, by each factor.", "way", "outcome"),
		throttled:       counter("vestibule_throttled_total", "Attempts that came too early.", "limit"),
		hashDuration:    prometheus.NewHistogram(histogram("vestibule_password_hash_duration_seconds", "How long a password hash took, without waiting.", hashBuckets)),
		hashWait:        prometheus.NewHistogram(histogram("vestibule_password_wait_seconds", "How long a password waited to be hashed.", waitBuckets)),
		hashesRefused:   prometheus.NewCounter(prometheus.CounterOpts{Name: "vestibule_password_refused_total", Help: "Requests that were refused because too many passwords waited."}),
		mails:           counter("vestibule_mails_total", "Deliveries of mail.", "outcome"),
	}
	for _, way := range ways {
		m.signUps.WithLabelValues(way)
		for _, outcome := range []string{Succeeded, Continued, Refused, Limited} {
			m.signIns.WithLabelValues(way, outcome)
		}
	}
	for _, outcome := range []string{Sent, Retried, Rejected, Postponed, Dropped} {
		m.mails.WithLabelValues(outcome)
	}
	m.registry.MustRegister(m.requests, m.requestDuration, m.signUps, m.signIns, m.throttled, m.hashDuration, m.hashWait, m.hashesRefused, m.mails,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(sources.collectors()...)
	return m
}

// Register adds metrics of a feature's own. It panics if there is one of that name.
func (m *Metrics) Register(collectors ...prometheus.Collector) {
	if m != nil {
		m.registry.MustRegister(collectors...)
	}
}

// Handler serves the metrics, to two clients at a time.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 2,
		Timeout:             10 * time.Second,
	})
}

// Request counts an answer. The route is as written in routes.go, or empty if none matches.
func (m *Metrics) Request(method, route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.requestDuration.WithLabelValues(method, route).Observe(took.Seconds())
}

// SignUp counts an account that somebody created.
func (m *Metrics) SignUp(way string) {
	if m != nil {
		m.signUps.WithLabelValues(way).Inc()
	}
}

// SignIn counts an attempt to sign in.
func (m *Metrics) SignIn(way, outcome string) {
	if m != nil {
		m.signIns.WithLabelValues(way, outcome).Inc()
	}
}

// Throttled counts an attempt that came too early. Limit says what is limited.
func (m *Metrics) Throttled(limit string) {
	if m != nil {
		m.throttled.WithLabelValues(m.limits.bound(limit)).Inc()
	}
}

// Hashed counts the time of a password hash.
func (m *Metrics) Hashed(took time.Duration) {
	if m != nil {
		m.hashDuration.Observe(took.Seconds())
	}
}

// Waited counts the time for which a password waited to be hashed.
func (m *Metrics) Waited(took time.Duration) {
	if m != nil {
		m.hashWait.Observe(took.Seconds())
	}
}

// HashRefused counts a request that was refused because too many passwords waited.
func (m *Metrics) HashRefused() {
	if m != nil {
		m.hashesRefused.Inc()
	}
}

// Mail counts a delivery.
func (m *Metrics) Mail(outcome string) {
	if m != nil {
		m.mails.WithLabelValues(outcome).Inc()
	}
}

// maxNames is how many values a label has whose values are written in the code of features.
const maxNames = 50

// names keeps a label from having many values, such as if a feature puts an id into one.
type names struct {
	mu    sync.Mutex
	known map[string]bool
}

var plainName = regexp.MustCompile(`^[a-z][a-z -]{0,39}$`)

func (n *names) bound(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known[name] {
		return name
	}
	if len(n.known) >= maxNames || !plainName.MatchString(name) {
		return "other"
	}
	if n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[name] = true
	return name
}
