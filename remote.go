package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/report"
)

// remoteTimeout bounds one call of a server.
const remoteTimeout = 60 * time.Second

// maxAnswerBytes bounds what is read of an answer.
const maxAnswerBytes = 64 << 20

// remote is the server that a command talks to.
type remote struct {
	Server string `default:"http://127.0.0.1:8080" env:"SPLITCAST_SERVER" help:"Address of the server."`
	Token  string `env:"SPLITCAST_TOKEN" help:"API key."`
}

// call sends a request and decodes the answer into out. A problem is returned
// as an error with each of its faults.
func (r *remote) call(ctx context.Context, method, path, mediaType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(r.Server, "/")+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	if body != nil {
		req.Header.Set("Content-Type", mediaType)
	}
	client := http.Client{Timeout: remoteTimeout}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("reach the server: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return problemError(res.StatusCode, answer)
	}
	return json.Unmarshal(answer, out)
}

// problemError turns an RFC 9457 answer into an error, one line a fault.
func problemError(status int, answer []byte) error {
	var p struct {
		Detail string `json:"detail"`
		Errors []struct {
			Location string `json:"location"`
			Message  string `json:"message"`
		} `json:"errors"`
	}
	if json.Unmarshal(answer, &p) != nil || p.Detail == "" {
		return fmt.Errorf("the server answered %d %s", status, http.StatusText(status))
	}
	if len(p.Errors) == 0 {
		return errors.New(p.Detail)
	}
	lines := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		lines[i] = strings.TrimPrefix(e.Location+": ", ": ") + e.Message
	}
	return errors.New(strings.Join(lines, "\n  "))
}

type applyCmd struct {
	remote
	File   string `short:"f" required:"" help:"Document in YAML or JSON; - reads standard input."`
	DryRun bool   `help:"Print what would change, and change nothing."`
}

// Run applies the document.
func (c *applyCmd) Run(rt *runtime) error {
	body, err := readInput(c.File)
	if err != nil {
		return err
	}
	mediaType := "application/yaml" // of which JSON is a part
	if filepath.Ext(c.File) == ".json" {
		mediaType = "application/json"
	}
	var answer struct {
		Applied []struct {
			Result     string                `json:"result"`
			Experiment experiment.Experiment `json:"experiment"`
			Changes    []experiment.Change   `json:"changes"`
		} `json:"applied"`
		Holdouts []struct {
			Result  string             `json:"result"`
			Holdout experiment.Holdout `json:"holdout"`
		} `json:"holdouts"`
		Lists []struct {
			Result string `json:"result"`
			Key    string `json:"key"`
			Count  int    `json:"count"`
		} `json:"lists"`
		Freezes []struct {
			Result string            `json:"result"`
			Freeze experiment.Freeze `json:"freeze"`
		} `json:"freezes"`
		Metrics []struct {
			Result string             `json:"result"`
			Metric metrics.Definition `json:"metric"`
		} `json:"metrics"`
	}
	path := "/api/v1/experiments"
	if c.DryRun {
		path += "?dry_run=true"
	}
	if err := c.call(rt.ctx, http.MethodPost, path, mediaType, body, &answer); err != nil {
		return fmt.Errorf("nothing was applied:\n  %w", err)
	}
	for _, m := range answer.Metrics {
		fmt.Fprintf(rt.out, "%s metric %s (version %d)\n", m.Result, m.Metric.Key, m.Metric.Version)
	}
	for _, h := range answer.Holdouts {
		fmt.Fprintf(rt.out, "%s holdout %s (%s, %d slots)\n", h.Result, h.Holdout.Key, h.Holdout.Unit, h.Holdout.Slots)
	}
	for _, l := range answer.Lists {
		fmt.Fprintf(rt.out, "%s list %s (%d ids)\n", l.Result, l.Key, l.Count)
	}
	for _, z := range answer.Freezes {
		fmt.Fprintf(rt.out, "%s freeze window %s (%s to %s)\n", z.Result, z.Freeze.Key, z.Freeze.From.Format(time.RFC3339), z.Freeze.To.Format(time.RFC3339))
	}
	for _, a := range answer.Applied {
		fmt.Fprintf(rt.out, "%s %s (version %d, %s)\n", a.Result, a.Experiment.Key, a.Experiment.Version, a.Experiment.Status)
		for _, ch := range a.Changes {
			fmt.Fprintln(rt.out, changeLine(ch))
		}
	}
	if c.DryRun {
		fmt.Fprintln(rt.out, "dry run: nothing was changed")
	}
	return nil
}

// changeLine writes one difference as people write diffs.
func changeLine(ch experiment.Change) string {
	switch {
	case ch.From == nil:
		return fmt.Sprintf("  + %s: %s", ch.Path, ch.To)
	case ch.To == nil:
		return fmt.Sprintf("  - %s: %s", ch.Path, ch.From)
	}
	return fmt.Sprintf("  ~ %s: %s -> %s", ch.Path, ch.From, ch.To)
}

func readInput(file string) ([]byte, error) {
	if file != "-" {
		return os.ReadFile(file)
	}
	return io.ReadAll(io.LimitReader(os.Stdin, experiment.MaxDocumentBytes+1))
}

type reportCmd struct {
	remote
	Key  string `arg:"" help:"Key of the experiment."`
	Look int    `help:"Number of a past look; 0 is the newest."`
	JSON bool   `name:"json" help:"Print the whole report as JSON."`
}

// Run prints the report.
func (c *reportCmd) Run(rt *runtime) error {
	path := "/api/v1/experiments/" + url.PathEscape(c.Key) + "/report"
	if c.Look != 0 {
		path += fmt.Sprintf("?look=%d", c.Look)
	}
	var raw json.RawMessage
	if err := c.call(rt.ctx, http.MethodGet, path, "", nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		_, err := fmt.Fprintf(rt.out, "%s\n", raw)
		return err
	}
	var r report.Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	fmt.Fprintf(rt.out, "%s (look %d, %d units)\n%s: %s\n", r.Head.Key, r.Head.Look, r.Head.Units, r.Verdict.State, r.Verdict.Sentence)
	for _, rows := range [][]report.Row{r.Guardrails, r.Primary, r.Secondary} {
		for i := range rows {
			fmt.Fprintln(rt.out, " ", rows[i].Words)
		}
	}
	return nil
}
