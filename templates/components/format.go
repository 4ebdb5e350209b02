// Package components draws what pages are made of: forms, fields, lists, panels and
// toasts.
package components

import (
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// steps are the units of TimeUntil. Beyond them it counts days.
var steps = []humanize.RelTimeMagnitude{
	{D: time.Minute, Format: "less than a minute"},
	{D: 2 * time.Minute, Format: "1 minute"},
	{D: time.Hour, Format: "%d minutes", DivBy: time.Minute},
	{D: 2 * time.Hour, Format: "1 hour"},
	{D: 48 * time.Hour, Format: "%d hours", DivBy: time.Hour},
	{D: 1<<63 - 1, Format: "%d days", DivBy: 24 * time.Hour},
}

// TimeUntil says how far off t is, such as "30 days". It rounds by half a minute,
// so that a session of 30 days does not begin with 29.
func TimeUntil(t time.Time) string {
	return strings.TrimSpace(humanize.CustomRelTime(time.Now(), t.Add(30*time.Second), "", "", steps))
}

// Duration says how long d is, in days or else in hours.
func Duration(d time.Duration) string {
	n, unit := int(d.Hours()), "hour"
	if n%24 == 0 {
		n, unit = n/24, "day"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.Itoa(n) + " " + unit
}

// Minutes says how long d is, in minutes.
func Minutes(d time.Duration) string {
	switch n := int(d.Round(time.Minute).Minutes()); n {
	case 0:
		return "less than a minute"
	case 1:
		return "1 minute"
	default:
		return strconv.Itoa(n) + " minutes"
	}
}

// FormatTime writes t for people.
func FormatTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// FormatDate writes the day of t for people.
func FormatDate(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// machineTime writes t for the datetime attribute (RFC 3339).
func machineTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Prefixed puts prefix before text, unless that is empty.
func Prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

func found(rows int, more bool) string {
	switch {
	case rows == 0:
		return "No results."
	case more:
		return "The first " + strconv.Itoa(rows) + " results."
	case rows == 1:
		return "1 result."
	}
	return strconv.Itoa(rows) + " results."
}
