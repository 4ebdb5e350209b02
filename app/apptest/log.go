package apptest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"vestibule/models"
)

// Logged returns the lines of the log with that message.
func (s *Site) Logged(message string) []LogLine {
	s.T.Helper()
	return slices.DeleteFunc(s.Log.Lines(s.T), func(l LogLine) bool { return l["msg"] != message })
}

// LogBook is the site's log, and the secrets that must never be in it.
type LogBook struct {
	mu      sync.Mutex
	text    bytes.Buffer
	secrets map[string]bool
	fails   bool
}

// LogLine is a line of the log.
type LogLine map[string]any

func (b *LogBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// Hide adds a secret, unless it is so short that it could match by chance.
func (b *LogBook) Hide(secret string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(secret) >= 8 {
		b.secrets[secret] = true
	}
}

func (b *LogBook) hidden() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.secrets)
}

// MayFail allows errors in the log, because the test causes them on purpose.
func (b *LogBook) MayFail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = true
}

// Lines returns the log so far.
func (b *LogBook) Lines(t testing.TB) []LogLine {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []LogLine
	for text := range bytes.Lines(b.text.Bytes()) {
		line := LogLine{}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("the log line %q: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// Of returns the lines of one request. The last is written after the answer, so it waits
// for that.
func (b *LogBook) Of(a *Answer) (lines []LogLine) {
	a.T.Helper()
	Eventually(a.T, func() bool {
		lines = slices.DeleteFunc(b.Lines(a.T), func(l LogLine) bool { return l["request_id"] != a.Header.Get("X-Request-Id") })
		return len(lines) > 0 && lines[len(lines)-1]["msg"] == "request"
	})
	return lines
}

func (b *LogBook) check(t testing.TB, db *models.DB) {
	var sessions []models.Session
	if err := db.Bun().NewSelect().Model(&sessions).Scan(context.Background()); err != nil && !b.fails {
		t.Error(err)
	}
	for _, s := range sessions {
		b.Hide(s.ID.String())
		b.Hide(hex.EncodeToString(s.TokenHash))
		b.Hide(base64.StdEncoding.EncodeToString(s.TokenHash))
	}
	for _, line := range b.Lines(t) {
		if !b.fails && (line["level"] == "ERROR" || line["msg"] == "panic") {
			t.Errorf("the log has an error: %v", line)
		}
	}
	log := b.text.String()
	for secret := range b.secrets {
		quoted, err := json.Marshal(secret)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(log, secret) || strings.Contains(log, string(quoted[1:len(quoted)-1])) {
			t.Errorf("the log holds the secret %q", secret)
		}
	}
}
