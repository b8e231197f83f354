package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/server"
)

type auditCmd struct {
	Exposures auditExposuresCmd `cmd:"" help:"Derive the arm of every recorded exposure again from the stored configuration, and report those that differ."`
}

type auditExposuresCmd struct {
	remote
	Experiment string `help:"Key of one experiment; all without it."`
}

// maxToldMismatches bounds the mismatches printed of one experiment.
const maxToldMismatches = 20

// Run audits. It fails when any exposure is not as the configuration has it.
func (c *auditExposuresCmd) Run(rt *runtime) error {
	keys := []string{c.Experiment}
	if c.Experiment == "" {
		var all struct {
			Experiments []experiment.Experiment `json:"experiments"`
		}
		if err := c.call(rt.ctx, http.MethodGet, "/api/v1/experiments", "", nil, &all); err != nil {
			return err
		}
		keys = nil
		for i := range all.Experiments {
			keys = append(keys, all.Experiments[i].Key)
		}
	}
	wrong := 0
	for _, key := range keys {
		n, err := c.audit(rt, key)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		wrong += n
	}
	if wrong > 0 {
		return fmt.Errorf("%d exposures differ from what the configuration gives", wrong)
	}
	return nil
}

// audit goes through the exposures to one experiment and returns how many differ.
func (c *auditExposuresCmd) audit(rt *runtime, key string) (int, error) {
	checked, wrong, told := 0, 0, 0
	page := server.ExposureAudit{More: true}
	for page.More {
		query := url.Values{"version": {strconv.Itoa(page.Version)}, "unit": {page.Unit}}
		path := "/api/v1/experiments/" + url.PathEscape(key) + "/exposures/audit?" + query.Encode()
		page = server.ExposureAudit{}
		if err := c.call(rt.ctx, http.MethodGet, path, "", nil, &page); err != nil {
			return wrong, err
		}
		checked, wrong = checked+page.Checked, wrong+page.Mismatched
		for _, m := range page.Mismatches {
			if told++; told <= maxToldMismatches {
				fmt.Fprintf(rt.out, "  version %d, unit %s, exposed %s: %s\n", m.Version, m.Unit, m.At, m.Why)
			}
		}
	}
	fmt.Fprintf(rt.out, "%s: %d exposures, %d mismatches\n", key, checked, wrong)
	return wrong, nil
}
