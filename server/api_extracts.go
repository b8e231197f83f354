package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/extract"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
)

// looksPerRead is how many looks are in memory while cells are written: each has
// up to a few hundred, some with histograms.
const looksPerRead = 20

// ExtractInPath is the part of an input that names a file; exported, because huma
// sees no other embedded fields.
type ExtractInPath struct {
	KeyInPath
	Format string `query:"format" enum:"csv,ndjson,parquet" default:"csv" doc:"how the rows are written"`
	Look   int    `query:"look" minimum:"0" doc:"as of this look; 0 or absent: the newest"`
}

type cellsInput struct {
	ExtractInPath
	All bool `query:"all" doc:"the totals of all looks up to that one"`
}

// extractAPI serves what was measured as files.
func (s *Server) extractAPI(api huma.API) {
	serve(s, api, extractOperation("outcomes", "The outcomes of the units as a file: one row a unit and window. Units are pseudonyms: HMAC-SHA-256 of the id with the experiment's salt, 32 hex digits"), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *ExtractInPath) (*huma.StreamResponse, error) {
			return s.extract(ctx, in, "outcomes", extract.OutcomeColumns(), s.writeOutcomes)
		})
	serve(s, api, extractOperation("cells", "The cells of a look as a file: the moments that every number of the report is made of"), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *cellsInput) (*huma.StreamResponse, error) {
			return s.extract(ctx, &in.ExtractInPath, "cells", extract.CellColumns(), func(ctx context.Context, x *extraction) error {
				return s.writeCells(ctx, x, in.All)
			})
		})
	serve(s, api, extractOperation("looks", "The looks as a file: one row a look and arm, with the units counted"), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *ExtractInPath) (*huma.StreamResponse, error) {
			return s.extract(ctx, in, "looks", extract.LookColumns(), s.writeLooks)
		})
	notebook := operation(http.MethodGet, "/experiments/{key}/notebook", "get-notebook", "A Jupyter notebook that computes the primary effects again from the file of outcomes", experiment.ScopeRead)
	notebook.Responses = map[string]*huma.Response{"200": {
		Description: "OK", Content: map[string]*huma.MediaType{"application/x-ipynb+json": {Schema: &huma.Schema{Type: huma.TypeObject}}},
	}}
	serve(s, api, notebook, experiment.ScopeRead, s.notebook)
}

func extractOperation(what, summary string) huma.Operation {
	op := operation(http.MethodGet, "/experiments/{key}/"+what, "export-"+what, summary, experiment.ScopeRead)
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{}}}
	for _, f := range []extract.Format{extract.CSV, extract.NDJSON, extract.Parquet} {
		schema := &huma.Schema{Type: huma.TypeString}
		if f == extract.Parquet {
			schema.Format = "binary"
		}
		op.Responses["200"].Content[f.MediaType()] = &huma.MediaType{Schema: schema}
	}
	return op
}

// extraction is a file while it is written.
type extraction struct {
	exp  *experiment.Experiment
	look int // the newest that is in it; 0: there is none yet
	rows *extract.Rows
	out  extract.Writer
	row  []extract.Value
}

func (x *extraction) run() postgres.Run {
	return postgres.Run{ExperimentID: x.exp.ID, Version: x.exp.Version}
}

