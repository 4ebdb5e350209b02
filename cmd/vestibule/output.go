package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"
)

// list prints rows one by one, as a table or as a JSON array.
type list struct {
	rows  uint // printed so far
	json  bool
	out   *bufio.Writer
	table *tabwriter.Writer
}

func newList(asJSON bool, head ...string) *list {
	out := bufio.NewWriter(os.Stdout)
	l := &list{json: asJSON, out: out, table: newTable(out)}
	if !l.json {
		printCells(l.table, head...)
	}
	return l
}

// tableRows is how many rows share the same column widths. They are held in memory
// until then.
const tableRows = 1000

// add prints row as JSON, or cells as a line of the table.
func (l *list) add(row any, cells ...string) error {
	l.rows++
	if l.json {
		lead := ","
		if l.rows == 1 {
			lead = "["
		}
		fmt.Fprint(l.out, lead) // out keeps an error until Flush
		return printJSON(l.out, row)
	}
	printCells(l.table, cells...)
	if l.rows%tableRows == 0 {
		return l.table.Flush()
	}
	return nil
}

// end completes the output.
func (l *list) end() error {
	switch {
	case !l.json:
		if err := l.table.Flush(); err != nil {
			return err
		}
	case l.rows == 0:
		fmt.Fprintln(l.out, "[]")
	default:
		fmt.Fprintln(l.out, "]")
	}
	return l.out.Flush()
}

func newTable(out io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) }

// printCells prints a line of a table without characters that control a terminal.
func printCells(table *tabwriter.Writer, cells ...string) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(table, "\t")
		}
		fmt.Fprint(table, plain(cell))
	}
	fmt.Fprintln(table)
}

// printJSON prints value as JSON on one line. It escapes characters that control a
// terminal; a JSON parser reads the same value.
func printJSON(out io.Writer, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if bytes.ContainsFunc(line, isControl) {
		var safe []byte
		for _, r := range string(line) {
			if isControl(r) {
				safe = fmt.Appendf(safe, `\u%04x`, r)
			} else {
				safe = utf8.AppendRune(safe, r)
			}
		}
		line = safe
	}
	_, err = out.Write(append(line, '\n'))
	return err
}

// plain replaces the characters of s that control a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// isControl reports whether r controls a terminal instead of being drawn: it moves
// the cursor, sets a color, or changes the direction of text.
func isControl(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// formatTime formats t in UTC, or returns "no" for the zero time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return "no"
	}
	return t.UTC().Format(time.DateTime)
}

// printText prints a text of several lines without characters that control a terminal.
func printText(text string) {
	for line := range strings.Lines(text) {
		fmt.Println(plain(strings.TrimRight(line, "\r\n")))
	}
}
