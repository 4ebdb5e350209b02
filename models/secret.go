package models

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

// secretBytes is the length of a session cookie, a mailed link's token and a
// browser's mark: 256 bits, twice what ASVS 5.0 asks for at least.
const secretBytes = 32

// newSecret makes a secret to hand out, and the SHA-256 of it to store: a copy
// of the database then opens nothing. A plain hash is enough, as 256 random
// bits cannot be guessed.
func newSecret() (secret string, hash []byte) {
	bits := make([]byte, secretBytes)
	rand.Read(bits)
	sum := sha256.Sum256(bits)
	return base64.RawURLEncoding.EncodeToString(bits), sum[:]
}

// hashSecret returns what is stored of secret, and whether it could be one.
func hashSecret(secret string) (hash []byte, ok bool) {
	// The length is checked too: the decoder passes over line breaks.
	bits, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(bits) != secretBytes || len(secret) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return nil, false
	}
	sum := sha256.Sum256(bits)
	return sum[:], true
}
