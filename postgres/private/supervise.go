package private

import (
	"context"
	"time"
)

const (
	// firstDelay is the pause after the second failure in a row; the first
	// restart comes at once.
	firstDelay = 50 * time.Millisecond
	// maxDelay bounds the pauses: a full disk may be emptied at any time.
	maxDelay = 5 * time.Second
	// steadyAfter is how long a server must live for its end not to count as a
	// failure in a row. One that cannot start ends sooner.
	steadyAfter = time.Second
)

// supervise owns the running postmaster: it starts another whenever it ends, for
// ever, until ctx is done. Then it shuts down and gives the folder free.
func (s *Server) supervise(ctx context.Context, p *postmaster, hurry <-chan struct{}) {
	defer close(s.done)
	defer s.folder.close()
	var delay time.Duration
	for {
		if s.watch(ctx, p) {
			delay = 0
		}
		if ctx.Err() != nil {
			s.stopErr = p.end(hurry)
			return
		}
		s.log.Error("private PostgreSQL ended, restarting it", "dir", s.folder.root, "pid", p.pid(), "state", p.state, "log", s.folder.log)
		if p, delay = s.relaunch(ctx, delay); p == nil {
			return
		}
	}
}

// watch waits until the postmaster ends or ctx is done, and tells whether it
// lived long enough to be called steady.
func (s *Server) watch(ctx context.Context, p *postmaster) (steady bool) {
	timer := time.NewTimer(steadyAfter)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return steady
		case <-p.exited:
			return steady
		case <-timer.C:
			steady = true
		}
	}
}

// relaunch starts a postmaster again and returns it with the pause that the
// next failure deserves, or nil when ctx is done.
func (s *Server) relaunch(ctx context.Context, delay time.Duration) (*postmaster, time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return nil, 0
		case <-time.After(delay):
		}
		delay = min(max(2*delay, firstDelay), maxDelay)
		p, err := s.again(ctx)
		if err == nil {
			n := s.restarts.Add(1)
			s.log.Warn("private PostgreSQL was started again", "dir", s.folder.root, "pid", p.pid(), "restarts", n)
			return p, delay
		}
		s.log.Error("private PostgreSQL could not be started again", "dir", s.folder.root, "error", err, "retry_in", delay)
	}
}

// again starts a postmaster after the children of the last one have ended: they
// hold its shared memory.
func (s *Server) again(ctx context.Context) (*postmaster, error) {
	if err := s.folder.clear(ctx, s.log); err != nil {
		return nil, err
	}
	return s.launch()
}
