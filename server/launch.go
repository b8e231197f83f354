package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/launch"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

// prepared is what is known about an experiment on its way.
type prepared struct {
	input      launch.Input
	assessment launch.Assessment
	catalogue  *metrics.Catalogue
}

// launchFaults returns all that is wrong with the experiment of a form by the
// rules of experiments alone.
func (s *Server) launchFaults(ctx context.Context, form url.Values) (experiment.Errors, error) {
	spec, faults, err := s.readLaunch(ctx, form)
	if err != nil {
		return nil, err
	}
	spec.Normalize()
	known := func(string) bool { return true } // prepare asks the catalogue
	return addFaults(faults, spec.Validate(known)), nil
}

// readLaunch reads the experiment of a form. One that edits a stored draft has from
// there what the form has no fields for.
func (s *Server) readLaunch(ctx context.Context, form url.Values) (experiment.Spec, experiment.Errors, error) {
	spec, faults := web.ReadLaunch(form, s.now())
	key := web.OpenedLaunch(form)
	if key == "" {
		return spec, faults, nil
	}
	stored, err := s.db.Get(ctx, key)
	if err != nil {
		return spec, nil, err
	}
	faults = append(faults, web.KeepStored(form, &spec, &stored)...) // changes spec: before it is copied
	return spec, faults, nil
}

// addFaults adds faults of fields that have none yet: one is enough to mend it.
func addFaults(faults experiment.Errors, err error) experiment.Errors {
	for _, f := range experiment.Faults(err) {
		if !slices.ContainsFunc(faults, func(g *experiment.Error) bool { return g.Field == f.Field }) {
			faults = append(faults, f)
		}
	}
	return faults
}

// prepare gathers what a step shows about the experiment of a form.
func (s *Server) prepare(r *http.Request, form url.Values, step launch.Step) (*prepared, error) {
	ctx := r.Context()
	spec, faults, err := s.readLaunch(ctx, form)
	if err != nil {
		return nil, err
	}
	auto := spec.Plan.Units == 0
	spec.Normalize()
	p, err := s.assess(ctx, assessing{spec, faults, step, web.OpenedLaunch(form)})
	if err != nil {
		return nil, err
	}
	if auto && spec.Plan.Units == experiment.MinPlannedUnits {
		p.input.Spec.Plan.Units = p.assessment.PlannedUnits()
		p.assessment = launch.Assess(p.input)
	}
	return p, nil
}

// assessing is what is assessed.
type assessing struct {
	spec   experiment.Spec   // normalized
	faults experiment.Errors // of reading it
	step   launch.Step       // for which it is
	stored string            // key of the draft that it changes; empty: it is new
}

