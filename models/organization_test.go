package models_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"vestibule/models"
	"vestibule/models/modelstest"
)

// newOrganization creates an organization and returns its owner's membership.
func newOrganization(t testing.TB, db *models.DB, owner *models.User, slug string) *models.Membership {
	t.Helper()
	if err := db.CreateOrganization(t.Context(), &models.Organization{Name: slug, Slug: slug}, owner); err != nil {
		t.Fatal(err)
	}
	return place(t, db, slug, owner)
}

// place reads user's membership of an organization.
func place(t testing.TB, db *models.DB, slug string, user *models.User) *models.Membership {
	t.Helper()
	m, err := db.MembershipBySlug(t.Context(), slug, user.ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// role returns the id of the organization's role with that name.
func role(t testing.TB, db *models.DB, in *models.Membership, name string) uuid.UUID {
	t.Helper()
	roles, err := db.Roles(t.Context(), in.OrganizationID)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(roles, func(r models.Role) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("there is no role %s in %+v", name, roles)
	}
	return roles[i].ID
}

// newMember makes a new user a member, as by an invitation.
func newMember(t *testing.T, db *models.DB, by *models.Membership, name, roleName string) *models.Membership {
	t.Helper()
	u := newUser(t, db, name)
	if err := db.AcceptInvitation(t.Context(), invited(t, db, by, u.Email, roleName), u); err != nil {
		t.Fatal(err)
	}
	return place(t, db, by.Organization.Slug, u)
}

// invited invites an address and sends the mail, as the queue's worker does.
func invited(t *testing.T, db *models.DB, by *models.Membership, email, roleName string) *models.Invitation {
	t.Helper()
	if err := db.Invite(t.Context(), by, email, role(t, db, by, roleName)); err != nil {
		t.Fatal(err)
	}
	all, err := db.Invitations(t.Context(), by.OrganizationID, uuid.Nil, 1)
	if err != nil || len(all) != 1 {
		t.Fatalf("there are %d invitations (%v)", len(all), err)
	}
	i, _, err := db.SendInvitation(t.Context(), all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// owners counts the owners of an organization.
func owners(t *testing.T, db *models.DB, in *models.Membership) (n int) {
	t.Helper()
	members, err := db.Members(t.Context(), in.OrganizationID, models.MemberSearch{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	roles, err := db.Roles(t.Context(), in.OrganizationID)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range members {
		if m.RoleID == roles[0].ID { // the owner's
			n++
		}
	}
	return n
}

func wantsLastOwner(t *testing.T, err error) {
	t.Helper()
	if last := new(models.LastOwnerError); !errors.As(err, &last) {
		t.Errorf("the error is %v, want that of the last owner", err)
	}
}

func wantsNotAllowed(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, models.ErrNotAllowed) {
		t.Errorf("the error is %v, want that it is not allowed", err)
	}
}

func TestSlugsAreUnique(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newUser(t, db, "anna.smith")
		const n = 20
		errs := make([]error, n)
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				errs[i] = db.CreateOrganization(t.Context(), &models.Organization{Name: "Acme", Slug: "acme"}, anna)
			})
		}
		all.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
				continue
			}
			wantsTaken(t, err, "slug")
		}
		if places, err := db.Memberships(t.Context(), anna.ID); made != 1 || len(places) != 1 || err != nil {
			t.Errorf("made are %d and joined %d (%v), want one", made, len(places), err)
		}
	})
}

func TestTheLastOwnerStays(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		ben := newMember(t, db, anna, "benjamin", "Admin")
		wantsLastOwner(t, db.Leave(t.Context(), anna))
		wantsLastOwner(t, db.SetRole(t.Context(), anna, anna.ID, role(t, db, anna, "Admin")))
		wantsLastOwner(t, db.RemoveMember(t.Context(), anna, anna.ID))
		wantsLastOwner(t, db.DeleteUser(t.Context(), userOf(t, db, anna)))
		if owners(t, db, anna) != 1 || len(mustUsers(t, db)) != 2 {
			t.Error("the last owner is one no more")
		}
		if _, err := db.TransferOwnership(t.Context(), anna, "BENJAMIN"); err != nil {
			t.Fatal(err)
		}
		anna, ben = place(t, db, "acme", &models.User{ID: anna.UserID}), place(t, db, "acme", &models.User{ID: ben.UserID})
		if anna.Role.Kind != models.RoleAdmin || ben.Role.Kind != models.RoleOwner {
			t.Errorf("they are %s and %s", anna.Role.Kind, ben.Role.Kind)
		}
		if err := db.Leave(t.Context(), anna); err != nil {
			t.Error(err)
		}
		if err := db.DeleteUser(t.Context(), userOf(t, db, ben)); err != nil {
			t.Error(err)
		}
		for _, table := range []string{"organizations", "roles", "memberships", "invitations"} {
			if n := count(t, db, table); n != 0 {
				t.Errorf("%d rows of %s are left of an organization of nobody", n, table)
			}
		}
	})
}

