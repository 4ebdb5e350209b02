// Package device names the browser and system that a User-Agent header claims.
package device

import (
	"regexp"

	"github.com/mileusna/useragent"
)

// plainName matches the name of a browser or system that is safe to show. Anything
// longer or stranger could be a message smuggled into a page or mail.
var plainName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _-]{0,23}$`)

// Name describes the browser and system that a User-Agent header names.
func Name(header string) string {
	ua := useragent.Parse(header)
	browser, system := plainName.MatchString(ua.Name), plainName.MatchString(ua.OS)
	switch {
	case browser && system:
		return ua.Name + " on " + ua.OS
	case browser:
		return ua.Name
	case system:
		return "Unknown browser on " + ua.OS
	}
	return "Unknown browser"
}
