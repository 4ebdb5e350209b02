//go:build linux || darwin || freebsd

package main_test

import (
	"encoding/json"
	"strings"
	"testing"

	"vestibule/models"
)

// TestOperatorInvites invites somebody to the site, again, and no more.
func TestOperatorInvites(t *testing.T) {
	eachOperator(t, func(o *operator) {
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		wantEqual(o.T, "list", o.does("invitations", "list", "--json"), "[]\n")
		for _, email := range []string{"ben@bücher.example", "BEN@xn--bcher-kva.example"} {
			if printed := o.does("invitations", "create", email); !strings.HasPrefix(strings.ToLower(printed), "invited ben@bücher.example until ") {
				o.Error(printed)
			}
		}
		o.fails("there's already an account with this email address", "", "invitations", "create", "ANNA@example.com")
		o.fails("nonsense is no email address such as name@example.com", "", "invitations", "create", "nonsense")
		var listed []struct {
			Email string
			Sent  bool
		}
		if err := json.Unmarshal([]byte(o.does("invitations", "list", "--json")), &listed); err != nil || len(listed) != 1 || listed[0].Sent {
			o.Errorf("listed are %+v (%v)", listed, err)
		}
		wantEqual(o.T, "revoke", o.does("invitations", "revoke", "Ben@bücher.example"), "Revoked the invitation of Ben@bücher.example\n")
		o.fails("ben@bücher.example isn't invited to create an account", "", "invitations", "revoke", "ben@bücher.example")
		kinds := map[string]int{}
		for e, err := range o.db.AllEvents(o.Context(), models.EventFilter{}) {
			if err != nil {
				o.Fatal(err)
			}
			kinds[e.Kind]++
		}
		if kinds[models.EventSiteInvited] != 2 || kinds[models.EventSiteInviteRevoked] != 1 {
			o.Errorf("the events are %v", kinds)
		}
	})
}
