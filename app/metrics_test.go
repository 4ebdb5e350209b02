package app_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"vestibule/app"
	"vestibule/app/apptest"
	"vestibule/models"
	"vestibule/models/modelstest"
)

// scrape returns what the metrics of a site say, and the text itself.
func scrape(t *testing.T, s *apptest.Site) (map[string]*dto.MetricFamily, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	w := httptest.NewRecorder()
	s.App.Metrics.Handler(slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	text := w.Body.String()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d: %v\n%s", w.Code, err, text)
	}
	return families, text
}

// measured returns the value of a metric with those labels: name, value, name, value...
func measured(t *testing.T, s *apptest.Site, name string, labels ...string) float64 {
	t.Helper()
	families, _ := scrape(t, s)
	for _, m := range families[name].GetMetric() {
		var has []string
		for _, l := range m.GetLabel() {
			has = append(has, l.GetName(), l.GetValue())
		}
		if slices.Equal(has, labels) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Errorf("%s has no %q", name, labels)
	return -1
}

// TestMetrics has people sign up, in and fail to, and reads what the metrics say.
func TestMetrics(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		s := apptest.NewSite(t, db, func(c *app.Config) {
			c.MetricsAddr = "127.0.0.1:0"
			c.LimitAccount = models.Limit{Free: 1, First: time.Hour, Longest: time.Hour, Forget: time.Hour}
		})
		s.Join(apptest.Anna)
		s.Visit(t).Post("/sign-in", apptest.Anna.Credentials()).LeadsTo("/dashboard")
		stranger := s.Visit(t)
		stranger.Post("/sign-in", apptest.Credentials(apptest.Anna.Username, "not the password")).Wants(http.StatusUnprocessableEntity)
		stranger.Post("/sign-in", apptest.Credentials(apptest.Anna.Username, "not the password")).Wants(http.StatusTooManyRequests)
		stranger.Get("/o/acme/members?q=swordfish")
		stranger.Get("/swordfish/" + apptest.Anna.Email).Wants(http.StatusNotFound)
		if n := measured(t, s, "vestibule_mail_queue"); n != 1 {
			t.Errorf("%v mails wait", n)
		}
		s.Deliver()
		for _, tt := range []struct {
			name   string
			labels []string
			want   float64
		}{
			{"vestibule_sign_ups_total", []string{"way", "password"}, 1},
			{"vestibule_sign_ins_total", []string{"outcome", "succeeded", "way", "password"}, 1},
			{"vestibule_sign_ins_total", []string{"outcome", "refused", "way", "password"}, 1},
			{"vestibule_sign_ins_total", []string{"outcome", "limited", "way", "password"}, 1},
			{"vestibule_sign_ins_total", []string{"outcome", "refused", "way", "passkey"}, 0},
			{"vestibule_throttled_total", []string{"limit", "password"}, 1},
			{"vestibule_http_requests_total", []string{"method", "POST", "route", "/sign-in", "status", "429"}, 1},
			{"vestibule_http_requests_total", []string{"method", "GET", "route", "none", "status", "404"}, 1},
			{"vestibule_http_request_duration_seconds", []string{"method", "POST", "route", "/sign-up"}, 1},
			{"vestibule_password_hash_duration_seconds", nil, 4}, // with the code of a mail,
			{"vestibule_password_wait_seconds", nil, 4},
			{"vestibule_password_hashes_running", nil, 0},
			{"vestibule_password_hashes_waiting", nil, 0},
			{"vestibule_sessions", nil, 2},
			{"vestibule_mails_total", []string{"outcome", "sent"}, 1},
		} {
			if got := measured(t, s, tt.name, tt.labels...); got != tt.want {
				t.Errorf("%s %v is %v, want %v", tt.name, tt.labels, got, tt.want)
			}
		}
		asked := s.Visit(t)
		asked.Post("/sign-in/code", apptest.Fill("email", apptest.Anna.Email)).Wants(http.StatusOK)
		asked.Post("/sign-in/code", apptest.Fill("code", "0000-0000")).Wants(http.StatusUnprocessableEntity)
		asked.Post("/sign-in/code", apptest.Fill("code", "0000-0000")).Wants(http.StatusTooManyRequests)
		for outcome, want := range map[string]float64{"succeeded": 0, "refused": 1, "limited": 1} {
			if got := measured(t, s, "vestibule_sign_ins_total", "outcome", outcome, "way", "mail-code"); got != want {
				t.Errorf("%v mailed codes %s, want %v", got, outcome, want)
			}
		}
		_, text := scrape(t, s)
		for _, private := range []string{"swordfish", "acme", apptest.Anna.Username, "@", "127.0.0.1", s.Users()[0].ID.String()} {
			if strings.Contains(text, private) {
				t.Errorf("the metrics hold %q", private)
			}
		}
	})
}

// TestMetricsAreDocumented compares what the metrics show with the table for operators, both
// ways.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) { compareMetrics(t, db) })
}

func compareMetrics(t *testing.T, db *models.DB) {
	t.Helper()
	s := apptest.NewSite(t, db, func(c *app.Config) { c.MetricsAddr, c.LimitWrites = "127.0.0.1:0", 1 })
	s.Join(apptest.Anna)
	s.Post("/account/verify", nil)
	s.Post("/account/verify", nil).Wants(http.StatusTooManyRequests)
	families, _ := scrape(t, s)
	var shown []string
	for name, f := range families {
		if !strings.HasPrefix(name, "vestibule_") {
			continue
		}
		labels := ""
		for i, l := range f.GetMetric()[0].GetLabel() {
			if i > 0 {
				labels += ", "
			}
			labels += l.GetName()
		}
		shown = append(shown, name+" "+strings.ToLower(f.GetType().String())+" "+labels)
	}
	var rows []string
	row := regexp.MustCompile("(?m)^\\| `(vestibule_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) ?\\|")
	for _, cells := range row.FindAllStringSubmatch(read(t, "../cmd/vestibule/README.md"), -1) {
		labels := regexp.MustCompile("[a-z_]+").FindAllString(cells[3], -1)
		slices.Sort(labels) // as Prometheus does
		rows = append(rows, cells[1]+" "+cells[2]+" "+strings.Join(labels, ", "))
	}
	slices.Sort(shown)
	slices.Sort(rows)
	if !slices.Equal(shown, rows) {
		t.Errorf("shown are\n%s\nwant, as documented,\n%s", strings.Join(shown, "\n"), strings.Join(rows, "\n"))
	}
}
