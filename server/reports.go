package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/report"
)

// maxPlanned bounds the numbers of planned looks kept in memory.
const maxPlanned = 20_000

// reportCache builds reports. Looks are append-only, so those read once are
// kept; only what is new is read again.
type reportCache struct {
	db      *postgres.DB
	running func() []experiment.Experiment

	mu      sync.Mutex
	looks   lookCache
	planned map[plannedKey]int // number of the first look that was taken when a planned one was due
}

type plannedKey struct {
	experiment int64
	version    int
	due        time.Time
}

func newReportCache(db *postgres.DB, running func() []experiment.Experiment) *reportCache {
	return &reportCache{db: db, running: running, planned: map[plannedKey]int{}}
}

// build returns the report of an experiment as of look number look, 0 for the
// newest, and the number of the newest look. It returns CodeNotFound for an
// experiment or a look that does not exist.
func (c *reportCache) build(ctx context.Context, exp *experiment.Experiment, look int, now time.Time) (report.Report, int, error) {
	mark, _, err := c.db.NewestLook(ctx, exp.ID, exp.Version)
	if err != nil {
		return report.Report{}, 0, err
	}
	newest := mark.Number // 0: there is none yet
	if look < 0 || look > newest {
		return report.Report{}, 0, experiment.Errorf(experiment.CodeNotFound, "look", "there is no look %d; the newest is %d", look, newest)
	}
	in := report.Input{Experiment: *exp, Now: now}
	if in.Versions, err = c.versions(ctx, exp.Key); err != nil {
		return report.Report{}, 0, err
	}
	if in.Catalogue, err = c.db.Catalogue(ctx); err != nil {
		return report.Report{}, 0, err
	}
	if look == 0 {
		look, in.Running = newest, c.running()
		if in.Counts, err = c.db.ArmCounts(ctx, exp); err != nil {
			return report.Report{}, 0, err
		}
		if in.Assigned, err = c.db.AssignedUnits(ctx, exp); err != nil {
			return report.Report{}, 0, err
		}
	}
	numbers, err := c.numbers(ctx, &in, look, mark.At)
	if err != nil {
		return report.Report{}, 0, err
	}
	if in.Looks, err = c.read(ctx, exp, numbers, look == newest); err != nil {
		return report.Report{}, 0, err
	}
	return report.Build(in), newest, nil
}

// numbers returns the looks that a report as of look is made from: those that it
// shows, and the planned ones until then. newestAt is when the newest was taken.
func (c *reportCache) numbers(ctx context.Context, in *report.Input, look int, newestAt time.Time) ([]int, error) {
	if look == 0 {
		return nil, nil
	}
	numbers := report.ShownLooks(look)
	exp := &in.Experiment
	var missing []time.Time
	c.mu.Lock()
	for _, due := range report.PlannedTimes(exp, in.Versions) {
		n, ok := c.planned[plannedKey{exp.ID, exp.Version, due}]
		switch {
		case ok && n <= look:
			numbers = append(numbers, n)
		case !ok && !due.After(newestAt):
			missing = append(missing, due)
		}
	}
	c.mu.Unlock()
	if len(missing) > 0 {
		found, err := c.db.FirstLooks(ctx, exp.ID, exp.Version, missing)
		if err != nil {
			return nil, err
		}
		c.mu.Lock()
		if len(c.planned)+len(found) > maxPlanned {
			clear(c.planned)
		}
		for i, n := range found {
			if n == 0 {
				continue
			}
			c.planned[plannedKey{exp.ID, exp.Version, missing[i]}] = n
			if n <= look {
				numbers = append(numbers, n)
			}
		}
		c.mu.Unlock()
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}

// read returns looks of the experiment; those with newest end with the newest one.
func (c *reportCache) read(ctx context.Context, exp *experiment.Experiment, numbers []int, newest bool) ([]metrics.Look, error) {
	if len(numbers) == 0 {
		return nil, nil
	}
	look := numbers[len(numbers)-1]
	out := make([]metrics.Look, len(numbers))
	var missing []int
	at := map[int]int{} // where in out a missing look goes, by number
	c.mu.Lock()
	for i, n := range numbers {
		l, ok := c.looks.get(lookKey{exp.ID, exp.Version, n})
		if !ok || newest && n == look {
			missing, at[n] = append(missing, n), i // dimension cells stand with the newest only
			continue
		}
		out[i] = l
	}
	c.mu.Unlock()
	if len(missing) == 0 {
		return out, nil
	}
	got, err := c.db.Looks(ctx, exp.ID, exp.Version, missing)
	if err != nil {
		return nil, err
	}
	if len(got) != len(missing) { // it is of another experiment than the numbers: looks are never removed
		return nil, fmt.Errorf("read the looks of %s: %d of %d are there", exp.Key, len(got), len(missing))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range got {
		out[at[l.Number]] = l
		if !newest || l.Number != look {
			c.looks.add(lookKey{exp.ID, exp.Version, l.Number}, l)
		}
	}
	return out, nil
}

// versions returns one entry for each version, with the plan that it ended with.
func (c *reportCache) versions(ctx context.Context, key string) ([]report.Version, error) {
	revisions, err := c.db.Versions(ctx, key)
	if err != nil {
		return nil, err
	}
	var out []report.Version
	for _, r := range revisions {
		if n := len(out); n > 0 && out[n-1].Version == r.Version {
			out[n-1].PlanHash = r.PlanHash // of a draft that was changed before its launch
			continue
		}
		out = append(out, report.Version{Version: r.Version, PlanHash: r.PlanHash, At: r.ChangedAt})
	}
	return out, nil
}
