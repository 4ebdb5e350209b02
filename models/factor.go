package models

import (
	"context"
	"slices"
	"time"
)

// Factor is a way in which a user proves who they are.
type Factor string

// The factors.
const (
	FactorPassword Factor = "password"
	FactorEmail    Factor = "email"   // a mailed link
	FactorPasskey  Factor = "passkey" // with user verification, so it counts as two
)

// Proof is a factor that a browser has proved.
type Proof struct {
	Factor Factor    `json:"factor"`
	At     time.Time `json:"at"`
}

// Factors says by what a user can prove who they are.
type Factors struct {
	Password bool
}

// Factors returns by what u can prove who they are.
func (db *DB) Factors(_ context.Context, u *User) (Factors, error) {
	return Factors{Password: u.PasswordHash != ""}, nil
}

// SecondFactor reports whether a password or a mailed link alone doesn't sign the user in.
func (f Factors) SecondFactor() bool { return false }

// SatisfiedBy reports whether a session may begin after these proofs: that is the whole
// policy of signing in.
func (f Factors) SatisfiedBy(proofs []Proof) bool {
	proved := func(factors ...Factor) bool {
		return slices.ContainsFunc(proofs, func(p Proof) bool { return slices.Contains(factors, p.Factor) })
	}
	return proved(FactorPasskey) || proved(FactorPassword, FactorEmail) && !f.SecondFactor()
}
