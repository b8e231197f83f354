package postgres

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
)

// proxy stands between a database and its clients, and can lose everything
// that passes without a word, as a network does that drops packets.
type proxy struct {
	dsn string // by which clients come through it

	mu    sync.Mutex
	calm  *sync.Cond // while not silent
	mute  bool
	ended bool
	conns []net.Conn
}

var dsnHost = regexp.MustCompile(`host='([^']*)' port=(\d+)`)

// newProxy starts a proxy to the database of a DSN of pgtest.
func newProxy(t testing.TB, dsn string) *proxy {
	t.Helper()
	found := dsnHost.FindStringSubmatch(dsn)
	if found == nil {
		t.Fatalf("the DSN %q has no socket folder", dsn)
	}
	target := filepath.Join(found[1], ".s.PGSQL."+found[2])
	dir, err := os.MkdirTemp("", "proxy") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{dsn: dsnHost.ReplaceAllLiteralString(dsn, "host='"+dir+"' port=5432")}
	p.calm = sync.NewCond(&p.mu)
	var running sync.WaitGroup
	running.Go(func() { p.accept(listener, target, &running) })
	t.Cleanup(func() {
		_ = listener.Close() // ends accept
		p.end()
		running.Wait()
		_ = os.RemoveAll(dir)
	})
	return p
}

func (p *proxy) accept(listener net.Listener, target string, running *sync.WaitGroup) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", target)
		if err != nil {
			_ = client.Close() // the client sees a database that is away
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		running.Go(func() { p.forward(server, client) })
		running.Go(func() { p.forward(client, server) })
	}
}

// forward copies until an end, but holds what it read while the proxy is silent.
func (p *proxy) forward(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.mute && !p.ended {
			p.calm.Wait()
		}
		p.mu.Unlock()
		if _, writeErr := to.Write(buf[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// silence stops or resumes the forwarding.
func (p *proxy) silence(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
	p.calm.Broadcast()
}

// end closes all connections.
func (p *proxy) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.calm.Broadcast()
	for _, c := range p.conns {
		_ = c.Close() // the other side may have
	}
}
