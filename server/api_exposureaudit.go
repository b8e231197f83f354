package server

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// maxMismatches bounds those told in one answer; all are counted.
const maxMismatches = 100

type exposureAuditInput struct {
	KeyInPath
	Version int    `query:"version" minimum:"0" doc:"go on after this version and unit"`
	Unit    string `query:"unit" maxLength:"128"`
	Limit   int    `query:"limit" minimum:"1" maximum:"100000" default:"100000"`
}

// ExposureMismatch is an exposure that the history of its experiment does not
// explain.
type ExposureMismatch struct {
	Version int       `json:"version"`
	Unit    string    `json:"unit"`
	Arm     int       `json:"arm"`
	At      time.Time `json:"at"`
	Why     string    `json:"why"`
}

// NotJudged counts exposures of which the history tells too little.
type NotJudged struct {
	Why   string `json:"why"`
	Count int    `json:"count"`
}

// ExposureAudit is the result for one page of exposures: each is matched,
// mismatched or not judged.
type ExposureAudit struct {
	Checked    int                `json:"checked"`
	Matched    int                `json:"matched" doc:"the configuration of the time gives the unit that arm"`
	Earlier    int                `json:"earlier" doc:"of those matched: a configuration does that had been replaced for more than a minute, of which whoever evaluated had not heard"`
	Mismatched int                `json:"mismatched"`
	Mismatches []ExposureMismatch `json:"mismatches,omitempty" doc:"the first of them"`
	NotJudged  []NotJudged        `json:"not_judged,omitempty" doc:"by reason"`
	More       bool               `json:"more" doc:"ask again, after version and unit"`
	Version    int                `json:"version,omitempty"`
	Unit       string             `json:"unit,omitempty"`
}

type exposureAuditOutput struct{ Body ExposureAudit }

func (s *Server) exposureAuditAPI(api huma.API) {
	const scope = experiment.ScopeAdmin
	serve(s, api, operation(http.MethodGet, "/experiments/{key}/exposures/audit", "audit-exposures", "Derive the arms of recorded exposures again, a page at a time", scope), scope, s.auditExposures)
}

func (s *Server) auditExposures(ctx context.Context, _ string, in *exposureAuditInput) (*exposureAuditOutput, error) {
	var sum auditSum
	page := postgres.AuditPage{Experiment: in.Key, Version: in.Version, Unit: in.Unit, Limit: in.Limit}
	n, err := s.db.AuditExposures(ctx, page, func(h *assignment.History) (func(*assignment.AuditedExposure), error) {
		auditor, err := assignment.NewAuditor(h)
		return func(x *assignment.AuditedExposure) { sum.add(x, auditor.Check(x)) }, err
	})
	if err != nil {
		return nil, err
	}
	return &exposureAuditOutput{sum.result(n == in.Limit)}, nil
}

// auditSum adds findings up.
type auditSum struct {
	audit     ExposureAudit
	notJudged map[string]int
}

func (s *auditSum) add(x *assignment.AuditedExposure, f assignment.Finding) {
	a := &s.audit
	a.Checked++
	a.Version, a.Unit = x.Version, x.Unit
	switch f.Verdict {
	case assignment.VerdictRight:
		a.Matched++
	case assignment.VerdictEarlier:
		a.Matched++
		a.Earlier++
	case assignment.VerdictNotJudged:
		if s.notJudged == nil {
			s.notJudged = map[string]int{}
		}
		s.notJudged[f.Why]++
	case assignment.VerdictWrong:
		a.Mismatched++
		if len(a.Mismatches) < maxMismatches {
			a.Mismatches = append(a.Mismatches, ExposureMismatch{x.Version, x.Unit, x.Arm, x.At, f.Why})
		}
	}
}

// result returns the sum; more says whether there may be another page.
func (s *auditSum) result(more bool) ExposureAudit {
	a := s.audit
	if a.More = more; !more {
		a.Version, a.Unit = 0, ""
	}
	for _, why := range slices.Sorted(maps.Keys(s.notJudged)) {
		a.NotJudged = append(a.NotJudged, NotJudged{why, s.notJudged[why]})
	}
	slices.SortStableFunc(a.NotJudged, func(x, y NotJudged) int { return cmp.Compare(y.Count, x.Count) })
	return a
}
