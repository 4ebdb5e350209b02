// Package secrets encrypts what the database must hold and give back, such as the secret
// of an authenticator app, by keys that are not in the database.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// keyBytes is the length of a key: AES-256.
const keyBytes = 32

// Keys encrypts by its first key and decrypts by all. The zero Keys has none.
type Keys struct {
	first string
	byID  map[string]cipher.AEAD
}

// ErrNoKey means that there is no key to encrypt, or none of that id to decrypt.
var ErrNoKey = errors.New("no such key in SECRET_KEYS")

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// Parse reads keys as SECRET_KEYS holds them: ID:KEY, separated by commas, with each KEY
// of 32 bytes in base64. Its errors repeat no key.
func Parse(list string) (Keys, error) {
	keys := Keys{byID: map[string]cipher.AEAD{}}
	for _, pair := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		id, encoded, _ := strings.Cut(pair, ":")
		key, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(encoded), "="))
		if err != nil || len(key) != keyBytes || !keyID.MatchString(id) {
			return Keys{}, errors.New("each key must be ID:KEY, where ID has up to 32 letters, digits, hyphens and underscores, and KEY is 32 bytes in base64")
		}
		if keys.byID[id] != nil {
			return Keys{}, fmt.Errorf("two keys have the ID %s", id)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return Keys{}, err
		}
		if keys.byID[id], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return Keys{}, err
		}
		if keys.first == "" {
			keys.first = id
		}
	}
	return keys, nil
}

// NewKey returns a random key with that id, as Parse reads it.
func NewKey(id string) string {
	key := make([]byte, keyBytes)
	rand.Read(key)
	return id + ":" + base64.StdEncoding.EncodeToString(key)
}

// First returns the id of the key that encrypts, or "" if there is none.
func (k Keys) First() string { return k.first }

// Has reports whether there is a key with that id.
func (k Keys) Has(id string) bool { return k.byID[id] != nil }

// Seal encrypts plain by the first key, and returns its id. Only Open with the same
// context decrypts it, so a sealed value is of no use in another row.
func (k Keys) Seal(plain []byte, context string) (sealed []byte, id string, err error) {
	aead := k.byID[k.first]
	if aead == nil {
		return nil, "", ErrNoKey
	}
	sealed = aead.Seal(nil, nil, plain, []byte(k.first+"\x00"+context)) // #nosec G407 -- the cipher adds a random nonce itself
	return sealed, k.first, nil
}

// Open decrypts what Seal returned with id.
func (k Keys) Open(sealed []byte, id, context string) ([]byte, error) {
	aead := k.byID[id]
	if aead == nil {
		return nil, ErrNoKey
	}
	return aead.Open(nil, nil, sealed, []byte(id+"\x00"+context))
}
