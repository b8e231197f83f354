package postgres

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

const (
	// closedPageSize is how many exposures are read at once: enough that a round
	// trip does not count, few enough to hold.
	closedPageSize = 20_000
	// closedReaders is how many connections read pages side by side. A page costs
	// PostgreSQL four times what it costs this program, so that two are not
	// waited for; more would only take processors from ingest.
	closedReaders = 2
	// pagesAhead is how many pages are in memory: one with each reader and one to
	// work on.
	pagesAhead = closedReaders + 1
)

// Closed implements metrics.LookTx. Of each session it reads what
// metrics.Observe needs; the other fields are zero.
//
// Pages are read ahead on connections of their own, while each works on the
// page before and writes outcomes on the look's. Nothing is lost by that: what
// has closed is committed and does not change, see Look.
func (l *lookTx) Closed(ctx context.Context, ask metrics.Reading, each func(*metrics.Closed) error) error {
	return l.db.readClosed(ctx, l.exp, ask, "", each)
}

// readClosed is Closed for the exposures that came by the kind of import.
func (db *DB) readClosed(ctx context.Context, exp *experiment.Experiment, ask metrics.Reading, imported ImportKind, each func(*metrics.Closed) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers, ctx := errgroup.WithContext(ctx)
	r := closedReader{
		db: db, exp: exp, window: ask.Window, historyDays: ask.HistoryDays, imported: imported,
		from: justAfter(firstClosing(ask.Window, ask.After)), upTo: firstClosing(ask.Window, ask.UpTo),
		free: make(chan *closedPage, pagesAhead), next: make(chan chan *closedPage, pagesAhead),
	}
	for range pagesAhead {
		r.free <- &closedPage{}
	}
	run := func() error { return r.run(ctx) }
	r.help = sync.OnceFunc(func() {
		for range closedReaders - 1 {
			readers.Go(run)
		}
	})
	readers.Go(run)
	err := r.deliver(ctx, each)
	if err != nil {
		cancel()
	}
	if readErr := readers.Wait(); err == nil {
		err = wrap("read closed windows", readErr)
	}
	return err
}

// firstClosing returns when the first window of an exposure closed whose window
// w closes at t; the beginning of time stays that. Exposures are found by it.
func firstClosing(w metrics.Window, t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return stamp(t.Add(-w.AfterFirst()))
}

// closedPlace is a place in the order in which first windows close.
type closedPlace struct {
	at   time.Time
	unit string
}

// justAfter is the place behind all that closes at t, whatever the unit: times
// are in microseconds, and no unit is empty.
func justAfter(t time.Time) closedPlace { return closedPlace{at: t.Add(time.Microsecond)} }

// closedReader reads page after page, several at a time, and delivers them in
// order: who begins a page promises it.
type closedReader struct {
	db          *DB
	exp         *experiment.Experiment
	window      metrics.Window
	historyDays int
	imported    ImportKind
	upTo        time.Time
	free        chan *closedPage
	next        chan chan *closedPage // promises in order; closed behind the last
	help        func()                // begins the other readers: there is more than a page

	mu   sync.Mutex
	from closedPlace // where the next page begins
	done bool        // the last page has been promised
}

// deliver hands out the pages in order. It returns nil when the readers ended
// without a last page: they know why.
func (r *closedReader) deliver(ctx context.Context, each func(*metrics.Closed) error) error {
	for promise := range r.promises(ctx) {
		select {
		case page := <-promise:
			if err := page.each(each); err != nil {
				return err
			}
			r.free <- page // there is room for every page
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// promises yields what next receives until it or ctx ends.
func (r *closedReader) promises(ctx context.Context) iter.Seq[chan *closedPage] {
	return func(yield func(chan *closedPage) bool) {
		for {
			select {
			case promise, ok := <-r.next:
				if !ok || !yield(promise) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

// run reads pages on a connection until all are promised.
func (r *closedReader) run(ctx context.Context) error {
	return r.db.inConnTx(ctx, func(tx *connTx) error {
		if _, err := tx.ExecContext(ctx, planClosed); err != nil {
			return err
		}
		cut, err := tx.PrepareContext(ctx, cutPage)
		if err != nil {
			return err
		}
		defer cut.Close()
		read, err := tx.PrepareContext(ctx, closedQuery(r.exp.Unit, r.window, r.historyDays > 0, r.imported))
		if err != nil {
			return err
		}
		defer read.Close()
		for {
			var page *closedPage
			select {
			case page = <-r.free:
			case <-ctx.Done():
				return ctx.Err()
			}
			from, to, promise, err := r.begin(ctx, cut)
			if err != nil || promise == nil {
				return err
			}
			page.reset()
			rows, err := read.QueryContext(ctx, r.arguments(from, to)...)
			if err := scanRows(rows, err, page.scan); err != nil {
				return err
			}
			if r.exp.Unit == experiment.UnitBroadcaster {
				if err := r.readBroadcasts(ctx, tx, page); err != nil {
					return err
				}
			}
			page.sort()
			promise <- page
		}
	})
}

// arguments returns those of closedQuery for a page.
func (r *closedReader) arguments(from, to closedPlace) []any {
	args := []any{
		r.exp.ID, r.exp.Version, from.at, from.unit, to.at, to.unit,
		r.window.Span().Milliseconds(), string(r.exp.Unit), r.window.AfterFirst().Microseconds(),
		r.window.From().Milliseconds(),
	}
	if r.historyDays > 0 {
		args = append(args, int64(r.historyDays)*metrics.DaySpan.Milliseconds())
	}
	return args
}

// begin promises the next page, which lies between the places from and to. The
// promise is nil when there is none.
func (r *closedReader) begin(ctx context.Context, cut *sql.Stmt) (from, to closedPlace, promise chan *closedPage, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return from, to, nil, nil
	}
	from = r.from
	err = cut.QueryRowContext(ctx, r.exp.ID, r.exp.Version, from.at, from.unit, r.upTo, closedPageSize-1).Scan(&to.at, &to.unit)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		r.done = true
		to = justAfter(r.upTo)
	case err != nil:
		return from, to, nil, err
	default:
		r.help()
	}
	r.from = to
	promise = make(chan *closedPage, 1)
	r.next <- promise // there is room for every page
	if r.done {
		close(r.next)
	}
	return from, to, promise, nil
}