// extract answers with a file that write fills.
func (s *Server) extract(ctx context.Context, in *ExtractInPath, what string, columns []extract.Column, write func(context.Context, *extraction) error) (*huma.StreamResponse, error) {
	exp, err := s.db.Get(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	newest, _, err := s.db.NewestLook(ctx, exp.ID, exp.Version)
	if err != nil {
		return nil, err
	}
	if in.Look > newest.Number {
		return nil, experiment.Errorf(experiment.CodeNotFound, "look", "there is no look %d; the newest is %d", in.Look, newest.Number)
	}
	x := &extraction{exp: &exp, look: in.Look, rows: extract.NewRows(&exp)}
	if x.look == 0 {
		x.look = newest.Number
	}
	format := extract.Format(in.Format)
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", format.MediaType())
		hctx.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", exp.Key+"-"+what+"."+in.Format))
		_, w := humachi.Unwrap(hctx)
		x.out, err = extract.New(format, &slowWriter{w: w, ctl: http.NewResponseController(w), wall: s.wall}, columns)
		if err == nil {
			err = write(hctx.Context(), x)
		}
		if err == nil {
			err = x.out.Close()
		}
		if err != nil {
			// The status is out; breaking the connection tells the client that the
			// file is not whole.
			_ = s.describeContext(hctx.Context(), "GET /experiments/{key}/"+what, err) // logs it; nobody can be told
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// slowWriter gives each write a time limit of its own: a file outlives the
// server's limit for answers, but a client that stops reading does not hold it.
type slowWriter struct {
	w    io.Writer
	ctl  *http.ResponseController
	wall func() time.Time
}

// Write writes within WriteTimeout.
func (s *slowWriter) Write(b []byte) (int, error) {
	_ = s.ctl.SetWriteDeadline(s.wall().Add(WriteTimeout)) // what cannot have one is a test's recorder
	return s.w.Write(b)
}

func (s *Server) writeOutcomes(ctx context.Context, x *extraction) error {
	return s.db.Outcomes(ctx, x.run(), x.look, func(o *postgres.FixedOutcome) error {
		var err error
		if x.row, err = x.rows.Outcome(x.row[:0], o.Window, o.Look, &o.Outcome, o.Observed); err != nil {
			return err
		}
		return x.out.Write(x.row)
	})
}

func (s *Server) writeCells(ctx context.Context, x *extraction, all bool) error {
	from := x.look
	if all {
		from = 1
	}
	return s.eachLook(ctx, x, from, func(l *metrics.Look) error {
		for i := range l.Cells {
			var err error
			if x.row, err = x.rows.Cell(x.row[:0], l, &l.Cells[i]); err != nil {
				return err
			}
			if err := x.out.Write(x.row); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Server) writeLooks(ctx context.Context, x *extraction) error {
	return s.eachLook(ctx, x, 1, func(l *metrics.Look) error {
		for i := range l.Arms {
			x.row = x.rows.Look(x.row[:0], l, &l.Arms[i])
			if err := x.out.Write(x.row); err != nil {
				return err
			}
		}
		return nil
	})
}

// eachLook calls do for the looks from number from on to the extraction's.
func (s *Server) eachLook(ctx context.Context, x *extraction, from int, do func(*metrics.Look) error) error {
	for from = max(from, 1); from <= x.look; from += looksPerRead {
		var numbers []int
		for n := from; n < from+looksPerRead && n <= x.look; n++ {
			numbers = append(numbers, n)
		}
		looks, err := s.db.Looks(ctx, x.exp.ID, x.exp.Version, numbers)
		if err != nil {
			return err
		}
		for i := range looks {
			if err := do(&looks[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// notebook makes the notebook of a report's primary rows.
func (s *Server) notebook(ctx context.Context, _ string, in *reportInput) (*fileOutput, error) {
	r, err := s.report(ctx, in)
	if err != nil {
		return nil, err
	}
	catalogue, err := s.db.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	exp, err := s.db.Get(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	arms := r.Head.Arms
	n := extract.Notebook{
		Experiment: r.Head.Key, Version: r.Head.Version, Look: r.Head.Look, Control: arms[0].Key,
		ExcludeSuspected: exp.Plan.Suspects == experiment.SuspectsExclude,
	}
	for i := range r.Primary {
		row := &r.Primary[i]
		if d, ok := catalogue.LookupVersion(row.Metric.Key, row.Metric.Version); ok {
			n.Rows = append(n.Rows, extract.NotebookRow{
				Metric: d, Arm: row.ArmKey, Alpha: row.Explain.Alpha, NOpt: row.Explain.NOpt,
				Unequal: arms[0].Weight != arms[row.Arm].Weight,
			})
		}
	}
	body, err := n.JSON()
	if err != nil {
		return nil, err
	}
	return &fileOutput{"application/x-ipynb+json", fmt.Sprintf("attachment; filename=%q", r.Head.Key+".ipynb"), body}, nil
}
