package models

import (
	"slices"
	"strings"
)

// Permission is something that a role may allow in an organization. Routes declare
// the permissions they need, and templates check the same ones.
type Permission string

// The permissions. Add new ones here and to Permissions.
const (
	InviteMembers    Permission = "invite-members"
	ManageMembers    Permission = "manage-members"
	EditOrganization Permission = "edit-organization"
	SeeActivity      Permission = "see-activity"
	OwnOrganization  Permission = "own-organization" // manage roles and owners, delete the organization: for owners only
)

// Grantable is a permission that owners can put into a role.
type Grantable struct {
	Permission
	Label   string // shown when editing a role
	Members bool   // whether the built-in role "Member" has it
}

// Permissions lists what owners can put into a role. Owners and admins have all.
var Permissions = []Grantable{
	{InviteMembers, "Invite people and revoke invitations", false},
	{ManageMembers, "Change members' roles and remove members", false},
	{EditOrganization, "Rename the organization", false},
	{SeeActivity, "See the organization's activity", false},
	{WriteNotes, "Write, edit and delete notes", true},
}

// RoleKind says where a role's permissions come from.
type RoleKind string

// The kinds of roles. An organization has exactly one role of each kind except
// RoleCustom; its owners can add up to MaxRoles of those.
const (
	RoleOwner  RoleKind = "owner"
	RoleAdmin  RoleKind = "admin"
	RoleMember RoleKind = "member"
	RoleCustom RoleKind = "custom"
)

// May reports whether the role allows p.
func (r *Role) May(p Permission) bool {
	if r.Kind == RoleOwner {
		return true
	}
	for _, known := range Permissions { // a permission that the program no longer has allows nothing
		if known.Permission == p {
			return r.Kind == RoleAdmin || r.Kind == RoleMember && known.Members || r.Kind == RoleCustom && slices.Contains(r.Permissions, p)
		}
	}
	return false
}

// Covers reports whether the role allows all that other does. Members can't assign
// or remove a role that their own does not cover.
func (r *Role) Covers(other *Role) bool {
	if other.Kind == RoleOwner {
		return r.Kind == RoleOwner
	}
	return !slices.ContainsFunc(other.allowed(), func(p Permission) bool { return !r.May(p) })
}

// allowed lists the grantable permissions that the role allows.
func (r *Role) allowed() []Permission {
	var allowed []Permission
	for _, known := range Permissions {
		if r.May(known.Permission) {
			allowed = append(allowed, known.Permission)
		}
	}
	return allowed
}

// Label describes what the role allows.
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
		return "View only"
	}
	return strings.Join(words, ". ")
}
