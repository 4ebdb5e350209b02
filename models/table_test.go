package models_test

import (
	"slices"
	"strings"
	"testing"

	"vestibule/models"
)

// TestTablesHideSecrets wants each column of a model to be shown or hidden on purpose, and
// what sounds like a secret to be hidden.
func TestTablesHideSecrets(t *testing.T) {
	t.Parallel()
	harmless := []string{"username_key", "email_key", "name_key", "key_id"}
	for _, table := range models.Tables() {
		if names := table.Unlisted(); len(names) > 0 {
			t.Errorf("say in models/tables.go whether pages show these columns of %s: %s", table.Name, strings.Join(names, ", "))
		}
		for _, c := range table.Shown() {
			for _, secret := range []string{"hash", "token", "secret", "password", "key", "nonce", "verifier", "challenge", "handle", "proof", "code"} {
				if strings.Contains(c.Name, secret) && !slices.Contains(harmless, c.Name) {
					t.Errorf("%s.%s is shown", table.Name, c.Name)
				}
			}
		}
	}
}

// unlisted is a model with a column that NewTable is told nothing about.
type unlisted struct {
	ID    int `bun:",pk"`
	Shown string
	New   string
}

func TestNewTableHidesWhatIsNew(t *testing.T) {
	t.Parallel()
	table := models.NewTable((*unlisted)(nil), "id shown", "")
	if c, _ := table.Column("new"); !c.Hidden || !slices.Equal(table.Unlisted(), []string{"new"}) {
		t.Errorf("a column that is named nowhere is %+v", c)
	}
	for _, columns := range [][2]string{{"id nonsense", ""}, {"id", "nonsense"}, {"id shown", "shown"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a table of %q is no mistake", columns)
				}
			}()
			models.NewTable((*unlisted)(nil), columns[0], columns[1])
		}()
	}
}
