// Package text brings what people type into one form, so that two texts that look the
// same are the same. It knows no page.
package text

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Line returns s as every single line is stored, compared and shown: in NFC, without
// characters that nobody sees, and without white space around it. It returns "" if
// nothing visible is left. It leaves what [IsLine] refuses.
func Line(s string) string {
	s = strings.TrimSpace(normal(s))
	switch {
	case strings.ContainsFunc(s, isVisible):
		return strings.TrimFunc(s, isMargin)
	case strings.ContainsFunc(s, isRefused):
		return s
	}
	return ""
}

// Lines is Line for a text of several lines, whose breaks become LF. Browsers send
// CR LF, and some programs paste the separators of Unicode.
func Lines(s string) string {
	return Line(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s))
}

// Key returns what is equal for two texts that differ only in case or in what [Line]
// removes.
func Key(s string) string {
	upper := strings.Map(upperCherokee, normal(strings.ToValidUTF8(s, "\uFFFD")))
	return norm.NFC.String(cases.Fold().String(upper))
}

// upperCherokee returns the upper case of a Cherokee letter and any other rune
// unchanged. cases.Fold swaps the cases of Cherokee letters.
func upperCherokee(r rune) rune {
	if unicode.Is(unicode.Cherokee, r) {
		return unicode.ToUpper(r)
	}
	return r
}

// IsLine reports whether s is one line of text: valid UTF-8 without control characters
// or characters that change the direction of text. PostgreSQL rejects NUL, and mail
// headers reject CR and LF.
func IsLine(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, isRefused) }

// IsLines is IsLine, except that line breaks and tabs are allowed.
func IsLines(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && isRefused(r) })
}

// Printable returns a program's text, such as a header, as Line does, and without
// what IsLine refuses.
func Printable(s string) string {
	return Line(strings.Map(func(r rune) rune {
		if isRefused(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "")))
}

// isMargin reports whether r is dropped at the ends of a text. Programs put the
// characters that change the direction around what one copies.
func isMargin(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Bidi_Control, r) }

func isRefused(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// isVisible reports whether r alone leaves a mark on a page.
func isVisible(r rune) bool {
	return !isInvisible(r) && !unicode.IsSpace(r) && !unicode.In(r, unicode.Z, unicode.C, unicode.Mn, unicode.Me)
}

// isInvisible reports whether r is drawn as nothing, or as an empty cell: the default
// ignorable code points of Unicode and other format characters, and the blank Braille
// pattern.
func isInvisible(r rune) bool {
	switch {
	case r < 0x80:
		return false
	case unicode.Is(unicode.Cf, r):
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && !isEmbedding(r)
	}
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

const brailleBlank = '\u2800'

// isEmbedding reports whether r changes the direction of the characters after it. Text
// that nobody wants to be read backwards has none, so it is refused rather than changed.
func isEmbedding(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// normal returns s in NFC without invisible characters. One that is removed can let its
// neighbors compose, and that can leave a joiner with nothing to join. Only a text made
// to take long needs many passes, and it loses every joiner.
func normal(s string) string {
	for range 4 {
		next := norm.NFC.String(withoutInvisible(s))
		if next == s {
			return s
		}
		s = next
	}
	return norm.NFC.String(strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, s))
}

// withoutInvisible removes the characters that nobody sees, except where they change
// how their neighbors look: joiners in scripts that use them and in emoji, variation
// selectors after what varies, and the tags of a flag.
func withoutInvisible(s string) string {
	if !strings.ContainsFunc(s, isInvisible) || !utf8.ValidString(s) {
		return s
	}
	in := []rune(s)
	out := make([]rune, 0, len(in))
	for i := 0; i < len(in); i++ {
		r := in[i]
		if !isInvisible(r) {
			out = append(out, r)
			continue
		}
		var before, after rune
		if len(out) > 0 {
			before = out[len(out)-1]
		}
		if i+1 < len(in) {
			after = in[i+1]
		}
		switch {
		case isJoiner(r) && joins(before, after), unicode.Is(unicode.Variation_Selector, r) && varies(before, r):
			out = append(out, r)
		case before == blackFlag:
			tags := leadingTags(in[i:])
			if isRegion(tags) {
				out = append(out, tags...)
			}
			i += max(len(tags), 1) - 1
		}
	}
	return string(out)
}

// isJoiner reports whether r is ZWNJ, ZWJ or the Mongolian vowel separator.
func isJoiner(r rune) bool { return r == '\u200c' || r == '\u200d' || r == '\u180e' }

// joining are the scripts in which a joiner changes how letters are drawn, and some
// words are spelled with one.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Mandaic, unicode.Manichaean, unicode.Phags_Pa, unicode.Adlam,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
	unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese,
	unicode.Javanese, unicode.Grantha, unicode.Newa, unicode.Brahmi,
}

// joins reports whether a joiner between the two does something. In Malayalam and
// Sinhala it also ends a word, after a mark.
func joins(before, after rune) bool {
	if isEmoji(before) && isEmoji(after) {
		return true
	}
	return unicode.In(before, joining...) && (unicode.IsMark(before) || unicode.In(after, joining...))
}

// isEmoji reports whether r can stand beside the joiner of an emoji.
func isEmoji(r rune) bool {
	return r >= 0x80 && r != brailleBlank && unicode.In(r, unicode.S, unicode.Variation_Selector)
}

// varies reports whether the variation selector changes how before is drawn. Those for
// emoji also follow digits, for keycaps; those of ideographs are part of names.
func varies(before, selector rune) bool {
	switch {
	case selector == '\ufe0e' || selector == '\ufe0f':
		return isEmoji(before) && !unicode.Is(unicode.Variation_Selector, before) || strings.ContainsRune("0123456789#*‼⁉ℹ〰", before)
	case unicode.Is(unicode.Mongolian, selector) || '\u180b' <= selector && selector <= '\u180f':
		return unicode.Is(unicode.Mongolian, before)
	}
	return unicode.In(before, unicode.Han, unicode.Sm, unicode.Myanmar, unicode.Phags_Pa, unicode.Manichaean)
}

const blackFlag = '🏴'

// leadingTags returns the tags at the start of s.
func leadingTags(s []rune) []rune {
	n := 0
	for n < len(s) && s[n] >= 0xE0020 && s[n] <= endTag {
		n++
	}
	return s[:n]
}

const endTag = 0xE007F

// isRegion reports whether tags after the black flag make it a region's. Any others could
// hide a message.
func isRegion(tags []rune) bool {
	return len(tags) >= 4 && len(tags) <= 7 && slices.Index(tags, endTag) == len(tags)-1
}
