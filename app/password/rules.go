package password

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// Length limits of a password, in code points after [Normalize].
//
// ASVS 5.0 (6.2.1, 6.2.9) asks for at least 8 and for allowing 64 or more. NIST
// SP 800-63B-4 asks for 15 where the password is the only factor. The maximum
// only bounds the work a request can cause.
const (
	MinLength = 8
	MaxLength = 128
)

// Problem is the reason why [Check] refuses a password: a sentence to show to
// the person who chose it.
type Problem string

// The problems Check finds. There are no rules on composition, such as a digit
// and a capital: ASVS 5.0 (6.2.5) and NIST SP 800-63B-4 forbid them.
const (
	ErrInvalid  Problem = "The password contains characters that can't be read. Type it again."
	ErrTooShort Problem = "Use at least 8 characters."
	ErrTooLong  Problem = "Use at most 128 characters."
	ErrCommon   Problem = "This password is too common. Try a few unrelated words."
	ErrPersonal Problem = "Don't use your own name, username or email address in the password."
	ErrSite     Problem = "Don't use the name of this site in the password."
)

// ErrBreached is the problem of a password that is known from a data breach (ASVS 5.0,
// 6.2.12). Check doesn't look for it.
const ErrBreached Problem = "This password has appeared in a data breach. Choose another one."

// SiteWords are words that attackers of this site try first (ASVS 5.0, 6.1.2), in lower
// case. Put your product's names here.
var SiteWords = []string{"vestibule"}

// Error returns the sentence.
func (p Problem) Error() string { return string(p) }

// Check returns the first [Problem] of a new password, or nil. The personal strings are
// the user's names, username and email address.
func Check(pw string, personal ...string) error {
	if !utf8.ValidString(pw) {
		return ErrInvalid
	}
	pw = Normalize(pw)
	n := utf8.RuneCountInString(pw)
	folded := fold(pw)
	switch {
	case n < MinLength:
		return ErrTooShort
	case n > MaxLength:
		return ErrTooLong
	case isCommon(folded):
		return ErrCommon
	}
	for _, word := range SiteWords {
		if strings.Contains(folded, word) {
			return ErrSite
		}
	}
	for _, word := range words(personal) {
		if mentions(folded, word) {
			return ErrPersonal
		}
	}
	return nil
}

// commonList holds the passwords of MinLength or more characters from
// src/passwords.json in the npm package @zxcvbn-ts/language-common 4.1.3 (see
// common.LICENSE): lower-cased, sorted by bytes, one a line. ASVS 5.0 (6.2.4)
// asks for the 3000 most used; these are 17,950.
//
//go:embed common.txt
var commonList string

var common = sync.OnceValue(func() []string { return strings.Fields(commonList) })

// isCommon reports whether the folded, non-empty pw is on the list, or is one
// character repeated or a run of the alphabet or of digits.
func isCommon(pw string) bool {
	if _, listed := slices.BinarySearch(common(), pw); listed {
		return true
	}
	_, size := utf8.DecodeRuneInString(pw)
	return strings.Trim(pw, pw[:size]) == "" ||
		strings.Contains("abcdefghijklmnopqrstuvwxyz", pw) ||
		strings.Contains("01234567890", pw)
}

// shortWord is the length in characters below which a word counts only if no letter stands
// beside it, or a user called Ian could not use "piano" in a passphrase.
const shortWord = 4

// mentions reports whether the folded pw contains word, one of [words].
func mentions(pw, word string) bool {
	if utf8.RuneCountInString(word) >= shortWord {
		return strings.Contains(pw, word)
	}
	for from := 0; ; {
		i := strings.Index(pw[from:], word)
		if i < 0 {
			return false
		}
		start := from + i
		before, _ := utf8.DecodeLastRuneInString(pw[:start])
		after, _ := utf8.DecodeRuneInString(pw[start+len(word):])
		if !isOfWord(before) && !isOfWord(after) { // RuneError, at the ends, isn't
			return true
		}
		_, size := utf8.DecodeRuneInString(pw[start:])
		from = start + size
	}
}

func isOfWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) }

// words returns what a password must not contain: each personal string and the
// local part of each email address, folded. It skips words below 3 characters: "Al" and
// "Li" are words of many a passphrase.
func words(personal []string) []string {
	var list []string
	for _, p := range personal {
		p = fold(strings.TrimSpace(p))
		local, _, _ := strings.Cut(p, "@")
		for _, word := range []string{p, local} {
			if utf8.RuneCountInString(word) >= 3 {
				list = append(list, word)
			}
		}
	}
	return list
}

// fold makes strings that differ only in case or normalization equal.
func fold(s string) string {
	return cases.Fold().String(Normalize(s)) // a Caser isn't safe for concurrent use
}
