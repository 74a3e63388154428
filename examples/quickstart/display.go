package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	terminal "golang.org/x/term"

	"github.com/hotseat-go/hotseat/lease"
)

const (
	framePeriod = 100 * time.Millisecond
	minHeight   = 12 // of a terminal that has room for the table and some events
)

// display shows the journal on standard output: as a table that is redrawn in
// place below the events, as the events alone when that is no terminal, or as
// JSON lines. Its goroutine is the only one that prints while the story runs.
type display struct {
	journal *journal
	unread  func() // called when standard output is closed
	json    bool
	live    bool
	paint   painter
	board   *board
	shown   int // events
	drawn   int // lines of the table now on the screen
	done    chan struct{}
	running sync.WaitGroup
}

func startDisplay(j *journal, o options, timing lease.Timing, unread func()) *display {
	tty := terminal.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("TERM") != "dumb"
	_, height, _ := terminal.GetSize(int(os.Stdout.Fd()))
	d := &display{
		journal: j, unread: unread, json: o.json,
		live:  tty && !o.json && height >= minHeight,
		paint: painter(tty && os.Getenv("NO_COLOR") == ""),
		board: newBoard(timing.RenewDeadline),
		done:  make(chan struct{}),
	}
	if !o.json {
		fmt.Printf("Lease %v, renew deadline %v, retry %v (library defaults: %v, %v, %v)\n",
			timing.LeaseDuration, timing.RenewDeadline, timing.RetryPeriod,
			lease.DefaultLeaseDuration, lease.DefaultRenewDeadline, lease.DefaultRetryPeriod)
	}
	d.running.Go(d.run)
	return d
}

func (d *display) run() {
	ticker := time.NewTicker(framePeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			d.frame()
		case <-d.done:
			d.frame()
			return
		}
	}
}

// stop shows what is left.
func (d *display) stop() {
	close(d.done)
	d.running.Wait()
}

// audit shows the outcome, below everything else.
func (d *display) audit(r report) {
	if d.json {
		_ = json.NewEncoder(os.Stdout).Encode(struct {
			At   int64 `json:"at"`
			Kind kind  `json:"event"`
			report
		}{now(), "audit", r})
		return
	}
	fmt.Println()
	for _, line := range r.lines() {
		fmt.Println(line)
	}
}

// frame shows the events since the last one, in one write so that nothing
// flickers.
func (d *display) frame() {
	events, _ := d.journal.since(d.shown)
	d.shown += len(events)
	var out bytes.Buffer
	if d.json {
		_ = encodeEvents(&out, events) // a buffer takes everything
	} else {
		d.draw(&out, events)
	}
	if _, err := os.Stdout.Write(out.Bytes()); err != nil {
		d.unread()
	}
}

// draw writes the events over the table, and the table below them.
func (d *display) draw(out *bytes.Buffer, events []event) {
	width := 0
	if d.live {
		columns, _, _ := terminal.GetSize(int(os.Stdout.Fd()))
		width = max(0, columns-1) // the last column is where terminals differ
		if d.drawn > 0 {
			fmt.Fprintf(out, "\x1b[%dA", d.drawn)
		}
	}
	for _, e := range events {
		d.board.apply(e)
		if line := d.event(e); line != "" {
			d.line(out, line, width)
		}
	}
	if d.live {
		table := d.board.lines(now(), d.paint)
		for _, line := range table {
			d.line(out, line, width)
		}
		d.drawn = len(table)
	}
}

func (d *display) event(e event) string {
	if e.Kind == kindAct {
		return d.paint.bold(e.Text)
	}
	text := describe(e)
	if text == "" {
		return ""
	}
	text = fmt.Sprintf("%7.2fs  %s", time.Duration(e.At-d.board.began).Seconds(), text)
	if e.Kind == kindRefused || e.Kind == kindFault {
		text = d.paint.bold(text)
	}
	return text
}

// line writes over whatever stands on its line. A line that wrapped would
// scroll the table away, so long ones are cut; the events file has them whole.
func (d *display) line(out *bytes.Buffer, text string, width int) {
	out.WriteString(cut(text, width))
	if d.live {
		out.WriteString("\x1b[K")
	}
	out.WriteByte('\n')
}

// cut shortens text to width columns, not counting what only colours it; 0 is
// no limit.
func cut(text string, width int) string {
	columns := 0
	escape := false
	for i, r := range text {
		switch {
		case escape:
			escape = r != 'm'
		case r == '\x1b':
			escape = true
		case width > 0 && columns == width:
			return text[:i] + strings.Repeat("\x1b[0m", min(1, strings.Count(text, "\x1b[0m")))
		default:
			columns++
		}
	}
	return text
}

func encodeEvents(w io.Writer, events []event) error {
	encoder := json.NewEncoder(w)
	for _, e := range events {
		if err := encoder.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

func writeEvents(path string, events []event) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = encodeEvents(file, events)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	return err
}
