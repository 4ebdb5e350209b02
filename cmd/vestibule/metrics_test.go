//go:build linux || darwin || freebsd

package main_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"vestibule/app/apptest"
)

// TestMetricsOfTheProgram reads the metrics as Prometheus does, beside a site that doesn't
// show them. It compares them with what the alerts and the dashboard ask for.
func TestMetricsOfTheProgram(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	s := serve(t, "METRICS_ADDR="+addr)
	s.signUp(apptest.Anna)
	ask := func(path, host string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	for _, tt := range []struct {
		path, host string
		want       int
	}{{"/", "localhost", 404}, {"/metrics", "evil.example", 403}, {"/debug/pprof/", "localhost", 404}} {
		if got, _ := ask(tt.path, tt.host); got != tt.want {
			t.Errorf("%s of %s answers %d, want %d", tt.path, tt.host, got, tt.want)
		}
	}
	status, text := ask("/metrics", addr)
	if status != http.StatusOK || !strings.Contains(text, `vestibule_sign_ups_total{way="password"} 1`) {
		t.Errorf("%d\n%s", status, text)
	}
	if got := s.caller(t).get("/metrics").status; got != http.StatusNotFound {
		t.Errorf("the site shows its metrics: %d", got)
	}

	names := map[string]bool{"vestibule_throttled_total": true, "up": true} // nobody had to wait
	for _, name := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(text, -1) {
		names[name[1]] = true
	}
	for _, file := range []string{"metrics/alerts.yml", "metrics/dashboard.json"} {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		asked := regexp.MustCompile(`\b(?:vestibule|go_sql|process)_[a-z_]+`).FindAllString(string(content), -1)
		if len(asked) < 8 {
			t.Errorf("%s asks for %v alone", file, asked)
		}
		for _, name := range asked {
			if base := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, ""); !names[name] && !names[base] {
				t.Errorf("%s asks for %s, which the metrics don't have", file, name)
			}
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(content) {
			t.Errorf("%s is no JSON", file)
		}
	}
}

// TestAlertRules has promtool check the alerts, and the expressions of the dashboard as
// rules.
func TestAlertRules(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: it is in Debian's package prometheus")
	}
	content, err := os.ReadFile("metrics/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(content, &dashboard); err != nil {
		t.Fatal(err)
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*").Replace(target.Expr)
			rules = append(rules, rule{"dashboard", expr})
		}
	}
	asRules, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}}) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/dashboard.yml"
	write(t, file, string(asRules))
	for _, file := range []string{"metrics/alerts.yml", file} {
		if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", "--lint=none", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}
