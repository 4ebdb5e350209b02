package text

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// plainLetters are letters that no normal form takes apart.
var plainLetters = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "ð", "d", "þ", "th", "đ", "d", "ħ", "h", "ı", "i", "ł", "l", "ŧ", "t", "&", " and ")

// Slug returns s as a part of a URL, of at most that many lower-case letters a to z, digits
// and hyphens: letters of Latin scripts lose their accents, and everything else becomes a
// hyphen. It may be empty.
func Slug(s string, most int) string {
	var slug strings.Builder
	for _, r := range norm.NFKD.String(plainLetters.Replace(strings.ToLower(norm.NFC.String(s)))) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			slug.WriteRune(r)
		case r < 0x300 || r > 0x36F: // not an accent
			slug.WriteByte('-')
		}
	}
	parts := strings.FieldsFunc(slug.String(), func(r rune) bool { return r == '-' })
	whole := strings.Join(parts, "-")
	return strings.TrimRight(whole[:min(most, len(whole))], "-")
}
