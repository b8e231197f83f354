// Command ofrepload measures what an OFREP answer costs a server: CPU time
// (user and system) per request, as a ratio to a handler that decodes the same
// body and writes as many constant bytes. Both servers are child processes and
// are driven in turn in the same run over loopback, because on a shared machine
// only such ratios are steady. It needs Linux (/proc).
//
//	ofrepload -n 40000 -rounds 5
//	ofrepload -listen 127.0.0.1:8080 serve
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/splitcast/splitcast/bench/workload"
)

type options struct {
	requests    int
	rounds      int
	conns       int
	experiments int
	listen      string
	single      int // bytes of the floor's answers
	bulk        int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ofrepload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	fs := flag.NewFlagSet("ofrepload", flag.ContinueOnError)
	fs.IntVar(&o.requests, "n", 40_000, "requests of a round and case (a tenth of it for bulk)")
	fs.IntVar(&o.rounds, "rounds", 5, "rounds; the median is printed")
	fs.IntVar(&o.conns, "conns", 8, "connections")
	fs.IntVar(&o.experiments, "experiments", 200, "live experiments")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:0", "address of serve and floor")
	fs.IntVar(&o.single, "single", 300, "bytes of the floor's single answer")
	fs.IntVar(&o.bulk, "bulk", 22_000, "bytes of the floor's bulk answer")
	if err := fs.Parse(args); err != nil {
		return err
	}
	switch fs.Arg(0) {
	case "":
		return compare(ctx, &o, out)
	case "serve":
		h, err := splitcastHandler(o.experiments)
		if err != nil {
			return err
		}
		return serve(ctx, o.listen, h, out)
	case "floor":
		return serve(ctx, o.listen, floorHandler(o.single, o.bulk), out)
	}
	return fmt.Errorf("unknown command %q", fs.Arg(0))
}

// serve prints the address and serves until ctx ends.
func serve(ctx context.Context, addr string, h http.Handler, out io.Writer) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h}
	context.AfterFunc(ctx, func() { _ = srv.Close() })
	fmt.Fprintln(out, l.Addr())
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// child is a server in a process of its own.
type child struct {
	cmd  *exec.Cmd
	base string
}

func startChild(ctx context.Context, args ...string) (*child, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	addr, err := bufio.NewReader(pipe).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%v did not print its address: %w", args, err), cmd.Wait())
	}
	return &child{cmd: cmd, base: "http://" + strings.TrimSpace(addr)}, nil
}

// stop ends the process and waits for it.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.cmd.Wait()
}

// loadCase is one kind of request.
type loadCase struct {
	name     string
	requests []request
	n        int
	want     int // status
}

func compare(ctx context.Context, o *options, out io.Writer) error {
	ours, err := startChild(ctx, "-experiments", fmt.Sprint(o.experiments), "serve")
	if err != nil {
		return err
	}
	defer ours.stop()
	client := newClient(o.conns)
	vs := workload.Viewers(viewerCount)
	single, err := client.size(ctx, ours.base, singleRequest(&vs[0], 0))
	if err != nil {
		return err
	}
	bulk, err := client.size(ctx, ours.base, bulkRequest(&vs[0]))
	if err != nil {
		return err
	}
	floor, err := startChild(ctx, "-single", fmt.Sprint(single), "-bulk", fmt.Sprint(bulk), "floor")
	if err != nil {
		return err
	}
	defer floor.stop()
	conditional, err := client.conditional(ctx, ours.base, vs)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d experiments, answers of %d and %d bytes, median of %d rounds, CPU µs a request\n", o.experiments, single, bulk, o.rounds)
	cases := []struct{ ours, floor loadCase }{
		{
			loadCase{"single", singleRequests(vs, o.experiments), o.requests, http.StatusOK},
			loadCase{"", singleRequests(vs, o.experiments), o.requests, http.StatusOK},
		},
		{
			loadCase{"bulk", bulkRequests(vs), o.requests / 10, http.StatusOK},
			loadCase{"", bulkRequests(vs), o.requests / 10, http.StatusOK},
		},
		{ // the floor answers a 304's request with the small body: the stricter comparison
			loadCase{"bulk 304", conditional, o.requests, http.StatusNotModified},
			loadCase{"", singleRequests(vs, o.experiments), o.requests, http.StatusOK},
		},
	}
	for _, c := range cases {
		var a, b, ratio []float64
		for range o.rounds {
			x, err := client.cpuMicros(ctx, ours, &c.ours)
			if err != nil {
				return err
			}
			y, err := client.cpuMicros(ctx, floor, &c.floor)
			if err != nil {
				return err
			}
			a, b, ratio = append(a, x), append(b, y), append(ratio, x/y)
		}
		fmt.Fprintf(out, "%-9s ours %6.1f   floor %6.1f   ratio %.2f (%.2f to %.2f)\n",
			c.ours.name, median(a), median(b), median(ratio), slices.Min(ratio), slices.Max(ratio))
	}
	return nil
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
