package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/intake"
)

// importing is one import under way.
type importing struct {
	cmd          *importCmd
	rt           *runtime
	plan         *intake.Plan
	survey       *intake.Survey
	rows         *intake.Rows
	cursor       intake.Cursor
	cursorPath   string
	rejectedPath string
	rejected     *os.File
	batch        importRows
	began        time.Time
	beganAt      int64 // rows
	shown        time.Time
	told         int // rows not taken, of those shown
}

// importRows are rows on their way.
type importRows struct {
	records []json.RawMessage
	rows    []intake.Row // of the records
	bytes   int
	read    int64 // rows, those included that make no record
	line    int64
	faults  []rejectedRow
}

// rejectedRow is a line of the file of rejected rows.
type rejectedRow struct {
	intake.Fault

	Row *intake.Row `json:"row,omitempty"`
}

// Sizes of a batch: less than the server takes at once.
const (
	importBatchRows  = 2_000
	importBatchBytes = 800 << 10
)

func (s *importing) run() error {
	if err := s.begin(); err != nil {
		return err
	}
	if s.cursor.Done {
		return s.end("was imported before")
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	if s.cursor.Rows == 0 {
		flags |= os.O_TRUNC
	}
	var err error
	if s.rejected, err = os.OpenFile(s.rejectedPath, flags, 0o600); err != nil {
		return fmt.Errorf("open the file of rejected rows: %w", err)
	}
	err = s.send()
	if closeErr := s.rejected.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("stopped after row %d of %d; the same command goes on from there:\n  %w", s.cursor.Rows, s.survey.Rows, err)
	}
	s.cursor.Done = true
	if err := s.cursor.Write(s.cursorPath); err != nil {
		return err
	}
	if s.cursor.Rejected == 0 {
		if err := os.Remove(s.rejectedPath); err != nil {
			return err
		}
	}
	return s.end("imported")
}

// begin reads the cursor.
func (s *importing) begin() error {
	if s.cursorPath == "" {
		s.cursorPath = s.cmd.File + ".cursor"
	}
	if s.rejectedPath == "" {
		s.rejectedPath = s.cmd.File + ".rejected"
	}
	s.began = wallClock().Now()
	s.shown = s.began
	if !s.cmd.Restart {
		var err error
		if s.cursor, err = intake.ReadCursor(s.cursorPath); err != nil {
			return err
		}
	}
	target := s.cmd.target()
	if !s.cursor.Continues(s.survey.Hash, target) {
		return experiment.Errorf(experiment.CodeConflict, "cursor",
			"%s is of another file, experiment or reading of the columns; give another one, or --restart", s.cursorPath)
	}
	s.cursor.File, s.cursor.Target, s.beganAt = s.survey.Hash, target, s.cursor.Rows
	return nil
}

// send reads and sends the rows behind the cursor.
func (s *importing) send() error {
	sent := s.cursor.Rows
	for at := int64(0); ; at++ {
		row, err := s.rows.Next()
		if errors.Is(err, io.EOF) {
			return s.flush()
		}
		fault, bad := errors.AsType[*intake.Fault](err)
		if err != nil && !bad {
			return err
		}
		if at < sent {
			continue
		}
		if err := s.add(row, fault); err != nil {
			return err
		}
	}
}

// add adds a row to the batch, and sends it when it is full.
func (s *importing) add(row intake.Row, fault *intake.Fault) error {
	b := &s.batch
	var record json.RawMessage
	if fault == nil {
		crossed := false
		if s.survey.Crossed > 0 {
			if unit, _, missing := s.plan.Unit(&row); missing == nil {
				crossed = s.survey.IsCrossed(unit)
			}
		}
		record, fault = s.plan.Record(&row, crossed)
	}
	b.read++
	b.line = row.Line
	if fault != nil {
		b.faults = append(b.faults, rejectedRow{*fault, &row})
	} else {
		b.records, b.rows = append(b.records, record), append(b.rows, row)
		b.bytes += len(record)
	}
	if b.read >= importBatchRows || b.bytes >= importBatchBytes {
		return s.flush()
	}
	return nil
}

