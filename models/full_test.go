package models_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// TestRowsPerOwner fills each table that a user can fill, up to its limit.
func TestRowsPerOwner(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		user := newUser(t, db, "anna.smith")
		anna := newOrganization(t, db, user, "acme")
		benjamin := newUser(t, db, "benjamin")
		ben := newOrganization(t, db, benjamin, "other")
		guest := newUser(t, db, "the.guest")
		role, err := db.Roles(t.Context(), anna.OrganizationID)
		if err != nil {
			t.Fatal(err)
		}
		insert := func(rows any) {
			t.Helper()
			if _, err := db.Bun().NewInsert().Model(rows).Exec(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		tests := map[string]struct {
			most  int
			fill  func(n int) // stores n rows
			one   func(n int) error
			other func() error // of another owner
		}{
			"organizations": {
				models.MaxOwned,
				func(n int) {
					for i := range n - 1 { // owns one already
						newOrganization(t, db, user, fmt.Sprint("acme-", i))
					}
				},
				func(n int) error {
					o := &models.Organization{Name: "One", Slug: fmt.Sprint("one-", n)}
					return db.CreateOrganization(t.Context(), o, user)
				},
				func() error {
					return db.CreateOrganization(t.Context(), &models.Organization{Name: "Two", Slug: "two"}, benjamin)
				},
			},
			"memberships": {
				models.MaxMemberships,
				func(n int) {
					var organizations []models.Organization
					var roles []models.Role
					var memberships []models.Membership
					for i := range n {
						o := models.Organization{ID: uuid.New(), Name: "O", Slug: fmt.Sprint("o-", i), CreatedAt: time.Now()}
						r := models.Role{ID: uuid.New(), OrganizationID: o.ID, Kind: models.RoleMember, Name: "Member", NameKey: "member"}
						organizations, roles = append(organizations, o), append(roles, r)
						memberships = append(memberships, models.Membership{ID: uuid.New(), OrganizationID: o.ID, UserID: guest.ID, RoleID: r.ID, CreatedAt: time.Now()})
					}
					insert(&organizations)
					insert(&roles)
					insert(&memberships)
				},
				func(n int) error {
					inviter := newOrganization(t, db, newUser(t, db, fmt.Sprint("inviter", n)), fmt.Sprint("inviter-", n))
					return db.AcceptInvitation(t.Context(), invited(t, db, inviter, guest.Email, "Member"), guest)
				},
				func() error {
					other := newUser(t, db, "another")
					return db.AcceptInvitation(t.Context(), invited(t, db, ben, other.Email, "Member"), other)
				},
			},
			"invitations": {
				models.MaxInvitations,
				func(n int) {
					all := make([]models.Invitation, n)
					for i := range all {
						all[i] = models.Invitation{ID: uuid.New(), OrganizationID: anna.OrganizationID, RoleID: role[2].ID, InviterID: anna.UserID,
							EmailKey: fmt.Sprint("guest", i), CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
					}
					insert(&all)
				},
				func(n int) error {
					return db.Invite(t.Context(), anna, fmt.Sprintf("one%d@example.com", n), role[2].ID)
				},
				func() error {
					roles, err := db.Roles(t.Context(), ben.OrganizationID)
					return errors.Join(err, db.Invite(t.Context(), ben, "one@example.com", roles[2].ID))
				},
			},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				tt.fill(tt.most - 1)
				if err := tt.one(1); err != nil {
					t.Fatalf("number %d: %v", tt.most, err)
				}
				full := new(models.FullError)
				if err := tt.one(2); !errors.As(err, &full) || full.Most != tt.most {
					t.Errorf("one more than %d: %v", tt.most, err)
				}
				if err := tt.other(); err != nil {
					t.Errorf("that of another owner: %v", err)
				}
			})
		}
		for range 105 {
			if _, err := db.RememberBrowser(t.Context(), user, "", models.MailDetail{}, true); err != nil {
				t.Fatal(err)
			}
		}
		last, err := db.RememberBrowser(t.Context(), user, "", models.MailDetail{}, true)
		if err != nil {
			t.Fatal(err)
		}
		browsers, err := db.Browsers(t.Context(), user.ID)
		if known, err2 := db.KnownBrowser(t.Context(), user, last); err != nil || err2 != nil || len(browsers) != 100 || known == "" {
			t.Errorf("%d browsers are remembered, and the last as %q (%v, %v)", len(browsers), known, err, err2)
		}
	})
}
