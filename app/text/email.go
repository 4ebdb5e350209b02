package text

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// domains reads the domain of an email address as browsers do (UTS #46, nontransitional).
// Hyphens are checked by isLabel: some real domains have two in the third place.
var domains = idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.BidiRule(), idna.Transitional(false), idna.CheckHyphens(false))

// Email returns an address as it is stored and mailed: as [Line] has it, its domain in
// ASCII (the A-label, RFC 5890). What is no address stays as Line has it.
func Email(s string) string {
	s = Line(s)
	local, domain, found := cutEmail(s)
	if !found || isASCII(domain) || !utf8.ValidString(s) {
		return s
	}
	ascii, err := toASCII(domain)
	if err != nil || ascii == "" {
		return s
	}
	return local + "@" + ascii
}

// toASCII returns the A-labels of a domain. The time that takes grows with the square of
// the length, and no domain has more than 253 characters, of 4 bytes at most.
func toASCII(domain string) (string, error) {
	if len(domain) > 4*253 {
		return "", ErrNoEmail
	}
	return domains.ToASCII(domain)
}

// EmailKey returns what is equal for two spellings of one address.
func EmailKey(s string) string { return Key(Email(strings.ToValidUTF8(s, "\uFFFD"))) }

// EmailSearch returns part of an address as an EmailKey would contain it.
func EmailSearch(s string) string {
	if strings.Contains(s, "@") {
		return EmailKey(s)
	}
	key := Key(Line(s))
	if ascii, err := toASCII(key); err == nil && !isASCII(key) {
		return ascii
	}
	return key
}

// MailboxKey is EmailKey for counting what is sent to somebody: many providers deliver
// "anna+news@" and "an.na@" to "anna@". It must never decide who somebody is, since
// elsewhere these are different people.
func MailboxKey(s string) string {
	local, domain, found := cutEmail(EmailKey(s))
	if !found {
		return EmailKey(s)
	}
	if name, _, _ := strings.Cut(local, "+"); name != "" {
		local = name
	}
	if name := strings.ReplaceAll(local, ".", ""); name != "" {
		local = name
	}
	return local + "@" + domain
}

// ShowEmail returns an address as people read it: its domain in their script, unless
// it could be taken for another one.
func ShowEmail(s string) string {
	local, domain, found := cutEmail(s)
	domain = strings.ToLower(domain)
	if !found || len(domain) > 253 || !strings.Contains(domain, "xn--") {
		return s
	}
	shown, err := domains.ToUnicode(domain)
	if err != nil || !isSafeDomain(shown) {
		return s
	}
	if again, err := toASCII(shown); err != nil || again != domain {
		return s
	}
	return local + "@" + shown
}

// Local returns the part of an address before the @.
func Local(s string) string {
	local, _, _ := cutEmail(s)
	return local
}

// NeedsUTF8 reports whether the part of an address before the @ isn't ASCII. Only mail
// servers with SMTPUTF8 (RFC 6531) can write to it.
func NeedsUTF8(s string) bool { return !isASCII(Local(s)) }

// Errors of CheckEmail.
var (
	ErrLongLocal = errors.New("the part before the @ is too long")
	ErrNoEmail   = errors.New("not an address that mail can reach")
)

// CheckEmail returns an error if no mail can reach an address: if its part before the @
// has more than 64 bytes or all of it more than 254 (RFC 5321, 4.5.3.1), or if its
// domain is no name of the internet with two labels or more. It expects the shape of
// an address.
func CheckEmail(s string) error {
	local, domain, found := cutEmail(Line(s))
	ascii, err := toASCII(domain)
	labels := strings.Split(ascii, ".")
	switch {
	case !found, err != nil, local == "", len(labels) < 2, len(local)+len("@")+len(ascii) > 254, strings.ContainsFunc(local, isUnmailable):
		return ErrNoEmail
	case len(local) > 64:
		return ErrLongLocal
	}
	for _, label := range labels {
		if !isLabel(label) {
			return ErrNoEmail
		}
	}
	if top := labels[len(labels)-1]; len(top) < 2 || strings.Trim(top, "0123456789") == "" {
		return ErrNoEmail
	}
	return nil
}

func isUnmailable(r rune) bool { return unicode.IsSpace(r) || isRefused(r) || isInvisible(r) }

// isLabel reports whether s is one part of a host name (RFC 1123, 2.1).
func isLabel(s string) bool {
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

func cutEmail(s string) (local, domain string, found bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", "", false
	}
	return s[:at], s[at+1:], true
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// lookalikes are the scripts with many letters that look Latin.
var lookalikes = []*unicode.RangeTable{unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee, unicode.Lisu, unicode.Coptic}

// isSafeDomain reports whether each label is of one script, as browsers want it, and a
// label in letters that look Latin stands only below a top-level domain in its script.
func isSafeDomain(domain string) bool {
	labels := strings.Split(domain, ".")
	top := scriptsOf(labels[len(labels)-1])
	for _, label := range labels {
		scripts := scriptsOf(label)
		for name, table := range scripts {
			for _, other := range lookalikes {
				if table == other && top[name] == nil {
					return false
				}
			}
		}
		if len(scripts) > 1 && !isEastAsian(scripts) {
			return false
		}
	}
	return true
}

// isEastAsian reports whether the scripts are those that one Chinese, Japanese or Korean
// text uses, perhaps with Latin.
func isEastAsian(scripts map[string]*unicode.RangeTable) bool {
	for name := range scripts {
		if !strings.Contains("Han Hiragana Katakana Hangul Bopomofo Latin", name) {
			return false
		}
	}
	return scripts["Han"] != nil || scripts["Hiragana"] != nil || scripts["Katakana"] != nil || scripts["Hangul"] != nil
}

// scriptsOf returns the scripts of the letters in label, by name.
func scriptsOf(label string) map[string]*unicode.RangeTable {
	found := map[string]*unicode.RangeTable{}
	for _, r := range label {
		if !unicode.IsLetter(r) {
			continue
		}
		for name, table := range unicode.Scripts {
			if unicode.Is(table, r) {
				found[name] = table
				break
			}
		}
	}
	return found
}
