package text_test

import (
	"strings"
	"testing"

	"vestibule/app/text"
)

func TestSlug(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Acme!":                      "acme",
		"  Größe 42 ":                "grosse-42",
		"Émilie du Châtelet":         "emilie-du-chatelet",
		"E\u0301milie":               "emilie",
		"Søren Łódź & Þór":           "soren-lodz-and-thor",
		"İstanbul, Iğdır":            "istanbul-igdir",
		"ﬁve ½ ＡＢＣ":                  "five-1-2-abc",
		"a__b--c":                    "a-b-c",
		"O'Reilly's":                 "o-reilly-s",
		"Аналитика 7":                "7",
		"🙂":                          "",
		"":                           "",
		strings.Repeat("ab ", 20):    "ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-ab-a",
		strings.Repeat("abc ", 20):   "abc-abc-abc-abc-abc-abc-abc-abc-abc-abc",
		"\x00\xff../../etc/passwd\n": "etc-passwd",
	} {
		if got := text.Slug(name, 40); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}
