package metrics

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Sources are asked when somebody looks at the metrics.
type Sources struct {
	Pool    *sql.DB                       // of connections to the database
	Hashing func() (running, waiting int) // passwords, now
	Stored  func(context.Context) (Stored, error)
}

// Stored is what the database holds. All processes that share it say the same.
type Stored struct {
	Sessions   int64     // that have not ended
	Mails      int64     // that wait to be sent
	OldestMail time.Time // when the first of them was queued; zero if none waits
}

// storedFor is how long a count of the database's rows is shown. Counting millions of
// sessions takes a part of a second.
const storedFor = 30 * time.Second

// storedTimeout is how long counting may take.
const storedTimeout = 5 * time.Second

func (s Sources) collectors() []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		collectors.NewDBStatsCollector(s.Pool, "vestibule"),
		gauge("vestibule_password_hashes_running", "Passwords that are being hashed.", func() float64 { running, _ := s.Hashing(); return float64(running) }),
		gauge("vestibule_password_hashes_waiting", "Passwords that wait to be hashed.", func() float64 { _, waiting := s.Hashing(); return float64(waiting) }),
		&storedCollector{
			read:     s.Stored,
			sessions: prometheus.NewDesc("vestibule_sessions", "Sessions that have not ended.", nil, nil),
			mails:    prometheus.NewDesc("vestibule_mail_queue", "Mails that wait to be sent.", nil, nil),
			oldest:   prometheus.NewDesc("vestibule_mail_oldest_seconds", "Age of the oldest mail that waits to be sent.", nil, nil),
		},
	}
}

// storedCollector shows what the database holds. While the database doesn't answer, it
// shows nothing.
type storedCollector struct {
	read                    func(context.Context) (Stored, error)
	sessions, mails, oldest *prometheus.Desc

	mu    sync.Mutex
	last  Stored
	until time.Time
}

// Describe implements [prometheus.Collector].
func (c *storedCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.sessions
	descs <- c.mails
	descs <- c.oldest
}

// Collect implements [prometheus.Collector].
func (c *storedCollector) Collect(shown chan<- prometheus.Metric) {
	stored, err := c.stored()
	if err != nil {
		return
	}
	age := 0.
	if !stored.OldestMail.IsZero() {
		age = max(0, time.Since(stored.OldestMail).Seconds())
	}
	shown <- prometheus.MustNewConstMetric(c.sessions, prometheus.GaugeValue, float64(stored.Sessions))
	shown <- prometheus.MustNewConstMetric(c.mails, prometheus.GaugeValue, float64(stored.Mails))
	shown <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age)
}

func (c *storedCollector) stored() (Stored, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), storedTimeout)
	defer cancel()
	stored, err := c.read(ctx)
	if err != nil {
		return Stored{}, err
	}
	c.last, c.until = stored, time.Now().Add(storedFor)
	return stored, nil
}
