// Command ingestload measures what players wait for an acknowledgement and what
// a server holds while many viewings are open. It starts `splitcast serve` with
// a private PostgreSQL in a new folder, opens viewings as fast as the server
// takes them, and then sends heartbeats and CMCD records at a steady rate. Each
// acknowledgement comes after the commit; its time counts from when the request
// was due, so that a server that stalls is charged for all who wait. It needs
// Linux (/proc).
//
//	go build -o /tmp/splitcast .. && ingestload -splitcast /tmp/splitcast -viewings 1000000 -for 1m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"time"
)

type options struct {
	splitcast string
	viewings  int
	beats     int // heartbeats a second
	records   int // CMCD records a second
	lasting   time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ingestload:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	fs := flag.NewFlagSet("ingestload", flag.ContinueOnError)
	fs.StringVar(&o.splitcast, "splitcast", "splitcast", "the program to measure")
	fs.IntVar(&o.viewings, "viewings", 1_000_000, "viewings that are open")
	fs.IntVar(&o.beats, "beats", 25_000, "heartbeats a second")
	fs.IntVar(&o.records, "records", 10_000, "CMCD records a second")
	fs.DurationVar(&o.lasting, "for", time.Minute, "how long each load lasts")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.viewings < beatsPerRequest || o.beats < beatsPerRequest || o.records < recordsPerRequest {
		return errors.New("viewings, beats and records: at least one request of each")
	}
	s, err := startServer(ctx, o.splitcast)
	if err != nil {
		return err
	}
	defer s.stop()

	began := time.Now()
	if err := openViewings(ctx, s, o.viewings); err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(out, "%d viewings opened in %.1f s, %.0f heartbeats/s\n", o.viewings, took.Seconds(), float64(o.viewings)/took.Seconds())
	if err := s.printMemory(out); err != nil {
		return err
	}
	loads := []struct {
		name string
		rate int // requests a second
		unit int // records a request
		next func(i int) request
	}{
		{"heartbeats", o.beats / beatsPerRequest, beatsPerRequest, func(i int) request { return beatRequest(i, 1+i*beatsPerRequest/o.viewings, o.viewings) }},
		{"CMCD records", o.records / recordsPerRequest, recordsPerRequest, func(i int) request { return recordRequest(i, s.ingestKey) }},
	}
	for _, l := range loads {
		times, err := pace(ctx, s, l.rate, o.lasting, l.next)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		slices.Sort(times)
		at := func(share float64) time.Duration {
			return times[int(share*float64(len(times)-1))].Round(100 * time.Microsecond)
		}
		fmt.Fprintf(out, "%d %s/s in requests of %d: acknowledged after p50 %v, p99 %v, at most %v\n",
			l.rate*l.unit, l.name, l.unit, at(0.5), at(0.99), at(1))
		if err := s.printMemory(out); err != nil {
			return err
		}
	}
	return nil
}
