package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/server"
)

type auditCmd struct {
	Log       auditLogCmd       `cmd:"" help:"Compute the seals of the audit log again, and report the first entry that was changed or follows a missing one."`
	Exposures auditExposuresCmd `cmd:"" help:"Derive the arm of every recorded exposure again from the stored configuration, and report those that differ."`
}

type auditLogCmd struct{ remote }

// Run verifies the log. It fails when an entry is not as it was written.
func (c *auditLogCmd) Run(rt *runtime) error {
	var v server.AuditVerification
	if err := c.call(rt.ctx, http.MethodGet, "/api/v1/audit/verification", "", nil, &v); err != nil {
		return err
	}
	if v.Broken != 0 {
		return fmt.Errorf("entry %d of the audit log was changed, or one before it is missing", v.Broken)
	}
	fmt.Fprintf(rt.out, "%d entries are as they were written; keep the seal of the newest to see later that none was cut off:\n%s\n", v.Entries, v.Hash)
	return nil
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
	var sum server.ExposureAudit
	for _, key := range keys {
		one, err := c.audit(rt, key)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		sum.Checked, sum.Mismatched = sum.Checked+one.Checked, sum.Mismatched+one.Mismatched
	}
	if sum.Mismatched > 0 {
		return fmt.Errorf("%d of %d exposures differ from what the configuration gives", sum.Mismatched, sum.Checked)
	}
	return nil
}

// audit goes through the exposures to one experiment and returns the sum of its
// pages.
func (c *auditExposuresCmd) audit(rt *runtime, key string) (sum server.ExposureAudit, err error) {
	notJudged := map[string]int{}
	told := 0
	page := server.ExposureAudit{More: true}
	for page.More {
		query := url.Values{"version": {strconv.Itoa(page.Version)}, "unit": {page.Unit}}
		path := "/api/v1/experiments/" + url.PathEscape(key) + "/exposures/audit?" + query.Encode()
		page = server.ExposureAudit{}
		if err := c.call(rt.ctx, http.MethodGet, path, "", nil, &page); err != nil {
			return sum, err
		}
		sum.Checked, sum.Matched, sum.Earlier = sum.Checked+page.Checked, sum.Matched+page.Matched, sum.Earlier+page.Earlier
		sum.Mismatched += page.Mismatched
		for _, m := range page.Mismatches {
			if told++; told <= maxToldMismatches {
				fmt.Fprintf(rt.out, "  version %d, unit %s, exposed %s: %s\n", m.Version, m.Unit, m.At.Format(time.RFC3339Nano), m.Why)
			}
		}
		for _, n := range page.NotJudged {
			notJudged[n.Why] += n.Count
		}
	}
	fmt.Fprintf(rt.out, "%s: %d exposures, %d match, %d mismatches, %d not judged\n",
		key, sum.Checked, sum.Matched, sum.Mismatched, sum.Checked-sum.Matched-sum.Mismatched)
	if sum.Earlier > 0 {
		fmt.Fprintf(rt.out, "  %d of those that match were made by a configuration that had been replaced for more than %s\n", sum.Earlier, assignment.AuditSlack)
	}
	for _, why := range slices.Sorted(maps.Keys(notJudged)) {
		fmt.Fprintf(rt.out, "  %d not judged: %s\n", notJudged[why], why)
	}
	return sum, nil
}
