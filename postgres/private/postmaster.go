package private

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/lib/pq"
)

// maxReadyPause is how late a server that starts slowly may be found ready.
const maxReadyPause = 250 * time.Millisecond

// postmaster is one life of the server's main process.
type postmaster struct {
	process *os.Process
	exited  chan struct{} // closed when the process has been waited for
	state   error         // how it ended; read after exited
}

// launch starts a postmaster. Whether it becomes ready is another question.
func (s *Server) launch() (*postmaster, error) {
	log, err := s.folder.openLog()
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := s.binary.command(context.Background(), s.folder.root, "postgres", s.args...)
	c.Stdout, c.Stderr = log, log
	s.as.apply(c)
	// SIGINT asks for a fast shutdown: after our own death by SIGKILL the server
	// still ends in order.
	dieWithParent(c.SysProcAttr, syscall.SIGINT)
	p, err := run(c)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.pid.Store(int64(p.pid()))
	return p, nil
}

// run starts c and waits for it in a goroutine that keeps its thread: the
// parent-death signal is sent when the thread that forked ends, so that thread
// has to live as long as the child.
func run(c *exec.Cmd) (*postmaster, error) {
	p := &postmaster{exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		p.process = c.Process
		started <- err
		if err != nil {
			return
		}
		p.state = c.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *postmaster) pid() int { return p.process.Pid }

// end shuts the postmaster down: fast, then at once when the fast shutdown takes
// too long or hurry is closed. It returns when the process is gone, with
// ErrForced unless the shutdown was in order.
func (p *postmaster) end(hurry <-chan struct{}) error {
	p.signal(syscall.SIGINT)
	expired := time.NewTimer(fastShutdownLimit)
	defer expired.Stop()
	select {
	case <-p.exited:
		return nil
	case <-expired.C:
	case <-hurry:
	}
	p.endNow()
	return ErrForced
}

// endNow ends the postmaster without a checkpoint, by force if need be.
func (p *postmaster) endNow() {
	p.signal(syscall.SIGQUIT)
	kill := time.AfterFunc(quitLimit, func() { p.signal(syscall.SIGKILL) })
	defer kill.Stop()
	<-p.exited
}

// signal sends sig, and wakes the process in case somebody has stopped it. An
// error means that it has ended, which exited tells.
func (p *postmaster) signal(sig syscall.Signal) {
	_ = p.process.Signal(sig)
	_ = p.process.Signal(syscall.SIGCONT)
}

// cannotConnectNow is the SQLSTATE of a server that starts, recovers or stops.
const cannotConnectNow = "57P03"

// awaitReady waits until the server accepts connections. Errors: *StartError when
// it ends or refuses instead.
func (s *Server) awaitReady(ctx context.Context, p *postmaster) error {
	connector, err := pq.NewConnector(s.DSN())
	if err != nil {
		return fmt.Errorf("prepare a connection: %w", err)
	}
	pause := pollEvery
	for {
		conn, err := connector.Connect(ctx)
		if err == nil {
			_ = conn.Close() // it has answered; how it parts does not matter
			return nil
		}
		var refusal *pq.Error
		if errors.As(err, &refusal) && refusal.Code != cannotConnectNow {
			return &StartError{Command: "postgres", Log: s.folder.logTail(), Err: err}
		}
		select {
		case <-p.exited:
			return &StartError{Command: "postgres", Log: s.folder.logTail(), Err: p.state}
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL (last answer: %w): %w", err, ctx.Err())
		case <-time.After(pause):
		}
		// A long recovery logs each refusal.
		pause = min(pause+pause/4, maxReadyPause)
	}
}
