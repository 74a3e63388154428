package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// short is a duration for people: 0.4s, 12s, 3m20s, 5h12m, 8d3h.
func short(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	const day = 24 * time.Hour
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%s%.1fs", sign, d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%s%.0fs", sign, d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%s%dm%ds", sign, d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%s%dh%dm", sign, d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%s%dd%dh", sign, d/day, d%day/time.Hour)
}

// since is how long ago t was; "-" if it is not known.
func since(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return short(now.Sub(t))
}

// table writes rows in columns, the first row being the headings.
func table(w io.Writer, indent string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, indent+strings.Join(row, "\t"))
	}
	_ = t.Flush() // w is a terminal, a file or a buffer: nobody reads an error of it
}

// dash is text, or "-" for none.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// wrap breaks text into lines of a width, with an indent for all but the first.
func wrap(text string, width int, indent string) string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case len(line)+1+len(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return strings.Join(append(lines, line), "\n"+indent)
}
