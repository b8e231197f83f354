package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/splitcast/splitcast/experiment"
)

// action is what commands on one experiment share.
type action struct {
	remote
	Key         string `arg:"" help:"Key of the experiment."`
	Reason      string `help:"Why, for the audit log."`
	BreakFreeze string `help:"Why it must not wait for the end of a freeze window; administrators only."`
}

// do asks the server for the action and prints what changed.
func (a *action) do(rt *runtime, name, arm string) error {
	body, err := json.Marshal(struct {
		Arm         string `json:"arm,omitempty"`
		Reason      string `json:"reason,omitempty"`
		BreakFreeze string `json:"break_freeze,omitempty"`
	}{arm, a.Reason, a.BreakFreeze})
	if err != nil {
		return err
	}
	var answer struct {
		Experiment experiment.Experiment `json:"experiment"`
		Changes    []experiment.Change   `json:"changes"`
	}
	path := "/api/v1/experiments/" + url.PathEscape(a.Key) + "/" + name
	if err := a.call(rt.ctx, http.MethodPost, path, "application/json", body, &answer); err != nil {
		return fmt.Errorf("nothing was changed:\n  %w", err)
	}
	e := &answer.Experiment
	fmt.Fprintf(rt.out, "%s (version %d, %s)\n", e.Key, e.Version, e.Status)
	for _, ch := range answer.Changes {
		fmt.Fprintln(rt.out, changeLine(ch))
	}
	return nil
}

type shipCmd struct {
	action
	Arm string `required:"" help:"Key of the arm that everyone gets."`
}

// Run ships the arm.
func (c *shipCmd) Run(rt *runtime) error { return c.do(rt, "ship", c.Arm) }

type removeCmd struct{ action }

// Run removes the shipped arm.
func (c *removeCmd) Run(rt *runtime) error { return c.do(rt, "remove", "") }

type restartCmd struct{ action }

// Run restarts the experiment.
func (c *restartCmd) Run(rt *runtime) error { return c.do(rt, "restart", "") }
