package models

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// secretBytes is the length of session tokens, emailed tokens and browser cookies:
// 256 bits, twice the minimum of ASVS 5.0.
const secretBytes = 32

// newSecret returns a random secret to hand out and its SHA-256 to store, so that a
// copy of the database grants no access. A plain hash is enough: 256 random bits
// can't be guessed.
func newSecret() (secret string, hash []byte) {
	bits := make([]byte, secretBytes)
	rand.Read(bits)
	sum := sha256.Sum256(bits)
	return base64.RawURLEncoding.EncodeToString(bits), sum[:]
}

// hashSecret returns the stored hash of secret, and whether secret is well formed.
func hashSecret(secret string) (hash []byte, ok bool) {
	// Check the length too, as the decoder ignores line breaks.
	bits, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(bits) != secretBytes || len(secret) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return nil, false
	}
	sum := sha256.Sum256(bits)
	return sum[:], true
}
