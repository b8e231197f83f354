package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/scorecard"
)

// analyzeCmd is the command line of analyze.
type analyzeCmd struct {
	File   string   `arg:"" help:"Comma-separated rows, the first naming the columns; may be gzipped."`
	Arm    string   `required:"" placeholder:"COL" help:"Column of the arm."`
	Unit   string   `placeholder:"COL" help:"Column of the unit; rows of a unit are added up. Without it each row is a unit."`
	Metric []string `required:"" sep:"none" placeholder:"COL:kind[:cap=V][:covariate=COL][:lower]" help:"What to compare, repeatable. Kinds: mean (of units' sums), proportion (of 0 and 1), p95, quantile=0.95, ratio (NUM/DEN:ratio). cap=V limits a mean's units, cap=p99 takes the limit from the data; covariate=COL (of a ratio NUM/DEN) adjusts by a value from before exposure; lower: lower is better."`

	Covariate string `placeholder:"COL" help:"Column of a value of the unit from before it was exposed; adjusts every mean and proportion that has none of its own."`
	Strata    string `placeholder:"COL" help:"Column of a property that units had before, such as the country: arms are compared within its values."`
	Cluster   string `placeholder:"COL" help:"Column of what was randomised when the units are its members, such as the broadcaster: a ratio over clusters, honest with few of them."`

	Control string  `placeholder:"ARM" help:"Control arm; default the arm of the first row."`
	Pairs   bool    `help:"Compare every pair of arms, not only with control."`
	Weights []int64 `placeholder:"W" help:"Planned split, such as 1,1, in the order in which arms appear; default equal."`
	Planned int64   `placeholder:"N" help:"Planned units of all arms, where always-valid intervals are tightest; default those in the file, at least 5000."`
	Alpha   float64 `default:"0.05" help:"Error probability of each interval, two-sided."`
	JSON    bool    `name:"json" help:"Print JSON instead of tables."`
}

// analyzeOptions is a checked command line.
type analyzeOptions struct {
	file  string
	input scorecard.Input
	json  bool
}

// Run prints the scorecard.
func (c *analyzeCmd) Run(rt *runtime) error {
	opts, err := c.options()
	if err != nil {
		return err
	}
	return runAnalyze(rt.ctx, opts, rt.out)
}

// options reads the metrics. It returns an experiment.Error of CodeInvalid.
func (c *analyzeCmd) options() (analyzeOptions, error) {
	in := scorecard.Input{
		ArmColumn: c.Arm, UnitColumn: c.Unit, Control: c.Control, Pairs: c.Pairs,
		Weights: c.Weights, Planned: c.Planned, Alpha: c.Alpha,
		Covariate: c.Covariate, Strata: c.Strata, Cluster: c.Cluster,
	}
	for _, spec := range c.Metric {
		m, err := scorecard.ParseMetric(spec)
		if err != nil {
			return analyzeOptions{}, invalidScorecard(err)
		}
		in.Metrics = append(in.Metrics, m)
	}
	return analyzeOptions{file: c.File, input: in, json: c.JSON}, nil
}

// runAnalyze prints the scorecard of a file. It returns an experiment.Error of
// CodeInvalid for a request that the file cannot answer.
func runAnalyze(ctx context.Context, opts analyzeOptions, out io.Writer) error {
	f, err := os.Open(opts.file)
	if err != nil {
		return fmt.Errorf("open rows: %w", err)
	}
	defer f.Close()
	rows, err := unzipped(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", opts.file, err)
	}
	card, err := scorecard.ReadCSV(ctx, rows, opts.input)
	if err != nil {
		return fmt.Errorf("read %s: %w", opts.file, invalidScorecard(err))
	}
	if !opts.json {
		return card.WriteText(out)
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(card)
}

// invalidScorecard turns an error of package scorecard that the caller can mend
// into one of package experiment.
func invalidScorecard(err error) error {
	if bad, ok := errors.AsType[*scorecard.Error](err); ok {
		return experiment.Invalidf(bad.Field, "%s", bad.Message)
	}
	return err
}

const readBufferBytes = 1 << 16

// unzipped returns the rows of a plain or gzipped file, told apart by the first
// two bytes, since names lie.
func unzipped(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, readBufferBytes)
	magic, err := buffered.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952, section 2.3.1
		// csv.Reader must see a plain Reader: it would adopt a larger buffer.
		return struct{ io.Reader }{buffered}, nil
	}
	return gzip.NewReader(buffered)
}
