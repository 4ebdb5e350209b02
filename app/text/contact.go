package text

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

// HasLink reports whether s has something that a mail program could make a link of, or
// that people would type into a browser: a web or email address or a domain. Mail to
// strangers must not have what their sender chose.
func HasLink(s string) bool {
	s = plainForm(s)
	if strings.Contains(s, "://") || strings.Contains(s, "www.") || schemes.MatchString(s) {
		return true
	}
	for _, name := range dotted.FindAllString(s, -1) {
		if isDomain(name) {
			return true
		}
	}
	return ipv4.MatchString(s)
}

// HasPhone reports whether s has something like a phone number: 7 digits or more, with
// nothing but the usual separators between them. A span of two years is none.
func HasPhone(s string) bool {
	for _, run := range digits.FindAllString(years.ReplaceAllString(plainForm(s), ""), -1) {
		n := 0
		for _, r := range run {
			if unicode.IsDigit(r) {
				n++
			}
		}
		if n >= 7 {
			return true
		}
	}
	return false
}

// ForStranger returns s for a mail to somebody who doesn't know its author, or neutral
// words instead if it has a link or a phone number.
func ForStranger(s, neutral string) string {
	if HasLink(s) || HasPhone(s) {
		return neutral
	}
	return s
}

var (
	schemes = regexp.MustCompile(`\b(https?|hxxps?|ftp|mailto|tel|sms):`)
	dotted  = regexp.MustCompile(`[\p{L}\p{M}\p{N}_-]+(\.[\p{L}\p{M}\p{N}_-]+)+`)
	ipv4    = regexp.MustCompile(`\b\d{1,3}(\.\d{1,3}){3}\b`)
	digits  = regexp.MustCompile(`\p{Nd}((,|[^\p{L}\p{Nd},]{0,3})\p{Nd})*`)
	years   = regexp.MustCompile(`\b(19|20)\d\d\s*[-–/]\s*(19|20)\d\d\b`)
)

// special are the top-level domains that no registry has (RFC 2606, RFC 6761 and others).
var special = map[string]bool{
	"example": true, "test": true, "invalid": true, "localhost": true, "local": true, "internal": true, "onion": true, "arpa": true,
}

// isDomain reports whether name ends in a top-level domain. "J.Smith" and "Node.js" don't.
func isDomain(name string) bool {
	top, err := idna.ToASCII(name[strings.LastIndexByte(name, '.')+1:])
	if err != nil {
		return false
	}
	_, icann := publicsuffix.PublicSuffix("x." + top)
	return icann || special[top]
}

// plainForm undoes other spellings of the same: full-width letters and dots, other
// cases, and characters that nobody sees.
func plainForm(s string) string {
	return strings.NewReplacer("。", ".", "｡", ".").Replace(norm.NFKC.String(Key(s)))
}
