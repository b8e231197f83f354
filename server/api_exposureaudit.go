package server

import (
	"context"
	"net/http"
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
	Limit   int    `query:"limit" minimum:"1" maximum:"20000" default:"20000"`
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

// ExposureAudit is the result for one page of exposures.
type ExposureAudit struct {
	Checked    int                `json:"checked"`
	Mismatched int                `json:"mismatched"`
	Mismatches []ExposureMismatch `json:"mismatches,omitempty" doc:"the first of them"`
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
	e, err := s.db.Get(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	auditor, err := s.auditor(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	page, err := s.db.ExposurePage(ctx, e.ID, in.Version, in.Unit, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &exposureAuditOutput{ExposureAudit{Checked: len(page), More: len(page) == in.Limit}}
	for _, x := range page {
		why := auditor.Check(x.Version, x.Unit, x.Arm, x.Override)
		if why == "" {
			continue
		}
		out.Body.Mismatched++
		if len(out.Body.Mismatches) < maxMismatches {
			out.Body.Mismatches = append(out.Body.Mismatches, ExposureMismatch{x.Version, x.Unit, x.Arm, x.At, why})
		}
	}
	if out.Body.More {
		last := page[len(page)-1]
		out.Body.Version, out.Body.Unit = last.Version, last.Unit
	}
	return out, nil
}

// auditor returns the Auditor of an experiment's history.
func (s *Server) auditor(ctx context.Context, key string) (*assignment.Auditor, error) {
	revisions, err := s.db.Versions(ctx, key)
	if err != nil {
		return nil, err
	}
	layers, err := s.db.LayerSalts(ctx)
	if err != nil {
		return nil, err
	}
	history := make([]assignment.Enrolment, len(revisions))
	for i := range revisions {
		history[i] = enrolment(&revisions[i], layers)
	}
	return assignment.NewAuditor(history)
}

func enrolment(r *postgres.Revision, layers map[string]experiment.Layer) assignment.Enrolment {
	return assignment.Enrolment{Version: r.Version, Spec: r.Spec, Salt: r.Salt, Slots: r.Slots, Layer: layers[r.Spec.LayerKey()]}
}
