package postgres

import (
	"context"
	"net"
	"sync"
	"time"
)

// dialer makes the network connections of the driver. A connection on which an
// answer takes longer than readTimeout is closed; 0 waits for ever.
type dialer struct {
	readTimeout time.Duration

	mu     sync.Mutex
	open   map[int64]func() // ends a connection, or the attempt at one
	lastID int64
	closed bool
}

// Dial implements pq.Dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialTimeout(network, address, connectTimeout)
}

// DialTimeout implements pq.Dialer.
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// DialContext implements pq.DialerContext.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	id, ok := d.add(cancel)
	if !ok {
		return nil, net.ErrClosed
	}
	var plain net.Dialer
	c, err := plain.DialContext(ctx, network, address)
	d.remove(id)
	if err != nil {
		return nil, err
	}
	end := func() { _ = c.Close() } // whoever uses it hears of the end
	w := &watchedConn{Conn: c, dialer: d}
	if w.id, ok = d.add(end); !ok {
		end()
		return nil, net.ErrClosed
	}
	if d.readTimeout > 0 {
		w.late = time.AfterFunc(d.readTimeout, end)
		w.late.Stop()
	}
	return w, nil
}

func (d *dialer) add(end func()) (id int64, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, false
	}
	if d.open == nil {
		d.open = map[int64]func(){}
	}
	d.lastID++
	d.open[d.lastID] = end
	return d.lastID, true
}

func (d *dialer) remove(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, id)
}

// drop ends all connections; what waits on them fails at once.
func (d *dialer) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, end := range d.open {
		end()
	}
}

// shut drops all connections and refuses new ones.
func (d *dialer) shut() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.drop()
}

// watchedConn closes itself when a read takes too long. PostgreSQL is read only
// while an answer is due, so idle connections are not concerned.
type watchedConn struct {
	net.Conn
	dialer *dialer
	id     int64
	late   *time.Timer // nil: no limit
}

// Read implements net.Conn.
func (w *watchedConn) Read(b []byte) (int, error) {
	if w.late != nil {
		w.late.Reset(w.dialer.readTimeout)
		defer w.late.Stop()
	}
	return w.Conn.Read(b)
}

// Close implements net.Conn.
func (w *watchedConn) Close() error {
	w.dialer.remove(w.id)
	return w.Conn.Close()
}