// TestADisabledOwnerIsNone lets one owner leave while the other is disabled.
func TestADisabledOwnerIsNone(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		ben := newMember(t, db, anna, "benjamin", "Member")
		if err := db.SetRole(t.Context(), anna, ben.ID, anna.RoleID); err != nil {
			t.Fatal(err)
		}
		disabled := userOf(t, db, ben)
		if err := db.DisableUser(t.Context(), disabled); err != nil {
			t.Fatal(err)
		}
		wantsLastOwner(t, db.Leave(t.Context(), anna))
		if err := db.EnableUser(t.Context(), disabled); err != nil {
			t.Fatal(err)
		}
		if err := db.Leave(t.Context(), anna); err != nil {
			t.Error(err)
		}
	})
}

func TestMaxRoles(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		for i := range models.MaxRoles {
			if err := db.CreateRole(t.Context(), anna, fmt.Sprint("Role ", i), nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.CreateRole(t.Context(), anna, "One more", nil); !errors.As(err, new(*models.FullError)) {
			t.Errorf("one more answers %v", err)
		}
		other := newOrganization(t, db, newUser(t, db, "benjamin"), "other")
		if err := db.CreateRole(t.Context(), other, "Its first", nil); err != nil {
			t.Error(err)
		}
	})
}

// userOf reads a member's user.
func userOf(t *testing.T, db *models.DB, m *models.Membership) *models.User {
	t.Helper()
	return stored(t, db, &models.User{ID: m.UserID})
}

func mustUsers(t *testing.T, db *models.DB) []models.User {
	t.Helper()
	users, err := db.Users(t.Context(), uuid.Nil, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return users
}

func count(t *testing.T, db *models.DB, table string) (n int) {
	t.Helper()
	if err := db.Bun().NewRaw("SELECT count(*) FROM "+table).Scan(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// All owners try to leave at the same moment, in every way there is.
func TestOneOwnerStaysOfManyAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for round := range 5 {
			slug := fmt.Sprint("acme-", round)
			anna := newOrganization(t, db, newUser(t, db, "anna"+slug), slug)
			all := []*models.Membership{anna}
			for i := range 7 {
				all = append(all, newMember(t, db, anna, fmt.Sprint("owner", i, slug), "Owner"))
			}
			newMember(t, db, anna, "member"+slug, "Member")
			admin := role(t, db, anna, "Admin")
			var group sync.WaitGroup
			for i, m := range all {
				next, user := all[(i+1)%len(all)], userOf(t, db, m)
				for _, goes := range []func() error{
					func() error { return db.Leave(t.Context(), m) },
					func() error { return db.SetRole(t.Context(), m, m.ID, admin) },
					func() error { return db.SetRole(t.Context(), m, next.ID, admin) },
					func() error { return db.RemoveMember(t.Context(), m, next.ID) },
					func() error { return db.DeleteUser(t.Context(), user) },
					func() error { _, err := db.TransferOwnership(t.Context(), m, "member"+slug); return err },
				} {
					group.Go(func() {
						err := goes()
						last := new(models.LastOwnerError)
						if err != nil && !errors.As(err, &last) && !errors.Is(err, models.ErrNotFound) && !errors.Is(err, models.ErrNotAllowed) {
							t.Error(err)
						}
					})
				}
			}
			group.Wait()
			if n := owners(t, db, anna); n < 1 {
				t.Errorf("round %d leaves %d owners", round, n)
			}
		}
	})
}

// One owner makes another and leaves, while the other deletes their account.
func TestTransferToWhoIsGoing(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for round := range 20 {
			slug := fmt.Sprint("acme-", round)
			anna := newOrganization(t, db, newUser(t, db, "anna"+slug), slug)
			ben := userOf(t, db, newMember(t, db, anna, "ben"+slug, "Member"))
			var group sync.WaitGroup
			group.Go(func() { _ = db.DeleteUser(t.Context(), ben) })
			group.Go(func() {
				if _, err := db.TransferOwnership(t.Context(), anna, "ben"+slug); err != nil && !errors.Is(err, models.ErrNotFound) {
					t.Error(err)
				}
			})
			group.Wait()
			if n := owners(t, db, anna); n != 1 {
				t.Errorf("round %d leaves %d owners", round, n)
			}
		}
	})
}

