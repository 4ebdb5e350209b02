package text_test

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"vestibule/app/text"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ in, want string }{
		"plain":                       {"Anna Smith", "Anna Smith"},
		"white space around":          {" \t Anna\u00a0\u2003\n", "Anna"},
		"decomposed":                  {"Zoe\u0308", "Zoë"},
		"composed by what is removed": {"Zoe\u200b\u0308", "Zoë"},
		"ZWSP around":                 {"\u200bAnna\u200b", "Anna"},
		"ZWSP inside":                 {"mi\u200bra", "mira"},
		"BOM":                         {"\ufeffAn\ufeffna", "Anna"},
		"word joiner":                 {"An\u2060na", "Anna"},
		"soft hyphen":                 {"An\u00adna", "Anna"},
		"marks of direction":          {"\u200eAn\u200fna\u061c", "Anna"},
		"copied from Windows":         {"\u202aAnna\u202c", "Anna"},
		"isolated":                    {" \u2068Anna\u2069 ", "Anna"},
		"turned around inside":        {"An\u202ena", "An\u202ena"}, // IsLine refuses it
		"turned around alone":         {"\u202e", "\u202e"},         // likewise
		"ZWJ that joins nothing":      {"An\u200dna\u200d", "Anna"},
		"ZWNJ that parts nothing":     {"\u200cAn\u200cna", "Anna"},
		"variation selectors":         {"An\ufe0fn\ufe00a\U000e0100", "Anna"},
		"tags":                        {"Anna\U000e0061\U000e0062\U000e0063\U000e007f", "Anna"},
		"Hangul fillers":              {"\u3164An\uffa0na\u115f\u1160", "Anna"},
		"blank Braille":               {"\u2800Anna\u2800", "Anna"},
		"nothing but ZWSP":            {"\u200b\u200b", ""},
		"nothing but fillers":         {"\u3164 \uffa0 \u2800", ""},
		"nothing but marks":           {"\u0301\ufe0f", ""},
		"nothing but spaces":          {" \u3000 ", ""},
		"Persian with ZWNJ":           {"می\u200cخواهم", "می\u200cخواهم"},
		"Sinhala with ZWJ":            {"ශ්\u200dරී", "ශ්\u200dරී"},
		"Malayalam that ends in ZWJ":  {"അവന്\u200d", "അവന്\u200d"},
		"Hindi with ZWNJ":             {"क्\u200cष", "क्\u200cष"},
		"two joiners":                 {"می\u200c\u200cخواهم", "می\u200cخواهم"},
		"family":                      {"👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		"skin and profession":         {"👩🏽\u200d🚀", "👩🏽\u200d🚀"},
		"heart on fire":               {"❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"},
		"keycap":                      {"1\ufe0f\u20e3", "1\ufe0f\u20e3"},
		"ideograph's variant":         {"葛\U000e0100飾", "葛\U000e0100飾"},
		"flag of England":             {"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f!"},
		"message behind a flag":       {"🏴" + strings.Repeat("\U000e0061", 9) + "\U000e007f", "🏴"},
		"Arabic number sign":          {"\u0600١٢", "\u0600١٢"},
		"old Hangul":                  {"한글", "한글"},
		"line break":                  {"An\nna", "An\nna"}, // IsLine refuses it
		"not UTF-8":                   {"An\u200b\xff", "An\u200b\xff"},
	} {
		if got := text.Line(tt.in); got != tt.want {
			t.Errorf("%s: %+q becomes %+q, want %+q", name, tt.in, got, tt.want)
		}
		if text.IsLine(tt.want) && text.Key(tt.in) != text.Key(tt.want) && strings.TrimSpace(tt.in) == tt.in {
			if !strings.ContainsAny(tt.in, "\u202a\u2068\u3000 ") && tt.want != "" {
				t.Errorf("%s: the keys are %+q and %+q", name, text.Key(tt.in), text.Key(tt.want))
			}
		}
	}
	for _, refused := range []string{"a\nb", "a\tb", "a\x00b", "a\u0085b", "a\u2028b", "a\u202eb", "a\u2066b", "a\xff"} {
		if text.IsLine(refused) {
			t.Errorf("%q is a line", refused)
		}
	}
	if got := text.Lines(" a\u200b\r\n\tb\rc\u2028d \r\n"); got != "a\n\tb\nc\nd" || !text.IsLines(got) || text.IsLines("a\x00") {
		t.Errorf("the lines are %q", got)
	}
	if got := text.Printable("\x1b]0;Fire\u200bfox\x07\xff\u202e/1 "); got != "]0;Firefox/1" {
		t.Errorf("of a header is left %q", got)
	}
}

