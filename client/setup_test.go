package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/internal/servertest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// testNow is the time of these tests.
var testNow = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// patience bounds every wait for what must come.
const patience = 30 * time.Second

// handClock is moved by the test.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// testServer is a real server by a clock of the test.
type testServer struct {
	*servertest.Server

	clock *handClock
}

// document is what the test servers run: one experiment of each type of value,
// one in a part of its layer, one for an audience, one with an override, one
// that is paused.
const document = `{"experiments":[
	{"key":"autoplay","unit":"viewer","design":"ab","status":"running","overrides":{"qa-1":"treatment"},
	 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}},
	{"key":"title","unit":"viewer","design":"ab","status":"running","layer":"home","slots":5000,
	 "arms":[{"key":"control","weight":1,"value":"Home"},{"key":"a","weight":1,"value":"Live \"now\""},{"key":"b","weight":1,"value":"Jetzt live – ü"}],"plan":{"primary":["stall_ratio"]}},
	{"key":"buffer","unit":"viewer","design":"ab","status":"running","layer":"home","slots":3000,
	 "arms":[{"key":"control","weight":3,"value":4},{"key":"treatment","weight":1,"value":6}],"plan":{"primary":["stall_ratio"]}},
	{"key":"rate","unit":"viewer","design":"ab","status":"running",
	 "audience":{"all":[{"attr":"country","op":"in","values":["DE","FR"]},{"attr":"build","op":"ge","value":100}]},
	 "arms":[{"key":"control","weight":1,"value":0.8},{"key":"treatment","weight":1,"value":0.75}],"plan":{"primary":["stall_ratio"]}},
	{"key":"abr","unit":"viewer","design":"ab","status":"running",
	 "arms":[{"key":"control","weight":1,"value":{"safety":0.8,"steps":[1,2]}},{"key":"treatment","weight":1,"value":{"safety":0.75,"steps":[3]}}],"plan":{"primary":["stall_ratio"]}},
	{"key":"camera","unit":"broadcaster","design":"ab","status":"running",
	 "arms":[{"key":"control","weight":1,"value":"720p"},{"key":"treatment","weight":1,"value":"1080p"}],"plan":{"primary":["stall_ratio"]}},
	{"key":"preroll","unit":"viewer","design":"ab","status":"running","requires":[{"experiment":"autoplay","arms":["treatment"]}],
	 "arms":[{"key":"control","weight":1,"value":5},{"key":"treatment","weight":1,"value":2.5}],"plan":{"primary":["stall_ratio"]}},
	{"key":"draft","unit":"viewer","design":"ab","status":"draft",
	 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}}]}`

// changedTitle is document with another value.
const changedTitle = `{"experiments":[
	{"key":"title","unit":"viewer","design":"ab","status":"running","layer":"home","slots":5000,
	 "arms":[{"key":"control","weight":1,"value":"Start"},{"key":"a","weight":1,"value":"Live \"now\""},{"key":"b","weight":1,"value":"Jetzt live – ü"}],"plan":{"primary":["stall_ratio"]}}]}`

func newServer(t testing.TB) *testServer {
	t.Helper()
	clock := &handClock{at: testNow}
	return &testServer{servertest.New(t, document, clock.now), clock}
}

// config is a Client's configuration for quick tests: news arrive by the event
// stream, or in a fifth of a second.
func (s *testServer) config() client.Config {
	return client.Config{URL: s.URL, Token: servertest.ServiceKey, Poll: 200 * time.Millisecond, Timeout: 5 * time.Second, Now: s.clock.now}
}

// newClient starts a Client that ends with the test.
func newClient(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	c, err := client.New(context.Background(), cfg) // it outlives t.Context, which ends before the clean-up
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Close(ctx) // tests of a server that is away end before it is back
	})
	return c
}

// readyClient starts a Client and waits for its first configuration.
func readyClient(t testing.TB, cfg client.Config) *client.Client {
	t.Helper()
	c := newClient(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

func closeClient(t testing.TB, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := c.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// who returns the context of a viewer in Germany.
func who(id string) *assignment.Context {
	ctx := assignment.NewContext(id)
	ctx.SetString("country", "DE")
	ctx.SetNumber("build", 120)
	return ctx
}

// eventually waits until check returns nil.
func eventually(t testing.TB, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", patience, err)
		case <-tick.C:
		}
	}
}

// gives waits until the control value of title, as an override would get it, is
// want.
func gives(t testing.TB, c *client.Client, want string) {
	t.Helper()
	eventually(t, func() error {
		if got := controlTitle(c); got != want {
			return fmt.Errorf("title is %q, want %q; %+v", got, want, c.Stats())
		}
		return nil
	})
}

// controlTitle asks for a unit outside the slots of title, which gets control.
func controlTitle(c *client.Client) string {
	for i := range 1000 {
		v, d := c.String("title", assignment.NewContext(fmt.Sprint("outside-", i)), "default")
		if d.Err != nil || d.Cause == assignment.CauseSlots {
			return v
		}
	}
	return "everyone is inside"
}

// front is a reverse proxy before a server. change may answer by itself; it
// returns false to let the request through.
func front(t testing.TB, target string, change func(w http.ResponseWriter, r *http.Request, pass http.Handler) bool) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.FlushInterval = -1
	transport := http.DefaultTransport.(*http.Transport).Clone()
	proxy.Transport = transport
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !change(w, r, proxy) {
			proxy.ServeHTTP(w, r)
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(l) // ends by Close
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
		transport.CloseIdleConnections()
	})
	return "http://" + l.Addr().String()
}

// silentProxy forwards TCP, and can lose everything that passes without a word,
// as a network does that drops packets.
type silentProxy struct {
	url   string
	mu    sync.Mutex
	calm  *sync.Cond
	mute  bool
	ended bool
	conns []net.Conn
}

func newSilentProxy(t testing.TB, target string) *silentProxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &silentProxy{url: "http://" + l.Addr().String()}
	p.calm = sync.NewCond(&p.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := new(net.Dialer).DialContext(context.Background(), "tcp", target[len("http://"):])
			if err != nil {
				_ = in.Close() // the client sees a server that is away
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, in, out)
			p.mu.Unlock()
			running.Go(func() { p.forward(in, out) })
			running.Go(func() { p.forward(out, in) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		p.ended = true
		p.calm.Broadcast()
		for _, c := range p.conns {
			_ = c.Close() // the other side may have
		}
		p.mu.Unlock()
		running.Wait()
	})
	return p
}

func (p *silentProxy) forward(to, from net.Conn) {
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
		_, writeErr := to.Write(buf[:n])
		if errors.Join(err, writeErr) != nil {
			return
		}
	}
}

func (p *silentProxy) silence(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
	p.calm.Broadcast()
}

func readAll(t testing.TB, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