func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		admin := newMember(t, db, anna, "benjamin", "Admin")
		member := newMember(t, db, anna, "carla", "Member")
		hosts := []models.Permission{models.InviteMembers, models.ManageMembers}
		for _, p := range models.Permissions {
			if p.Members { // without them, it would not cover plain members
				hosts = append(hosts, p.Permission)
			}
		}
		if err := db.CreateRole(t.Context(), anna, "Host", hosts); err != nil {
			t.Fatal(err)
		}
		host := newMember(t, db, anna, "dora", "Host")
		for _, tt := range []struct {
			name          string
			actor, target *models.Membership
			role          string
			allowed       bool
		}{
			{"an admin makes an owner", admin, member, "Owner", false},
			{"an admin makes themselves owner", admin, admin, "Owner", false},
			{"an admin changes an owner", admin, anna, "Member", false},
			{"an admin makes an admin", admin, member, "Admin", true},
			{"a host makes an admin", host, member, "Admin", false},
			{"a host changes an admin", host, admin, "Member", false},
			{"a host makes a host", host, member, "Host", false}, // an admin by now
			{"an owner takes it back", anna, member, "Member", true},
			{"a host makes a host of a member", host, member, "Host", true},
			{"an owner makes a member of them", anna, member, "Member", true},
			{"a member makes a member", member, host, "Member", false},
		} {
			err := db.SetRole(t.Context(), tt.actor, tt.target.ID, role(t, db, anna, tt.role))
			if tt.allowed && err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if !tt.allowed && !errors.Is(err, models.ErrNotAllowed) {
				t.Errorf("%s: %v, want that it is not allowed", tt.name, err)
			}
		}
		wantsNotAllowed(t, db.RemoveMember(t.Context(), host, admin.ID))
		wantsNotAllowed(t, db.RemoveMember(t.Context(), admin, anna.ID))
		wantsNotAllowed(t, db.Invite(t.Context(), admin, "new@example.com", role(t, db, anna, "Owner")))
		wantsNotAllowed(t, db.Invite(t.Context(), member, "new@example.com", role(t, db, anna, "Member")))
		for _, err := range []error{
			db.CreateRole(t.Context(), admin, "Everything", []models.Permission{models.InviteMembers}),
			db.UpdateRole(t.Context(), admin, host.RoleID, "Host", nil),
			db.DeleteRole(t.Context(), admin, host.RoleID),
			db.DeleteOrganization(t.Context(), admin),
			db.RenameOrganization(t.Context(), member, "Mine"),
		} {
			wantsNotAllowed(t, err)
		}
		_, err := db.TransferOwnership(t.Context(), admin, "benjamin")
		wantsNotAllowed(t, err)
	})
}

// A user who has lost a role can no longer use its permissions.
func TestWhatWasLostMeanwhile(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		admin := newMember(t, db, anna, "benjamin", "Admin")
		carla := newMember(t, db, anna, "carla", "Member")
		if err := db.SetRole(t.Context(), anna, admin.ID, role(t, db, anna, "Member")); err != nil {
			t.Fatal(err)
		}
		wantsNotAllowed(t, db.RemoveMember(t.Context(), admin, carla.ID))
		wantsNotAllowed(t, db.Invite(t.Context(), admin, "new@example.com", carla.RoleID))
		if err := db.RemoveMember(t.Context(), anna, admin.ID); err != nil {
			t.Fatal(err)
		}
		wantsNotFound(t, db.RemoveMember(t.Context(), admin, carla.ID))
		wantsNotFound(t, db.Invite(t.Context(), admin, "new@example.com", carla.RoleID))
	})
}

