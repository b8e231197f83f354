package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/intake"
	"github.com/splitcast/splitcast/metrics"
)

// importCmd is the command line of import.
type importCmd struct {
	remote
	Key  string `arg:"" help:"Key of the experiment, which must run: its plan comes first."`
	File string `arg:"" optional:"" help:"Rows as CSV, the first line naming the columns, or as NDJSON; may be gzipped."`
	What string `default:"outcomes" enum:"outcomes,exposures,sessions,events" help:"outcomes: a unit, its arm and what it did; exposures: a unit, its arm and when, of which the sessions tell what it did; sessions: the last heartbeat of each, with the time at which it began; events: a unit, the name and id of what happened to it, when, and perhaps a value."`

	Unit    string            `placeholder:"COL" help:"Column of the unit; default unit."`
	Arm     string            `placeholder:"COL" help:"Column of the arm's key; default arm."`
	At      string            `placeholder:"COL" help:"Column of when the unit was exposed, the session began or the event happened; default at. RFC 3339, or seconds or milliseconds since 1970. Outcomes need none."`
	Session string            `placeholder:"COL" help:"Of exposures, the column of the session that joins players without viewer ids."`
	Window  string            `default:"day" help:"Of outcomes, the window that quantities are of: first, day, return_d1, return_d7 or return_K_L; values of metrics have the window of their metric."`
	Field   map[string]string `mapsep:"none" placeholder:"WHAT=COL" help:"Column of a base quantity (watch_ms=COL), of a metric's value (value:METRIC=COL), of a custom quantity (event:NAME, event_value:NAME, measure:NAME, stream_measure:NAME, funnel:METRIC), of a base quantity before the exposure (past:watch_ms=COL), of an attribute (attr:country=COL), of a heartbeat's field, or of an event's name, id, value or unit_type, repeatable. A column whose own name is one of these needs none."`

	Close    bool   `help:"After the file, or without one: make the outcomes of imported exposures from their sessions. All of both must be here: an outcome is never changed."`
	Cursor   string `type:"path" placeholder:"FILE" help:"Where to keep how far the import is; default FILE.cursor. Running the same command again goes on from there."`
	Rejected string `type:"path" placeholder:"FILE" help:"Where to write rows that were not taken, with the reason; default FILE.rejected."`
	Restart  bool   `help:"Begin anew, whatever the cursor says. What is there stays as it is."`
}

// Run imports the file.
func (c *importCmd) Run(rt *runtime) error {
	if c.File == "" && !c.Close {
		return experiment.Invalidf("file", "name the file to import")
	}
	if c.File != "" {
		if err := c.importFile(rt); err != nil {
			return err
		}
	}
	if !c.Close {
		return nil
	}
	var answer struct{ Outcomes, Pending int }
	if err := c.call(rt.ctx, http.MethodPost, c.address()+"/close", "", nil, &answer); err != nil {
		return fmt.Errorf("the import was not closed:\n  %w", err)
	}
	fmt.Fprintf(rt.out, "%d outcomes were made of sessions; %d windows are not over yet\n", answer.Outcomes, answer.Pending)
	return nil
}

func (c *importCmd) address() string {
	return "/api/v1/experiments/" + url.PathEscape(c.Key) + "/imports"
}

// target names where rows go and how they are read: a cursor holds for one.
func (c *importCmd) target() string {
	parts := []string{strings.TrimSuffix(c.Server, "/"), c.Key, c.What, c.Unit, c.Arm, c.At, c.Session, c.Window}
	for _, field := range slices.Sorted(maps.Keys(c.Field)) {
		parts = append(parts, field+"="+c.Field[field])
	}
	return strings.Join(parts, " ")
}

func (c *importCmd) importFile(rt *runtime) error {
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open rows: %w", err)
	}
	defer file.Close()
	head, err := intake.Open(file)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.File, err)
	}
	plan, err := intake.NewPlan(intake.What(c.What), head.Columns(), intake.Mapping{
		Unit: c.Unit, Arm: c.Arm, At: c.At, Session: c.Session, Window: metrics.Window(c.Window), Fields: c.Field,
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", c.File, err)
	}
	if unused := plan.Unused(); len(unused) > 0 {
		fmt.Fprintf(rt.errs, "columns that are not imported: %s\n", strings.Join(unused, ", "))
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	survey, err := intake.TakeSurvey(file, plan)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.File, err)
	}
	if survey.Crossed > 0 {
		fmt.Fprintf(rt.errs, "%d units are in two arms: they are counted, and in no outcome\n", survey.Crossed)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	rows, err := intake.Open(file)
	if err != nil {
		return err
	}
	s := importing{cmd: c, rt: rt, plan: plan, survey: survey, rows: rows, cursorPath: c.Cursor, rejectedPath: c.Rejected}
	return s.run()
}
