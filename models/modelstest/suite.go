//go:build linux || darwin || freebsd

package modelstest

import (
	"os"
	"testing"
)

// The tests come in three sizes. What is here decides, and nothing else does:
//
//   - make check runs go test -short: on SQLite alone, and without a browser.
//   - make test runs go test: on both databases, and each flow in a browser once
//     with JavaScript, on SQLite, and once without, on PostgreSQL.
//   - make soak sets SOAK=1: each flow in the whole of Chromium, both ways on both
//     databases, and what takes long, as thousands of connections and a program that dies
//     twenty times.
//
// TEST_DATABASE=sqlite or postgres leaves out the other database. make test uses it for
// packages of app that import sync: with the race detector on PostgreSQL, and without it
// on SQLite, which is translated from C and takes five times as long with it. make soak
// runs everything with it.

// Soaking reports whether the tests run as make soak does.
func Soaking() bool { return os.Getenv("SOAK") != "" }

// leavesOut reports whether tests don't run on a kind of database.
func leavesOut(kind string) bool {
	only := os.Getenv("TEST_DATABASE")
	return kind == "postgres" && testing.Short() || only != "" && kind != only
}

// Soak skips a test that is for make soak alone.
func Soak(t testing.TB) {
	t.Helper()
	if !Soaking() {
		t.Skip("for make soak alone")
	}
}

// InSoak returns soak in make soak, and else usual: how often, or how many.
func InSoak(soak, usual int) int {
	if Soaking() {
		return soak
	}
	return usual
}

// NotShort skips a test that make check leaves out because it needs what.
func NotShort(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skip("make check does without " + what)
	}
}