// assess gathers what is stored and assesses an experiment, as far as a step needs
// it.
func (s *Server) assess(ctx context.Context, of assessing) (*prepared, error) {
	spec, step := of.spec, of.step
	catalogue, err := s.db.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	p := &prepared{catalogue: catalogue, input: launch.Input{Spec: spec, Now: s.now(), Previews: map[string]launch.MetricPreview{}}}
	p.input.Faults = addFaults(of.faults, spec.Validate(catalogue.Known))
	power, all := step == launch.StepPower || step == launch.StepMetrics, step == launch.StepReview
	if power || all {
		if err := s.previewPlan(ctx, p); err != nil {
			return nil, err
		}
	}
	if power || all || step == launch.StepAudience {
		if p.input.Audience, err = s.countAudience(ctx, spec.Unit, spec.Audience); err != nil {
			if _, ok := experiment.CodeOf(err); !ok {
				return nil, err
			}
		}
	}
	if p.input.Others, err = s.db.List(ctx); err != nil {
		return nil, err
	}
	if of.stored != "" { // it is no other experiment
		p.input.Others = slices.DeleteFunc(p.input.Others, func(e experiment.Experiment) bool { return e.Key == of.stored })
	}
	p.assessment = launch.Assess(p.input)
	if all && p.assessment.Blockers(launch.LevelHard) == 0 {
		if err := s.tryLaunch(ctx, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// tryLaunch launches without doing it, which finds what only the database knows:
// freeze windows, prerequisites, lists.
func (s *Server) tryLaunch(ctx context.Context, p *prepared) error {
	spec := p.input.Spec
	if spec.StartAt == nil {
		spec.Status = experiment.StatusRunning
	}
	opts := s.applyOptions(ctx, "launch check")
	opts.DryRun, opts.AsApproved = true, true // whether somebody has approved it is not among its faults
	_, err := s.db.Apply(ctx, []experiment.Spec{spec}, opts)
	faults := experiment.Faults(err)
	if err != nil && len(faults) == 0 {
		return err
	}
	if len(faults) > 0 {
		p.input.Faults = faults
		p.assessment = launch.Assess(p.input)
	}
	return nil
}

// previewPlan previews the metrics that decide: primary and guardrails.
func (s *Server) previewPlan(ctx context.Context, p *prepared) error {
	plan := &p.input.Spec.Plan
	keys := slices.Clone(plan.Primary)
	for _, g := range plan.Guardrails {
		keys = append(keys, g.Metric)
	}
	for _, key := range keys {
		d, ok := p.catalogue.Lookup(key)
		if !ok || len(p.input.Previews) == maxLaunchPreviews {
			continue
		}
		preview, err := s.recent.previews.get(previewKey{key, d.Version, p.input.Spec.Unit}, s.wall(), func() (metrics.Preview, error) {
			out, _, err := s.db.PreviewMetric(ctx, d, p.input.Spec.Unit, s.now().Add(-metrics.PreviewDays*24*time.Hour))
			return out, err
		})
		if err != nil {
			return err
		}
		p.input.Previews[key] = launch.MetricPreview{Metric: d, Preview: preview}
	}
	return nil
}

// maxLaunchPreviews bounds the metrics that a page previews: each reads outcomes.
const maxLaunchPreviews = 8

// countAudience counts the units of recent sessions that an audience is open to.
// It returns an experiment.Error for units that sessions do not name.
func (s *Server) countAudience(ctx context.Context, unit experiment.UnitType, audience *experiment.Audience) (*launch.AudienceCount, error) {
	key, err := audienceKey(unit, audience)
	if err != nil {
		return nil, err
	}
	return s.recent.audiences.get(key, s.wall(), func() (*launch.AudienceCount, error) {
		return s.countRecent(ctx, unit, audience)
	})
}

func (s *Server) countRecent(ctx context.Context, unit experiment.UnitType, audience *experiment.Audience) (*launch.AudienceCount, error) {
	lists, err := s.listsOf(ctx, audience)
	if err != nil {
		return nil, err
	}
	matcher, err := assignment.NewMatcher(audience, unit, lists)
	if err != nil {
		return nil, err
	}
	out := &launch.AudienceCount{Unit: unit, Until: s.now(), Unknown: []string{}}
	kept := postgres.SessionAttributes()
	var names []string
	for _, name := range matcher.Attributes() {
		if slices.Contains(kept, name) {
			names = append(names, name)
		} else {
			out.Unknown = append(out.Unknown, name)
		}
	}
	best := map[string]assignment.Match{}
	of := assignment.NewContext("")
	read, err := s.db.EachRecentUnit(ctx, unit, names, out.Until, launch.AudienceDays*24*time.Hour, func(id string, values []string) {
		if had, ok := best[id]; ok && had == assignment.MatchYes {
			return
		}
		of.Reset(id)
		for i, v := range values {
			if v != "" {
				of.SetString(names[i], v)
			}
		}
		best[strings.Clone(id)] = max(best[id], matcher.Match(of))
	})
	if err != nil {
		return nil, err
	}
	out.Since, out.Truncated, out.Sessions, out.Nameless, out.Seen = read.Since, read.Truncated, read.Sessions, read.Nameless, int64(len(best))
	for _, m := range best {
		switch m {
		case assignment.MatchYes:
			out.Eligible++
		case assignment.MatchUnknown:
			out.Maybe++
		}
	}
	return out, nil
}

// listsOf reads the lists that an audience looks up.
func (s *Server) listsOf(ctx context.Context, audience *experiment.Audience) (map[string]*experiment.IDSet, error) {
	out := map[string]*experiment.IDSet{}
	var collect func(a *experiment.Audience) error
	collect = func(a *experiment.Audience) error {
		if a == nil {
			return nil
		}
		if a.List != "" && out[a.List] == nil {
			text, err := s.db.ListText(ctx, a.List)
			if err != nil {
				return err
			}
			if out[a.List], err = experiment.ParseIDSet(text); err != nil {
				return err
			}
		}
		for _, kids := range [][]experiment.Audience{a.All, a.Any} {
			for i := range kids {
				if err := collect(&kids[i]); err != nil {
					return err
				}
			}
		}
		return collect(a.Not)
	}
	return out, collect(audience)
}
