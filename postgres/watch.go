package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/lib/pq"
)

// Times of a Watcher.
const (
	// WatchPollEvery is how often the version is asked for even though changes
	// are announced: a network that drops packets silently announces nothing.
	WatchPollEvery = 2 * time.Second
	// watchPollTimeout is the deadline of asking.
	watchPollTimeout = 1 * time.Second
	// A lost listener is connected anew after these times.
	watchMinReconnect = 50 * time.Millisecond
	watchMaxReconnect = time.Second
)

// configChannel is the channel of the trigger on config_version.
const configChannel = "splitcast_config"

// Watcher tells when the configuration has a new version: by notification
// within milliseconds, by polling within WatchPollEvery if the network hides
// that it is broken. It survives any loss of the database.
type Watcher struct {
	versions chan int64
	poll     *DB // a pool of its own, so that a full pool delays nothing
	listener *pq.Listener
	dialer   *dialer
	onError  func(error)
	cancel   context.CancelFunc
	done     chan struct{}

	last   int64 // delivered
	heard  int64 // by the listener
	missed int64 // seen by the poll before, but not heard then; 0: none
}

// Watch starts a Watcher. onError, which may be nil, hears of failures that the
// Watcher will get over; it must not block.
func (db *DB) Watch(onError func(error)) (*Watcher, error) {
	cfg := db.cfg.Clone()
	cfg.ConnectTimeout = watchPollTimeout
	poll, err := newPool(db.dsn, cfg, &dialer{readTimeout: watchPollTimeout}, 1)
	if err != nil {
		return nil, err
	}
	if onError == nil {
		onError = func(error) {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{
		versions: make(chan int64, 1), poll: poll, dialer: &dialer{}, onError: onError,
		cancel: cancel, done: make(chan struct{}), last: -1,
	}
	w.listener = pq.NewDialListener(w.dialer, db.dsn, watchMinReconnect, watchMaxReconnect, w.event)
	go w.run(ctx)
	return w, nil
}

// Versions delivers the first version seen and then each change of it; when the
// receiver is slow only the newest. It is closed by Close.
func (w *Watcher) Versions() <-chan int64 { return w.versions }

// Close ends the Watcher and waits for its end.
func (w *Watcher) Close() {
	w.cancel()
	<-w.done
}

// run is the Watcher's own goroutine, the only one that uses its numbers.
func (w *Watcher) run(ctx context.Context) {
	defer close(w.done)
	defer close(w.versions)
	listening := make(chan error, 1)
	go func() { listening <- w.listener.Listen(configChannel) }() // waits for the first connection
	defer w.shut(listening)

	ticker := time.NewTicker(WatchPollEvery)
	defer ticker.Stop()
	w.ask(ctx, true)
	for {
		select {
		case <-ctx.Done():
			return
		case err := <-listening:
			listening <- err // for shut
			w.event(0, err)
			listening = nil
			w.ask(ctx, true)
		case n := <-w.listener.Notify:
			if n == nil { // connected again: announcements may have been lost
				w.ask(ctx, true)
				continue
			}
			w.hear(n.Extra)
		case <-ticker.C:
			w.ask(ctx, false)
		}
	}
}

// hear takes an announced version.
func (w *Watcher) hear(payload string) {
	version, err := strconv.ParseInt(payload, 10, 64)
	if err != nil {
		w.onError(fmt.Errorf("read announced configuration: %w", err))
		return
	}
	w.heard = max(w.heard, version)
	if version > w.last {
		w.deliver(version)
	}
}

// ask polls the version. Of a listener that was just connected it is what was
// heard last. A listener that after a whole period has not heard what an
// earlier poll saw is deaf, and is dropped to be connected anew.
func (w *Watcher) ask(ctx context.Context, connected bool) {
	version, err := w.poll.ConfigVersion(ctx)
	if err != nil {
		w.onError(err)
		return
	}
	if version != w.last { // lower after a restored backup
		w.deliver(version)
	}
	if connected || version < w.heard {
		w.heard, w.missed = version, 0
		return
	}
	if w.missed > w.heard {
		w.missed = 0
		w.dialer.drop()
		return
	}
	w.missed = version
}

// deliver replaces a version that nobody has taken yet.
func (w *Watcher) deliver(version int64) {
	select {
	case <-w.versions:
	default:
	}
	w.versions <- version // has room: nobody else sends
	w.last = version
}

// shut ends the listener and what waits for it.
func (w *Watcher) shut(listening <-chan error) {
	w.dialer.shut()
	if err := w.listener.Close(); err != nil {
		w.onError(fmt.Errorf("close listener: %w", err))
	}
	<-listening                   //nolint:errcheck // its failures were told when they came
	for range w.listener.Notify { // closed when the listener's goroutine ends
		continue
	}
	if err := w.poll.Close(); err != nil {
		w.onError(fmt.Errorf("close poll: %w", err))
	}
}

// event hears of the listener's connection.
func (w *Watcher) event(_ pq.ListenerEventType, err error) {
	if err != nil {
		w.onError(fmt.Errorf("listen for configuration: %w", err))
	}
}