// Ids of another organization's rows have no effect.
func TestOrganizationsAreApart(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		ben := newOrganization(t, db, newUser(t, db, "benjamin"), "other")
		carla := newMember(t, db, ben, "carla", "Member")
		if err := db.CreateRole(t.Context(), ben, "Host", nil); err != nil {
			t.Fatal(err)
		}
		host := role(t, db, ben, "Host")
		theirs := invited(t, db, ben, "new@example.com", "Member")
		before := [...]int{count(t, db, "roles"), count(t, db, "memberships"), count(t, db, "invitations")}

		_, err := db.MembershipBySlug(t.Context(), "other", anna.UserID)
		wantsNotFound(t, err)
		_, err = db.MemberByID(t.Context(), anna.OrganizationID, carla.ID)
		wantsNotFound(t, err)
		_, err = db.InvitationByID(t.Context(), anna.OrganizationID, theirs.ID)
		wantsNotFound(t, err)
		_, err = db.RoleByID(t.Context(), anna.OrganizationID, host)
		wantsNotFound(t, err)
		_, err = db.TransferOwnership(t.Context(), anna, "carla")
		wantsNotFound(t, err)
		for _, err := range []error{
			db.SetRole(t.Context(), anna, carla.ID, role(t, db, anna, "Admin")),
			db.SetRole(t.Context(), anna, anna.ID, host),
			db.RemoveMember(t.Context(), anna, carla.ID),
			db.Invite(t.Context(), anna, "else@example.com", host),
			db.ResendInvitation(t.Context(), anna, theirs),
			db.RevokeInvitation(t.Context(), anna, theirs),
			db.UpdateRole(t.Context(), anna, host, "Mine", nil),
			db.DeleteRole(t.Context(), anna, host),
		} {
			wantsNotFound(t, err)
		}
		if _, err := db.Bun().ExecContext(t.Context(), "UPDATE memberships SET role_id = ? WHERE id = ?", host, anna.ID); err == nil {
			t.Error("the database lets a member have another organization's role")
		}
		after := [...]int{count(t, db, "roles"), count(t, db, "memberships"), count(t, db, "invitations")}
		if before != after || place(t, db, "other", &models.User{ID: carla.UserID}).Role.Kind != models.RoleMember {
			t.Errorf("the rows are %v, and were %v", after, before)
		}
	})
}

