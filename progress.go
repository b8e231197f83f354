package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/splitcast/splitcast/simulate"
)

// progressLine tells what the demo is doing: one line that is rewritten on a
// terminal, a line now and then elsewhere.
type progressLine struct {
	out      io.Writer
	looks    int
	outcomes int
	last     time.Time // when it was shown
	printed  time.Time // simulated time of the last line that is not a terminal's
	open     bool      // the cursor stands in the line
}

// plainEvery is how much simulated time passes between two lines of a log.
const plainEvery = 24 * time.Hour

func (l *progressLine) show(p simulate.Progress, epoch time.Time, url string) {
	day := int(p.At.Sub(epoch)/(24*time.Hour)) + 1
	days := int(p.To.Sub(epoch)/(24*time.Hour)) + 1
	text := fmt.Sprintf("day %d of %d · %d sessions · %d heartbeats · %d outcomes · %d looks · %s/experiments",
		day, days, p.Sent.Sessions, p.Sent.Heartbeats, l.outcomes, l.looks, url)
	if isTerminal(l.out) {
		l.open = true
		fmt.Fprintf(l.out, "\r\x1b[K%s", text)
		return
	}
	if p.At.Sub(l.printed) >= plainEvery {
		l.printed = p.At
		fmt.Fprintln(l.out, text)
	}
}

// end leaves the line, so that what follows begins on a new one.
func (l *progressLine) end() {
	if l.open {
		l.open = false
		fmt.Fprintln(l.out)
	}
}

// isTerminal reports whether w is a character device, as a terminal is.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}
