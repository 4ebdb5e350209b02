package models

import (
	"slices"
	"strings"
)

// A Permission is a thing that a role may allow in an organization. Routes
// declare which they need, and templates ask for the same.
type Permission string

// The permissions. A new one is declared here, and in Permissions.
const (
	InviteMembers    Permission = "invite-members"
	ManageMembers    Permission = "manage-members"
	EditOrganization Permission = "edit-organization"
	SeeActivity      Permission = "see-activity"
	OwnOrganization  Permission = "own-organization" // to make roles and owners, and to delete it: for owners alone
)

// Grantable is a permission that a role may be made of.
type Grantable struct {
	Permission
	Label   string // for those who make a role
	Members bool   // whether the role "Member" has it too
}

// Permissions are all that a role may be made of. Admins and owners have them all.
var Permissions = []Grantable{
	{InviteMembers, "Invite people and take invitations back", false},
	{ManageMembers, "Change the role of members and remove them", false},
	{EditOrganization, "Change the organization's name", false},
	{SeeActivity, "See what happened in the organization", false},
	{WriteNotes, "Write, change and delete notes", true},
}

// Known tells whether there is such a permission.
func (p Permission) Known() bool {
	return p == OwnOrganization || slices.ContainsFunc(Permissions, func(known Grantable) bool { return known.Permission == p })
}

// A RoleKind says where a role's permissions come from.
type RoleKind string

// The kinds of roles. Each organization has one role of each kind but custom,
// of which its owners make as many as they like.
const (
	RoleOwner  RoleKind = "owner"
	RoleAdmin  RoleKind = "admin"
	RoleMember RoleKind = "member"
	RoleCustom RoleKind = "custom"
)

// May tells whether the role allows p.
func (r *Role) May(p Permission) bool {
	if r.Kind == RoleOwner {
		return true
	}
	for _, known := range Permissions { // so that one which the program dropped allows nothing
		if known.Permission == p {
			return r.Kind == RoleAdmin || r.Kind == RoleMember && known.Members || r.Kind == RoleCustom && slices.Contains(r.Permissions, p)
		}
	}
	return false
}

// Covers tells whether the role allows all that the other does. Nobody gives,
// changes or takes away a role that theirs does not cover.
func (r *Role) Covers(other *Role) bool {
	if other.Kind == RoleOwner {
		return r.Kind == RoleOwner
	}
	return !slices.ContainsFunc(other.allowed(), func(p Permission) bool { return !r.May(p) })
}

// allowed lists what a role allows beside what is for owners alone.
func (r *Role) allowed() []Permission {
	var allowed []Permission
	for _, known := range Permissions {
		if r.May(known.Permission) {
			allowed = append(allowed, known.Permission)
		}
	}
	return allowed
}

// Label says what the role allows.
func (r *Role) Label() string {
	if r.Kind == RoleOwner {
		return "Everything"
	}
	var words []string
	for _, known := range Permissions {
		if r.May(known.Permission) {
			words = append(words, known.Label)
		}
	}
	if words == nil {
		return "To be a member"
	}
	return strings.Join(words, ". ")
}
