package server

import (
	"context"
	"reflect"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

const (
	// briefLasts is how long a brief stands when nothing happens: days that are left
	// and units that were met go on between looks.
	briefLasts = time.Minute
	// maxBriefs bounds the briefs kept, of some 10 kB each.
	maxBriefs = 4 * maxListed
	// briefsAtOnce is how many reports of a list are built at a time, so that one
	// reader of a list does not take all connections.
	briefsAtOnce = 4
)

// briefCache keeps what lists show of the newest reports.
type briefCache struct {
	reports *reportCache

	mu   sync.Mutex
	kept map[int64]keptBrief // by experiment
}

type keptBrief struct {
	of     experiment.Experiment
	look   int
	until  time.Time
	report report.Report
}

func newBriefCache(reports *reportCache) *briefCache {
	return &briefCache{reports: reports, kept: map[int64]keptBrief{}}
}

// briefs returns the newest reports of experiments, in their order: head, verdict,
// trust and primary metrics alone.
func (c *briefCache) briefs(ctx context.Context, of []*experiment.Experiment, now time.Time) ([]report.Report, error) {
	out := make([]report.Report, len(of))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(briefsAtOnce)
	for i, e := range of {
		g.Go(func() (err error) {
			out[i], err = c.brief(ctx, e, now)
			return err
		})
	}
	return out, g.Wait()
}

func (c *briefCache) brief(ctx context.Context, e *experiment.Experiment, now time.Time) (report.Report, error) {
	mark, _, err := c.reports.db.NewestLook(ctx, e.ID, e.Version)
	if err != nil {
		return report.Report{}, err
	}
	if kept, ok := c.get(e, mark.Number, now); ok {
		return kept, nil
	}
	whole, newest, err := c.reports.build(ctx, e, 0, now)
	if err != nil {
		return report.Report{}, err
	}
	out := report.Report{Head: whole.Head, Verdict: whole.Verdict, Trust: whole.Trust, Primary: whole.Primary}
	c.keep(keptBrief{of: *e, look: newest, until: now.Add(briefLasts), report: out})
	return out, nil
}

// get returns the brief of an experiment as it is, if none is newer.
func (c *briefCache) get(e *experiment.Experiment, look int, now time.Time) (report.Report, bool) {
	c.mu.Lock()
	kept, ok := c.kept[e.ID]
	c.mu.Unlock()
	if !ok || kept.look != look || !now.Before(kept.until) || !reflect.DeepEqual(&kept.of, e) {
		return report.Report{}, false
	}
	return kept.report, true
}

func (c *briefCache) keep(b keptBrief) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxBriefs {
		clear(c.kept)
	}
	c.kept[b.of.ID] = b
}
