package secrets_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"vestibule/app/secrets"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	a, b := secrets.NewKey("a"), secrets.NewKey("b")
	keys := parse(t, b+", "+a)
	sealed, id, err := keys.Seal([]byte("secret"), "row 1")
	if err != nil || id != "b" || keys.First() != "b" || bytes.Contains(sealed, []byte("secret")) {
		t.Fatal(sealed, id, err)
	}
	if again, _, err := keys.Seal([]byte("secret"), "row 1"); err != nil || bytes.Equal(sealed, again) {
		t.Error("the same secret looks the same", err)
	}
	if plain, err := parse(t, a+","+b).Open(sealed, "b", "row 1"); err != nil || string(plain) != "secret" {
		t.Error(string(plain), err)
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another row": func() ([]byte, error) { return keys.Open(sealed, "b", "row 2") },
		"another key": func() ([]byte, error) { return keys.Open(sealed, "a", "row 1") },
		"an unknown":  func() ([]byte, error) { return keys.Open(sealed, "c", "row 1") },
		"altered":     func() ([]byte, error) { return keys.Open(altered, "b", "row 1") },
		"cut off":     func() ([]byte, error) { return keys.Open(sealed[:10], "b", "row 1") },
	} {
		if plain, err := open(); err == nil {
			t.Errorf("%s opens it: %s", name, plain)
		}
	}
	none := parse(t, " ")
	if _, _, err := none.Seal(nil, ""); !errors.Is(err, secrets.ErrNoKey) || none.First() != "" || none.Has("b") {
		t.Error("there is a key", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	key := secrets.NewKey("a")
	_, encoded, _ := strings.Cut(key, ":")
	for _, list := range []string{encoded, "a:", ":" + encoded, "a b:" + encoded, key + "," + key, "a:" + encoded[:40], strings.Repeat("a", 33) + ":" + encoded, "a:" + encoded + "AAAA"} {
		if _, err := secrets.Parse(list); err == nil || strings.Contains(err.Error(), encoded[:40]) {
			t.Errorf("%s: %v", list, err)
		}
	}
}

func parse(t *testing.T, list string) secrets.Keys {
	t.Helper()
	keys, err := secrets.Parse(list)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
