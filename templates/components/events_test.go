package components

import (
	"slices"
	"testing"
)

// TestAuditEvents wants every kind of event in a group, so that operators find it.
func TestAuditEvents(t *testing.T) {
	t.Parallel()
	keys := map[string]bool{}
	var grouped []string
	for _, g := range AuditEvents() {
		if keys[g.Key] {
			t.Errorf("two groups have the key %s", g.Key)
		}
		keys[g.Key] = true
		grouped = append(grouped, g.Kinds...)
	}
	for kind := range eventLabels {
		if !slices.Contains(grouped, kind) {
			t.Errorf("no group has the event %s", kind)
		}
	}
}
