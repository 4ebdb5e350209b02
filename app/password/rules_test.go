package password

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// varied returns n different ASCII characters that no list contains.
func varied(n int) string {
	return strings.Repeat("qZ7#wK2!vX9$", n/12+1)[:n]
}

func TestCheck(t *testing.T) {
	t.Parallel()
	person := []string{"Zoë", "O'Connor", "zconnor77", "z.connor@example.org"}
	tests := map[string]struct {
		pw       string
		personal []string
		want     error
	}{
		"empty":                     {"", nil, ErrTooShort},
		"7 characters":              {varied(7), nil, ErrTooShort},
		"8 characters":              {varied(8), nil, nil},
		"64 characters":             {varied(64), nil, nil},
		"128 characters":            {varied(128), nil, nil},
		"129 characters":            {varied(129), nil, ErrTooLong},
		"7 of 3 bytes":              {"密码是我的生日", nil, ErrTooShort},
		"8 of 3 bytes":              {"密码不是我的生日", nil, nil},
		"7 of 4 bytes":              {"🐎🔋📎🌳🎲🚀🎻", nil, ErrTooShort},
		"8 of 4 bytes":              {"🐎🔋📎🌳🎲🚀🎻🍋", nil, nil},
		"128 of 2 bytes":            {strings.Repeat("éü", 64), nil, nil},
		"129 of 2 bytes":            {strings.Repeat("éü", 64) + "é", nil, ErrTooLong},
		"7 with composing marks":    {"e\u0301u\u0308a\u0300o\u0302i\u0301n\u0303c\u0327", nil, ErrTooShort},
		"8 with composing marks":    {"e\u0301u\u0308a\u0300o\u0302i\u0301n\u0303c\u0327x", nil, nil},
		"128 with composing marks":  {strings.Repeat("e\u0301u\u0308", 64), nil, nil},
		"marks without composition": {"q\u0301q\u0308q\u0300q\u0302", nil, nil}, // 8 code points
		"no composition rules":      {"zuvokelimantra", nil, nil},
		"spaces":                    {"correct horse battery staple", nil, nil},
		"spaces around":             {"  zuvok ", nil, nil},
		"not UTF-8":                 {"zuvokelimantra\xff", nil, ErrInvalid},
		"short and not UTF-8":       {"\xff", nil, ErrInvalid},
		"common":                    {"password1", nil, ErrCommon},
		"common in capitals":        {"PASSWORD1", nil, ErrCommon},
		"common in mixed case":      {"SunShine", nil, ErrCommon},
		"common within":             {"sunshine over Vaduz", nil, nil},
		"one character repeated":    {strings.Repeat("x", 31), nil, ErrCommon},
		"one character, both cases": {"ÉéÉéÉéÉé", nil, ErrCommon},
		"two characters":            {"xyxyxyxyxyxyxyxyxyxyxyxy", nil, nil},
		"part of the alphabet":      {"KLMNOPQR", nil, ErrCommon},
		"digits in order":           {"01234567890", nil, ErrCommon},
		"the site's name":           {"my Vestibule 2026", person, ErrSite},
		"first name":                {"my zoë rocks", person, ErrPersonal},
		"first name in capitals":    {"MY ZOË ROCKS", person, ErrPersonal},
		"first name decomposed":     {"my zoe\u0308 rocks", person, ErrPersonal},
		"first name without accent": {"my zoe rocks", person, nil},
		"last name":                 {"42 o'connors", person, ErrPersonal},
		"username":                  {"ZConnor77!", person, ErrPersonal},
		"email":                     {"z.connor@example.org", person, ErrPersonal},
		"local part of email":       {"not z.connor?", person, ErrPersonal},
		"domain of email":           {"my example.org", person, nil},
		"somebody else's name":      {"my jürgen rocks", person, nil},
		"sharp s":                   {"HAUPTSTRASSE 7", []string{"Hauptstraße"}, ErrPersonal},
		"2 characters are ignored":  {"natural choices", []string{"Al"}, nil},
		"3 characters in a word":    {"piano lantern 27 fog", []string{"Ian"}, nil},
		"3 characters begin a word": {"natural choices", []string{"Nat"}, nil},
		"3 characters end a word":   {"such a dalmatian", []string{"Ian"}, nil},
		"3 characters alone":        {"ian, lantern 27 fog", []string{"Ian"}, ErrPersonal},
		"3 characters at the end":   {"lantern 27 fog IAN", []string{"Ian"}, ErrPersonal},
		"3 characters and digits":   {"lantern 1ian2 fog", []string{"Ian"}, ErrPersonal},
		"3 characters, later alone": {"piano and iana and ian!", []string{"Ian"}, ErrPersonal},
		"3 characters and a mark":   {"lantern ian\u0323 fog", []string{"Ian"}, nil},
		"4 characters in a word":    {"marianne's lantern", []string{"Anne"}, ErrPersonal},
		"short local part in word":  {"piano lantern 27 fog", []string{"ian@example.org"}, nil},
		"2 characters, 4 bytes":     {"schöä klingt es", []string{"öä"}, nil},
		"short local part":          {"natural choices", []string{"al@example.org"}, nil},
		"email of short local part": {"al@example.org", []string{"al@example.org"}, ErrPersonal},
		"space around a name":       {"natural choices", []string{" natural "}, ErrPersonal},
		"empty names":               {"natural choices", []string{"", "  ", "@"}, nil},
		"too short and personal":    {"zoë", person, ErrTooShort},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Check(tt.pw, tt.personal...); !errors.Is(got, tt.want) {
				t.Errorf("Check(%q, %q) = %v, want %v", tt.pw, tt.personal, got, tt.want)
			}
		})
	}
}