// importAnswer is what the server says of a batch.
type importAnswer struct {
	Accepted int64 `json:"accepted"`
	Repeated int64 `json:"repeated"`
	Rejected []struct {
		Index   int    `json:"index"`
		Field   string `json:"field"`
		Message string `json:"message"`
	} `json:"rejected"`
}

// flush sends the batch, writes down what was not taken, and then moves the cursor:
// what is behind it is committed, and whoever stops in between sends the batch again.
func (s *importing) flush() error {
	b := &s.batch
	if b.read == 0 {
		return nil
	}
	var answer importAnswer
	if len(b.records) > 0 {
		body, err := json.Marshal(b.records)
		if err != nil {
			return err
		}
		path := s.cmd.address() + "?with=outcomes"
		switch intake.What(s.cmd.What) {
		case intake.Exposures:
			path = s.cmd.address() + "?with=sessions"
		case intake.Sessions:
			path = "/api/v1/imports/sessions"
		case intake.Events:
			path = s.cmd.address() + "/events"
		case intake.Outcomes:
		}
		if err := s.cmd.call(s.rt.ctx, http.MethodPost, path, "application/json", body, &answer); err != nil {
			return err
		}
	}
	for _, r := range answer.Rejected {
		if r.Index < 0 || r.Index >= len(b.rows) {
			continue // of a server that counts otherwise
		}
		row := &b.rows[r.Index]
		reason := r.Message
		column := s.plan.Column(r.Field)
		if column == "" && r.Field != "" {
			reason = r.Field + ": " + reason
		}
		b.faults = append(b.faults, rejectedRow{intake.Fault{Line: row.Line, Column: column, Reason: reason}, row})
	}
	if err := s.writeRejected(); err != nil {
		return err
	}
	s.cursor.Rows += b.read
	s.cursor.Line = b.line
	s.cursor.Accepted += answer.Accepted
	s.cursor.Repeated += answer.Repeated
	s.cursor.Rejected += b.read - answer.Accepted - answer.Repeated
	if err := s.cursor.Write(s.cursorPath); err != nil {
		return err
	}
	s.batch = importRows{}
	s.progress()
	return nil
}

// shownFaults is how many rows that are not taken are told at once; all of them are
// in the file of rejected rows.
const shownFaults = 5

func (s *importing) writeRejected() error {
	for i := range s.batch.faults {
		f := &s.batch.faults[i]
		if s.told < shownFaults {
			fmt.Fprintln(s.rt.errs, f.Error())
			s.told++
		}
		text, err := json.Marshal(f)
		if err != nil {
			return err
		}
		if _, err := s.rejected.Write(append(text, '\n')); err != nil {
			return fmt.Errorf("write the file of rejected rows: %w", err)
		}
	}
	return nil
}

// progressEvery is how often progress is shown.
const progressEvery = time.Second

func (s *importing) progress() {
	now := wallClock().Now()
	if now.Sub(s.shown) < progressEvery && s.cursor.Rows < s.survey.Rows {
		return
	}
	s.shown = now
	rate := float64(s.cursor.Rows-s.beganAt) / now.Sub(s.began).Seconds()
	fmt.Fprintf(s.rt.errs, "%d of %d rows (%.0f %%), %.0f a second\n",
		s.cursor.Rows, s.survey.Rows, 100*float64(s.cursor.Rows)/float64(s.survey.Rows), rate)
}

// end says what became of the file.
func (s *importing) end(what string) error {
	c := &s.cursor
	fmt.Fprintf(s.rt.out, "%s %s: %d rows, %d accepted, %d there before, %d rejected\n",
		s.cmd.File, what, c.Rows, c.Accepted, c.Repeated, c.Rejected)
	if c.Rejected > 0 {
		fmt.Fprintf(s.rt.out, "the rejected rows are in %s, each with its reason\n", s.rejectedPath)
	}
	return nil
}