func TestEmail(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ stored, shown string }{
		"anna@example.com":                   {"anna@example.com", "anna@example.com"},
		" Anna.S@EXAMPLE.com":                {"Anna.S@EXAMPLE.com", "Anna.S@EXAMPLE.com"},
		"mi\u200bra\ufeff@exam\u200bple.com": {"mira@example.com", "mira@example.com"},
		"anna@bücher.example":                {"anna@xn--bcher-kva.example", "anna@bücher.example"},
		"anna@BU\u0308CHER.example":          {"anna@xn--bcher-kva.example", "anna@bücher.example"},
		"anna@XN--BCHER-KVA.example":         {"anna@XN--BCHER-KVA.example", "anna@bücher.example"},
		"anna@straße.example":                {"anna@xn--strae-oqa.example", "anna@straße.example"},
		"anna@例え。jp":                         {"anna@xn--r8jz45g.jp", "anna@例え.jp"},
		"用户@例子.广告":                           {"用户@xn--fsqu00a.xn--4rr70v", "用户@例子.广告"},
		"anna@почта.рф":                      {"anna@xn--80a1acny.xn--p1ai", "anna@почта.рф"},
		"anna@аррӏе.com":                     {"anna@xn--80ak6aa92e.com", "anna@xn--80ak6aa92e.com"}, // all Cyrillic
		"anna@pаypal.com":                    {"anna@xn--pypal-4ve.com", "anna@xn--pypal-4ve.com"},   // one Cyrillic letter
		"anna@r3---x.example":                {"anna@r3---x.example", "anna@r3---x.example"},
		"anna@xn--zzzzzzz-.example":          {"anna@xn--zzzzzzz-.example", "anna@xn--zzzzzzz-.example"},
		"anna":                               {"anna", "anna"},
		"":                                   {"", ""},
	} {
		if got := text.Email(in); got != want.stored || text.ShowEmail(got) != want.shown {
			t.Errorf("%+q is stored as %+q and shown as %+q, want %+q and %+q", in, got, text.ShowEmail(got), want.stored, want.shown)
		}
		if key := text.EmailKey(in); text.EmailKey(key) != key || text.EmailKey(want.shown) != key {
			t.Errorf("%+q has the keys %q, %q and %q", in, key, text.EmailKey(key), text.EmailKey(want.shown))
		}
	}
	for in, want := range map[string]string{
		"An.Na+news+1@Example.com": "anna@example.com",
		"anna@bücher.example":      "anna@xn--bcher-kva.example",
		"+@example.com":            "+@example.com",
		"...@example.com":          "...@example.com",
		"anna.smith":               "anna.smith",
	} {
		if got := text.MailboxKey(in); got != want {
			t.Errorf("the mailbox of %s is %s, want %s", in, got, want)
		}
	}
}

