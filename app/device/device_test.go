package device_test

import (
	"regexp"
	"strings"
	"testing"

	"vestibule/app/device"
)

// FuzzName names browsers by what they say. The name goes into pages and into
// mail, so it is no message, no markup and no line of a header.
func FuzzName(f *testing.F) {
	for _, header := range []string{
		"", "curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 14; SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"<script>alert(1)</script>/1.0", "Visit evil.example now/1.0", "https://evil.example/1.0", "a\r\nBcc: eve@evil.example", "\xff\xfe/1.0",
		"((((((", "))))))", "(;;;;;)", "/////", "Mozilla/5.0 (", "\u202egnp.exe/1", "Windows NT", "()", " ", "Version/", "A/ B/ (C/ D",
	} {
		f.Add(header)
	}
	word := `[A-Za-z][A-Za-z0-9 _-]{0,23}`
	plain := regexp.MustCompile(`^(Unknown browser( on ` + word + `)?|` + word + `( on ` + word + `)?)$`)
	f.Fuzz(func(t *testing.T, header string) {
		name := device.Name(header)
		if !plain.MatchString(name) || strings.TrimSpace(name) != name {
			t.Errorf("%q is the device %q", header, name)
		}
		if again := device.Name(header); again != name {
			t.Errorf("%q is the device %q, and asked again %q", header, name, again)
		}
	})
}