func TestCustomRoles(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		if err := db.CreateRole(t.Context(), anna, "Host", []models.Permission{models.InviteMembers, "long gone"}); err != nil {
			t.Fatal(err)
		}
		wantsTaken(t, db.CreateRole(t.Context(), anna, "HOST", nil), "name")
		wantsTaken(t, db.CreateRole(t.Context(), anna, "owner", nil), "name")
		m := newMember(t, db, anna, "benjamin", "Host")
		if !m.Role.May(models.InviteMembers) || m.Role.May(models.ManageMembers) || m.Role.May("long gone") || m.Role.May(models.OwnOrganization) {
			t.Errorf("the role is %+v", m.Role)
		}
		id := m.RoleID
		if err := db.UpdateRole(t.Context(), anna, id, "Editor", []models.Permission{models.SeeActivity, models.OwnOrganization}); err != nil {
			t.Fatal(err)
		}
		m = place(t, db, "acme", &models.User{ID: m.UserID})
		if m.Role.Name != "Editor" || m.Role.May(models.InviteMembers) || !m.Role.May(models.SeeActivity) || m.Role.May(models.OwnOrganization) {
			t.Errorf("the role is %+v", m.Role)
		}
		i := invited(t, db, anna, "new@example.com", "Editor")
		if err := db.DeleteRole(t.Context(), anna, id); err != nil {
			t.Fatal(err)
		}
		i, err := db.InvitationByID(t.Context(), anna.OrganizationID, i.ID)
		if err != nil || i.Role.Kind != models.RoleMember || place(t, db, "acme", &models.User{ID: m.UserID}).Role.Kind != models.RoleMember {
			t.Errorf("who had the role is no plain member (%v)", err)
		}
		for _, name := range []string{"Owner", "Admin", "Member"} {
			wantsNotFound(t, db.UpdateRole(t.Context(), anna, role(t, db, anna, name), "Mine", nil))
			wantsNotFound(t, db.DeleteRole(t.Context(), anna, role(t, db, anna, name)))
		}
	})
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		ben, carla := newUser(t, db, "benjamin"), newUser(t, db, "carla")
		i := invited(t, db, anna, ben.Email, "Member")
		wantsTaken(t, db.Invite(t.Context(), anna, "BENJAMIN@example.com", i.RoleID), "email")
		wantsTaken(t, db.Invite(t.Context(), anna, "Anna.Smith@example.com", i.RoleID), "member")

		wantsNotAllowed(t, db.AcceptInvitation(t.Context(), i, carla))
		again, secret, err := db.SendInvitation(t.Context(), i.ID)
		if err != nil {
			t.Fatal(err)
		}
		wantsNotFound(t, db.AcceptInvitation(t.Context(), i, ben)) // by the link that was sent before
		if got, err := db.InvitationBySecret(t.Context(), secret); err != nil || got.Organization.Slug != "acme" || got.Inviter.Username != "anna.smith" || got.Role.Kind != models.RoleMember {
			t.Errorf("the invitation is %+v (%v)", got, err)
		}
		if err := db.AcceptInvitation(t.Context(), again, ben); err != nil {
			t.Fatal(err)
		}
		if !stored(t, db, ben).Verified() {
			t.Error("the token does not prove the address")
		}
		wantsQueue(t, db, models.MailVerifyEmail, models.MailVerifyEmail, models.MailInvitation)
		wantsNotFound(t, db.AcceptInvitation(t.Context(), again, ben))
		_, err = db.InvitationBySecret(t.Context(), secret)
		wantsNotFound(t, err)

		// An address that differs in case from the user's proves nothing.
		shouted := invited(t, db, anna, "CARLA@example.com", "Member")
		wantsNotAllowed(t, db.AcceptInvitation(t.Context(), shouted, carla))
		carla.VerifiedAt = time.Now()
		if _, err := db.Bun().NewUpdate().Model(carla).WherePK().Column("verified_at").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := db.AcceptInvitation(t.Context(), shouted, carla); err != nil {
			t.Error(err)
		}

		old := invited(t, db, anna, "old@example.com", "Member")
		wantsNotAllowed(t, db.AcceptInvitation(t.Context(), old, stored(t, db, carla))) // who is verified, and not invited
		exec(t, db, "UPDATE invitations SET expires_at = ?", time.Now().UTC().Add(-time.Minute))
		wantsNotFound(t, db.AcceptInvitation(t.Context(), old, newUser(t, db, "old")))
		_, _, err = db.SendInvitation(t.Context(), old.ID)
		wantsNotFound(t, err)
		if err := db.ResendInvitation(t.Context(), anna, old); err != nil {
			t.Error(err)
		}
		if _, _, err = db.SendInvitation(t.Context(), old.ID); err != nil {
			t.Error(err)
		}
		exec(t, db, "UPDATE invitations SET expires_at = ?", time.Now().UTC().Add(-29*24*time.Hour))
		if _, err := db.Purge(t.Context(), time.Hour); err != nil || count(t, db, "invitations") != 1 {
			t.Errorf("%d invitations are left (%v), want the one that can be sent again", count(t, db, "invitations"), err)
		}
		if err := db.RevokeInvitation(t.Context(), anna, old); err != nil {
			t.Error(err)
		}
		_, _, err = db.SendInvitation(t.Context(), old.ID)
		wantsNotFound(t, err)
	})
}

func exec(t *testing.T, db *models.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Bun().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

// A former admin can't come back through an invitation they sent themselves.
func TestInvitationsStandWithTheirInviter(t *testing.T) {
	t.Parallel()
	tests := map[string]func(db *models.DB, owner, admin *models.Membership) error{
		"removed": func(db *models.DB, owner, admin *models.Membership) error {
			return db.RemoveMember(t.Context(), owner, admin.ID)
		},
		"left": func(db *models.DB, _, admin *models.Membership) error { return db.Leave(t.Context(), admin) },
		"demoted": func(db *models.DB, owner, admin *models.Membership) error {
			return db.SetRole(t.Context(), owner, admin.ID, role(t, db, owner, "Member"))
		},
		"disabled": func(db *models.DB, _, admin *models.Membership) error {
			return db.DisableUser(t.Context(), userOf(t, db, admin))
		},
		"account deleted": func(db *models.DB, _, admin *models.Membership) error {
			u, err := db.UserByID(t.Context(), admin.UserID)
			if err != nil {
				return err
			}
			return db.DeleteUser(t.Context(), u)
		},
	}
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		for name, happens := range tests {
			t.Run(name, func(t *testing.T) {
				slug := "acme-" + uuid.NewString()[:8]
				anna := newOrganization(t, db, newUser(t, db, "anna"+slug), slug)
				admin := newMember(t, db, anna, "ben"+slug, "Admin")
				back := newUser(t, db, "back"+slug)
				if err := db.Invite(t.Context(), admin, back.Email, admin.RoleID); err != nil {
					t.Fatal(err)
				}
				all, err := db.Invitations(t.Context(), anna.OrganizationID, uuid.Nil, 1)
				if err != nil {
					t.Fatal(err)
				}
				i, secret, err := db.SendInvitation(t.Context(), all[0].ID)
				if err != nil {
					t.Fatal(err)
				}
				if err := happens(db, anna, admin); err != nil {
					t.Fatal(err)
				}
				_, err = db.InvitationBySecret(t.Context(), secret)
				wantsNotFound(t, err)
				_, _, err = db.SendInvitation(t.Context(), i.ID)
				wantsNotFound(t, err)
				wantsNotFound(t, db.AcceptInvitation(t.Context(), i, back))
				if name != "demoted" {
					return
				}
				if err := db.ResendInvitation(t.Context(), anna, i); err != nil { // by an owner, whose it is now
					t.Fatal(err)
				}
				if i, _, err = db.SendInvitation(t.Context(), i.ID); err != nil {
					t.Fatal(err)
				}
				if err := db.AcceptInvitation(t.Context(), i, back); err != nil {
					t.Error(err)
				}
			})
		}
	})
}

