package passkey

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/google/uuid"
)

//go:embed authenticators.txt
var authenticators string

var names = sync.OnceValue(func() map[uuid.UUID]string {
	names := map[uuid.UUID]string{}
	for line := range strings.Lines(authenticators) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if aaguid, err := uuid.Parse(id); err == nil {
			names[aaguid] = name
		}
	}
	return names
})

// AuthenticatorName returns the name of a kind of authenticator, or "" if it isn't known.
func AuthenticatorName(aaguid uuid.UUID) string { return names()[aaguid] }
