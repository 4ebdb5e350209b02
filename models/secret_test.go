package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"vestibule/app/text"
)

// FuzzSecret reads arbitrary text as a secret. Each secret has only one spelling.
func FuzzSecret(f *testing.F) {
	secret, _ := newSecret()
	for _, s := range []string{secret, "", secret[1:], secret + "A", secret + "=", secret[:42] + "B", secret[:21] + "\n" + secret[22:], strings.Repeat("+/", 21) + "A", strings.Repeat("é", 21) + "A"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		hash, ok := hashSecret(secret)
		if !ok {
			if hash != nil {
				t.Errorf("%q is no secret and has the hash %x", secret, hash)
			}
			return
		}
		bits, err := base64.RawURLEncoding.DecodeString(secret)
		if err != nil || len(bits) != secretBytes || base64.RawURLEncoding.EncodeToString(bits) != secret {
			t.Fatalf("%q is taken for a secret, of %d bytes (%v)", secret, len(bits), err)
		}
		if want := sha256.Sum256(bits); !bytes.Equal(hash, want[:]) {
			t.Errorf("the hash of %q is %x, want %x", secret, hash, want)
		}
	})
}

// FuzzSanitize turns arbitrary user agents into text that a database can hold.
func FuzzSanitize(f *testing.F) {
	for _, s := range []string{"", "curl/8.5.0", "\x00", "\xff\xfe", strings.Repeat("é", 400), strings.Repeat("x", 499) + "🐎", "a\x00b\x80c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := sanitize(s, maxUserAgent)
		if !text.IsLine(got) || len(got) > maxUserAgent {
			t.Errorf("%q is cleaned to %q", s, got)
		}
		if len(s) <= maxUserAgent && text.IsLine(s) && text.Line(s) == s && got != s {
			t.Errorf("%q needs no cleaning and becomes %q", s, got)
		}
		if again := sanitize(got, maxUserAgent); again != got {
			t.Errorf("cleaned twice, %q becomes %q", got, again)
		}
	})
}
