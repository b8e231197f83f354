package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// Limits of the exposures that single evaluations log.
const (
	// exposureQueueLen holds some seconds of evaluations while the database
	// restarts, at most about 100 MB; beyond it exposures are counted as lost.
	exposureQueueLen = 200_000
	// exposureFlushEvery bounds how long an exposure waits for company.
	exposureFlushEvery = 100 * time.Millisecond
	// exposureRetryMax is the longest pause between two tries to write.
	exposureRetryMax = 5 * time.Second
)

type exposureQueueConfig struct {
	Insert  func(ctx context.Context, now func() time.Time, rows []postgres.ExposureRow) error
	Resolve func(key string) (*assignment.Info, error)
	Now     func() time.Time
	Log     *slog.Logger
	Stats   *instruments
}

// exposureQueue writes the exposures of single evaluations in batches. Adding
// never blocks: evaluation does not wait for the database.
type exposureQueue struct {
	cfg     exposureQueueConfig
	waiting exposureLine
	stop    chan struct{}
	// abort ends retries when the time to stop is over.
	abort context.CancelFunc
	ended chan struct{}
	seen  seenSet
}

// exposureLine holds the rows that wait, in batches as they will be written. It
// takes room for those alone: one for exposureQueueLen at once would be most of
// the memory of an idle server.
type exposureLine struct {
	mu      sync.Mutex
	batches [][]postgres.ExposureRow
	n       int
	wake    chan struct{} // holds a signal when there is a first row, or a full batch
}

// add appends a row; false when the line is full.
func (l *exposureLine) add(row postgres.ExposureRow) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n >= exposureQueueLen {
		return false
	}
	last := len(l.batches) - 1
	if last < 0 || len(l.batches[last]) == experiment.MaxExposureBatch {
		l.batches = append(l.batches, nil)
		last++
	}
	l.batches[last] = append(l.batches[last], row)
	if l.n++; l.n == 1 || len(l.batches[last]) == experiment.MaxExposureBatch {
		l.signal()
	}
	return true
}

func (l *exposureLine) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// take returns the first batch, full or not; nil when nothing waits.
func (l *exposureLine) take() []postgres.ExposureRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.n == 0 {
		return nil
	}
	batch := l.batches[0]
	l.batches[0] = nil
	l.batches = l.batches[1:]
	if l.n -= len(batch); l.n > 0 {
		l.signal()
	}
	return batch
}

func (l *exposureLine) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

func newExposureQueue(cfg exposureQueueConfig) *exposureQueue {
	ctx, cancel := context.WithCancel(context.Background())
	q := &exposureQueue{
		cfg: cfg, waiting: exposureLine{wake: make(chan struct{}, 1)},
		stop: make(chan struct{}), abort: cancel, ended: make(chan struct{}),
	}
	go q.run(ctx)
	return q
}

// add takes an exposure for writing. One that cannot be taken is counted.
func (q *exposureQueue) add(x experiment.Exposure) {
	exp, err := q.cfg.Resolve(x.Experiment)
	if err != nil {
		q.cfg.Stats.exposuresLost.WithLabelValues("unknown_experiment").Inc()
		return
	}
	if err := x.Validate(); err != nil { // it would fail the batch that it is in
		q.cfg.Stats.exposuresLost.WithLabelValues("invalid").Inc()
		return
	}
	row, err := postgres.ResolveExposure(exp, &x)
	if err != nil {
		q.cfg.Stats.exposuresLost.WithLabelValues("unknown_arm").Inc()
		return
	}
	if q.seen.has(&row) {
		return
	}
	if !q.waiting.add(row) {
		q.cfg.Stats.exposuresLost.WithLabelValues("queue_full").Inc()
	}
}

// store writes rows of which the caller waits to hear, and returns when all are
// durable.
func (q *exposureQueue) store(ctx context.Context, rows []postgres.ExposureRow) error {
	fresh := make([]postgres.ExposureRow, 0, len(rows))
	for i := range rows {
		if !q.seen.has(&rows[i]) {
			fresh = append(fresh, rows[i])
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := q.cfg.Insert(ctx, q.cfg.Now, fresh); err != nil {
		return err
	}
	q.stored(fresh)
	return nil
}

// stored notes what is durable.
func (q *exposureQueue) stored(rows []postgres.ExposureRow) {
	q.seen.add(rows)
	q.cfg.Stats.exposuresStored.Add(float64(len(rows)))
}

func (q *exposureQueue) run(ctx context.Context) {
	defer close(q.ended)
	for {
		batch, more := q.collect()
		if len(batch) > 0 {
			q.write(ctx, batch)
		}
		if !more {
			return
		}
	}
}

// collect waits for the first row and for what else comes within
// exposureFlushEvery. more is false when the queue was told to stop and is empty.
func (q *exposureQueue) collect() (batch []postgres.ExposureRow, more bool) {
	select {
	case <-q.waiting.wake:
	case <-q.stop:
	}
	flush := time.After(exposureFlushEvery)
	for q.waiting.len() < experiment.MaxExposureBatch {
		select {
		case <-q.waiting.wake:
		case <-flush:
			return q.waiting.take(), true
		case <-q.stop:
			batch = q.waiting.take()
			return batch, q.waiting.len() > 0
		}
	}
	return q.waiting.take(), true
}

// write stores a batch, trying again for as long as the database is away.
func (q *exposureQueue) write(ctx context.Context, batch []postgres.ExposureRow) {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, exposureRetryMax) {
		err := q.cfg.Insert(ctx, q.cfg.Now, batch)
		if err == nil {
			q.stored(batch)
			return
		}
		if code, ok := experiment.CodeOf(err); !ok || code != experiment.CodeUnavailable || ctx.Err() != nil {
			q.cfg.Log.Error("exposures were not stored", "count", len(batch), "error", err)
			q.cfg.Stats.exposuresLost.WithLabelValues("write_failed").Add(float64(len(batch)))
			return
		}
		q.cfg.Log.Warn("exposures wait for the database", "count", len(batch), "queued", q.len())
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// len returns the number of exposures that wait.
func (q *exposureQueue) len() int { return q.waiting.len() }

// close writes what is queued and ends the queue. When ctx ends first, what
// is left is counted as lost.
func (q *exposureQueue) close(ctx context.Context) error {
	close(q.stop)
	defer q.abort()
	select {
	case <-q.ended:
		return nil
	case <-ctx.Done():
	}
	q.abort()
	<-q.ended
	return ctx.Err()
}