func TestCheckEveryCommonPassword(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(commonList, "\n"), "\n")
	if len(lines) < 3000 { // ASVS 5.0, 6.2.4
		t.Errorf("the list has %d passwords, want 3000 or more", len(lines))
	}
	for _, pw := range lines {
		if err := Check(strings.ToUpper(pw)); !errors.Is(err, ErrCommon) {
			t.Errorf("Check(%q) = %v, want ErrCommon", pw, err)
		}
	}
}

func TestProblemsNameTheLimits(t *testing.T) {
	t.Parallel()
	if s := ErrTooShort.Error(); !strings.Contains(s, " "+strconv.Itoa(MinLength)+" ") {
		t.Errorf("%q does not name MinLength", s)
	}
	if s := ErrTooLong.Error(); !strings.Contains(s, " "+strconv.Itoa(MaxLength)+" ") {
		t.Errorf("%q does not name MaxLength", s)
	}
}

func TestStrength(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pw       string
		min, max Score
	}{
		"empty":                  {"", NoScore, NoScore},
		"too short":              {"x7$kQ9!", 0, 0},
		"too long":               {varied(MaxLength + 1), 0, 0},
		"not UTF-8":              {varied(20) + "\xff", 0, 0},
		"common":                 {"password1", 0, 0},
		"personal":               {"Zuvokelimantra 38", 0, 0},
		"word and year":          {"summer2024", 0, 1},
		"word twice":             {"monkeymonkey", 0, 1},
		"word with symbols":      {"P@ssw0rd!23", 0, 1},
		"name with symbols":      {"Zuv0k3limantr@ 1", 0, 3},
		"name, plain":            {"Zuvikelimantra 1", 4, 4},
		"four words":             {"correct horse battery staple", 4, 4},
		"random":                 {"x7$kQ9!mLp2z", 4, 4},
		"random of other script": {"жщ7ъЪфю2ЯэШ", 4, 4},
		"longest":                {varied(MaxLength), 4, 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Strength(tt.pw, "Zuvokelimantra")
			if got < tt.min || got > tt.max {
				t.Errorf("Strength(%q) = %d, want %d to %d", tt.pw, got, tt.min, tt.max)
			}
		})
	}
}

func TestScoreLabel(t *testing.T) {
	t.Parallel()
	want := map[Score]string{
		NoScore: "", 0: "Very weak", 1: "Weak", 2: "Fair", 3: "Good", 4: "Strong", 5: "",
	}
	for score, label := range want {
		if got := score.Label(); got != label {
			t.Errorf("Score(%d).Label() = %q, want %q", score, got, label)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, pw := range []string{
		"", "password1", varied(8), varied(129), "e\u0301\u0323 q\u0301 xyz",
		"\xff", "\x00\x00", "密码不是我的生日", "İıſK 12.05.1987", "4@8({[<369|1!70$5+%2",
	} {
		f.Add(pw, "Al", "jane@example.org")
	}
	f.Fuzz(func(t *testing.T, pw, name, email string) {
		err := Check(pw, name, email)
		if again := Check(Normalize(pw), name, email); !errors.Is(again, err) {
			t.Errorf("Check(%q) = %v, but %v after Normalize", pw, err, again)
		}
		n := utf8.RuneCountInString(Normalize(pw))
		if err == nil && (n < MinLength || n > MaxLength || !utf8.ValidString(pw)) {
			t.Errorf("Check(%q) accepted %d characters", pw, n)
		}
		score := Strength(pw, name, email)
		if (score == NoScore) != (pw == "") || (score.Label() == "") != (pw == "") {
			t.Errorf("Strength(%q) = %d", pw, score)
		}
		if err != nil && score > 0 {
			t.Errorf("Strength(%q) = %d, but Check says %v", pw, score, err)
		}
	})
}

func BenchmarkStrength(b *testing.B) {
	pw := strings.Repeat("qwe7", MaxLength/4) // many overlapping matches
	for b.Loop() {
		Strength(pw)
	}
}
