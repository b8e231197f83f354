package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/splitcast/splitcast/metrics"
)

type restateCmd struct {
	remote
	Key    string `arg:"" help:"Key of the experiment."`
	Day    string `required:"" help:"Day in UTC, as 2026-11-20, on which the windows closed whose outcomes are made again."`
	Reason string `required:"" help:"Why, for the report and the audit log."`
}

// Run asks the server for the restatement and prints what was made.
func (c *restateCmd) Run(rt *runtime) error {
	body, err := json.Marshal(struct {
		Day    string `json:"day"`
		Reason string `json:"reason"`
	}{c.Day, c.Reason})
	if err != nil {
		return err
	}
	var made metrics.Restatement
	path := "/api/v1/experiments/" + url.PathEscape(c.Key) + "/restatements"
	if err := c.call(rt.ctx, http.MethodPost, path, "application/json", body, &made); err != nil {
		return fmt.Errorf("nothing was changed:\n  %w", err)
	}
	fmt.Fprintf(rt.out, "%s: %d outcomes of %s made again; look %d\n", c.Key, made.Units, made.Day.Format(time.DateOnly), made.Look)
	return nil
}
