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

// stretch is how many rows of a table get columns of one width. It waits for
// them, and no more than these are in memory.
const stretch = 1000

// add prints row in JSON, or else the cells.
func (l *list) add(row any, cells ...string) error {
	l.rows++
	if l.json {
		lead := ","
		if l.rows == 1 {
			lead = "["
		}
		fmt.Fprint(l.out, lead) // an error stays until the next call that says so
		return printJSON(l.out, row)
	}
	printCells(l.table, cells...)
	if l.rows%stretch == 0 {
		return l.table.Flush()
	}
	return nil
}

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

// printCells prints a line of a table, in which nothing can act on a terminal.
func printCells(table *tabwriter.Writer, cells ...string) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(table, "\t")
		}
		fmt.Fprint(table, plain(cell))
	}
	fmt.Fprintln(table)
}

// printJSON prints a value on a line. Characters that act on a terminal are
// escaped, which JSON allows for any: what a reader gets is the same.
func printJSON(out io.Writer, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if bytes.ContainsFunc(line, acts) {
		var safe []byte
		for _, r := range string(line) {
			if acts(r) {
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

// plain makes what somebody else wrote safe to print on a terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if acts(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// acts tells whether a terminal does more than to draw r: move, colour, answer,
// or turn the direction of the text around it.
func acts(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// clock says when something was, if ever.
func clock(t time.Time) string {
	if t.IsZero() {
		return "no"
	}
	return t.UTC().Format(time.DateTime)
}
