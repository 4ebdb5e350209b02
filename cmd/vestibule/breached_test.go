//go:build linux || darwin || freebsd

package main_test

import (
	"crypto/sha1" // #nosec G505 -- the public lists are of SHA-1
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBreachedPasswordsOfTheProgram builds a filter, with which no command sets a password
// that is in it, and no site starts on half of it.
func TestBreachedPasswordsOfTheProgram(t *testing.T) {
	eachOperator(t, func(o *operator) {
		filter, list := filepath.Join(o.TempDir(), "filter"), filepath.Join(o.TempDir(), "list")
		write(o.T, list, fmt.Sprintf("%X:3\n", sha1.Sum([]byte(oldPassword)))) // #nosec G401 -- as above
		if printed := o.does("breached", "build", filter, "--list", list); !strings.HasPrefix(printed, "Wrote 1 passwords to "+filter) {
			o.Error(printed)
		}
		o.fails("line 1 isn't HASH:COUNT, with a SHA-1", "nothing\n", "breached", "build", filter)
		with := "--breached-passwords=" + filter
		o.creates("anna.smith", "anna@example.com", "Anna", "Smith")
		o.fails("the user was not created:\n"+wasBreached, oldPassword, "users", "create", with, "--username=benjamin", "--email=ben@example.com", "--first-name=Ben", "--last-name=Jones")
		o.fails("the password was not changed:\n"+wasBreached, oldPassword, "users", "set-password", with, "anna.smith")
		o.types(newPassword, "users", "set-password", with, "anna.smith")

		whole, err := os.ReadFile(filter)
		if err != nil {
			o.Fatal(err)
		}
		write(o.T, filter, string(whole[:len(whole)-1]))
		o.fails("BREACHED_PASSWORDS: "+filter+" is no filter of breached passwords: it has another format, or is not whole; vestibule breached build makes one", "", "serve", with, "--addr="+freeAddr(o.T))
		if entries, err := os.ReadDir(filepath.Dir(filter)); len(entries) != 1 || err != nil {
			o.Errorf("files beside the filter: %v (%v)", entries, err)
		}
	})
}

const wasBreached = "Password: This password has appeared in a data breach. Choose another one."