func TestPurgeInvitations(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		invited(t, db, anna, "old@example.com", "Member")
		exec(t, db, "UPDATE invitations SET expires_at = ?", time.Now().UTC().Add(-31*24*time.Hour))
		if n, err := db.Purge(t.Context(), time.Hour); n != 1 || err != nil || count(t, db, "invitations") != 0 {
			t.Errorf("purged are %d rows (%v)", n, err)
		}
	})
}

// One link, opened in many browsers at once, makes one member.
func TestAcceptInvitationAtOnce(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		ben := newUser(t, db, "benjamin")
		i := invited(t, db, anna, ben.Email, "Member")
		errs := make([]error, 20)
		var all sync.WaitGroup
		for n := range errs {
			all.Go(func() { errs[n] = db.AcceptInvitation(t.Context(), i, ben) })
		}
		all.Wait()
		joined := 0
		for _, err := range errs {
			if err == nil {
				joined++
				continue
			}
			wantsNotFound(t, err)
		}
		if joined != 1 || count(t, db, "memberships") != 2 {
			t.Errorf("joined %d times, and there are %d members", joined, count(t, db, "memberships"))
		}
	})
}

func TestMembers(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, db *models.DB) {
		anna := newOrganization(t, db, newUser(t, db, "anna.smith"), "acme")
		for i := range 9 {
			newMember(t, db, anna, fmt.Sprint("person_", i), "Member")
		}
		special := newUser(t, db, "100%_real")
		special.FirstName, special.LastName = "ÄNNE", "!Straße"
		if err := db.UpdateProfile(t.Context(), special); err != nil {
			t.Fatal(err)
		}
		if err := db.AcceptInvitation(t.Context(), invited(t, db, anna, special.Email, "Member"), special); err != nil {
			t.Fatal(err)
		}
		newOrganization(t, db, newUser(t, db, "stranger"), "other")

		var all []string
		var after uuid.UUID
		for {
			page, err := db.Members(t.Context(), anna.OrganizationID, models.MemberSearch{After: after, Limit: 4})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, m := range page {
				all = append(all, m.User.Username)
			}
			after = page[len(page)-1].ID
		}
		want := []string{"anna.smith", "person_0", "person_1", "person_2", "person_3", "person_4", "person_5", "person_6", "person_7", "person_8", "100%_real"}
		if !slices.Equal(all, want) {
			t.Errorf("the members are %v", all)
		}
		for text, want := range map[string]int{
			"": 11, "PERSON": 9, "person_3": 1, "n_": 9, "%": 1, "!": 1, "_": 10, "änne": 1, "STRASSE": 1, "anna": 10, "Anna Smith": 10, "\\": 0, "'": 0,
			"@example": 0, "stranger": 0,
		} {
			found, err := db.Members(t.Context(), anna.OrganizationID, models.MemberSearch{Text: text, Limit: 100})
			if err != nil || len(found) != want {
				t.Errorf("%q finds %d (%v), want %d", text, len(found), err, want)
			}
		}
		found, err := db.Members(t.Context(), anna.OrganizationID, models.MemberSearch{Text: "@EXAMPLE", Emails: true, Limit: 100})
		if err != nil || len(found) != 11 {
			t.Errorf("the e-mail finds %d (%v)", len(found), err)
		}
		if found[0].User.PasswordHash != "" {
			t.Error("a list of members reads the password's hash")
		}
	})
}