func TestCheckEmail(t *testing.T) {
	t.Parallel()
	domain := "@" + strings.Repeat("h", 63) + "." + strings.Repeat("h", 63) + "." + strings.Repeat("h", 57) + ".com"
	for in, want := range map[string]error{
		"anna@example.com":                          nil,
		"a@b.co":                                    nil,
		strings.Repeat("p", 64) + "@example.com":    nil,
		strings.Repeat("p", 65) + "@example.com":    text.ErrLongLocal,
		strings.Repeat("ü", 32) + "@example.com":    nil,
		strings.Repeat("ü", 33) + "@example.com":    text.ErrLongLocal, // 66 bytes
		strings.Repeat("p", 64) + domain:            nil,               // 254
		strings.Repeat("p", 64) + domain + "m":      text.ErrNoEmail,
		"a@" + strings.Repeat("h", 64) + ".com":     text.ErrNoEmail,
		"a@" + strings.Repeat("ü", 60) + ".example": text.ErrNoEmail, // a longer A-label
		"a@[127.0.0.1]":                             text.ErrNoEmail,
		"a@127.0.0.1":                               text.ErrNoEmail,
		"a@localhost":                               text.ErrNoEmail,
		"a@example.com.":                            text.ErrNoEmail,
		"a@example..com":                            text.ErrNoEmail,
		"a@.example.com":                            text.ErrNoEmail,
		"a@-example.com":                            text.ErrNoEmail,
		"a@example-.com":                            text.ErrNoEmail,
		"a@ex_ample.com":                            text.ErrNoEmail,
		"a@ex~ample.com":                            text.ErrNoEmail,
		"a@example.c":                               text.ErrNoEmail,
		"a@xn--zzzzzzz-.example":                    text.ErrNoEmail,
		"a\u00a0b@example.com":                      text.ErrNoEmail,
		"@example.com":                              text.ErrNoEmail,
		"anna":                                      text.ErrNoEmail,
		"":                                          text.ErrNoEmail,
	} {
		if got := text.CheckEmail(in); !errors.Is(got, want) {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

func TestContact(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ link, phone bool }{
		"Anna Smith":              {},
		"J.R.R. Tolkien":          {},
		"J.Smith":                 {},
		"St.John":                 {},
		"Martin Luther King Jr.":  {},
		"Acme Inc.":               {},
		"Node.js friends":         {},
		"Team .NET":               {},
		"AT&T, 3.50 and 1/2":      {},
		"Beer @ Home":             {},
		"Season 2025/2026":        {},
		"Class of 1999 – 2003":    {},
		"Studio 54, 10115 Berlin": {},
		"You have won 500: prize.example.com/500": {link: true},
		"Look at HTTPS://evil.example":            {link: true},
		"Www.evil.example":                        {link: true},
		"evil.example":                            {link: true},
		"t.co":                                    {link: true},
		"me@t.co":                                 {link: true},
		"pri\u200bze.co\u00adm":                   {link: true},
		"prize．ｃｏｍ":                               {link: true},
		"prize。com":                               {link: true},
		"bücher.рф":                               {link: true},
		"hxxp:evil":                               {link: true},
		"mailto:anna":                             {link: true},
		"192.0.2.1":                               {link: true},
		"Call +1 (555) 010-9999":                  {phone: true},
		"Call ٠١٢٣٤٥٦٧":                           {phone: true},
		"Call ５５５−０１００":                           {phone: true},
		"Won 1,000,000":                           {phone: true},
		"0800 / 123 45 67":                        {phone: true},
		"12345678":                                {phone: true},
		"Call 1·800·555·0199":                     {phone: true},
		"Call 1 ~ 800 | 555 * 0199":               {phone: true},
		"2025-2026, call 2027":                    {},
		"555\u200b0100 and 99":                    {phone: true},
		strings.Repeat("a.b ", 20):                {},
		"Prize at shop.example today, 2024-2025":  {link: true},
		"https\u200b://x":                         {link: true},
		"Crème brûlée · Zoë O’Connor–Łukasz (c/o Li)": {},
	} {
		if link, phone := text.HasLink(in), text.HasPhone(in); link != want.link || phone != want.phone {
			t.Errorf("%q: link %v, phone %v; want %+v", in, link, phone, want)
		}
		shown := text.ForStranger(in, "Someone")
		if (shown == "Someone") != (want.link || want.phone) {
			t.Errorf("%q is %q to a stranger", in, shown)
		}
	}
}

// FuzzLine checks that what is normal stays as it is, and looks like what was typed.
func FuzzLine(f *testing.F) {
	for _, s := range []string{
		"", "Anna", " \u200bZoe\u0308\ufeff", "می\u200cخواهم", "❤\ufe0f\u200d🔥", "\u202aAnna\u202c", "\u0930\u200b\u093c\u200d", "\xff\u200b",
		"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "mi\u200bra@bu\u0308cher.example", "a@XN--BCHER-KVA.example", "\u3164\u2800\u0301",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, normal := range map[string]func(string) string{
			"Line": text.Line, "Lines": text.Lines, "Key": text.Key, "Email": text.Email, "EmailKey": text.EmailKey, "MailboxKey": text.MailboxKey, "Printable": text.Printable,
		} {
			if got := normal(s); normal(got) != got && name != "MailboxKey" {
				t.Errorf("%s of %+q is %+q, and of that %+q", name, s, got, normal(got))
			}
		}
		if key := text.Key(text.Line(s)); utf8.ValidString(s) && strings.TrimSpace(key) == "" && text.Line(s) != "" && text.IsLine(text.Line(s)) {
			t.Errorf("%+q has the key %+q", s, key)
		}
		if email := text.Email(s); text.CheckEmail(s) == nil && (text.CheckEmail(email) != nil || text.EmailKey(text.ShowEmail(email)) != text.EmailKey(s)) {
			t.Errorf("%+q is stored as %+q and shown as %+q", s, email, text.ShowEmail(email))
		}
	})
}

// TestTextThatTakesLong normalizes a text in which each pass would remove one joiner, and
// the marks that then change places leave the next one with nothing to join.
func TestTextThatTakesLong(t *testing.T) {
	t.Parallel()
	marks := "\u200d" + strings.Repeat("\u094d", 29) + "\u0301\u094d"
	got := text.Line("\u0915\u0301" + strings.Repeat(marks, 600))
	if again := text.Line(got); again != got {
		t.Error("the text has no normal form")
	}
	if n := strings.Count(got, "\u200d"); n > 0 {
		t.Errorf("the text has %d joiners, want none", n)
	}
}
