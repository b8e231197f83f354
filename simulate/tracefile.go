package simulate

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// traceFiles names the measurements that stand for each class.
var traceFiles = [netClasses]string{
	NetFixed: "oboe_conviva_sessions.csv.gz",
	NetWifi:  "puffer_2021-10-17.csv.gz",
	NetLTE:   "lte_4g_ghent.csv.gz",
	Net3G:    "hsdpa_3g_norway.csv.gz",
}

// Limits of a trace file.
const (
	maxTraceRows  = 2_000_000 // 20 times the largest file known
	maxTraceSec   = 7_200     // longer than any session
	maxRowSec     = 3_600
	maxTraceKbps  = 10_000_000 // 10 Gbit/s
	maxTraceRTTMs = 60_000
)

// LoadNetworks reads measured traces from a folder: gzip CSV files with the
// columns trace_id, duration_ms, kbps, rtt_ms (empty: not measured).
func LoadNetworks(folder string) (*Networks, error) {
	var n Networks
	for c := range n {
		path := filepath.Join(folder, traceFiles[c])
		traces, err := loadTraces(path, processes[c].rttSec)
		if err != nil {
			return nil, fmt.Errorf("traces of class %s: %s: %w", NetClass(c), path, err)
		}
		n[c] = traces
	}
	return &n, nil
}

func loadTraces(path string, rttSec float64) ([]Trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	return readTraces(z, rttSec)
}

// readTraces reads one CSV file. Links are resampled to whole seconds, each
// holding what could be pulled within it.
func readTraces(r io.Reader, rttSec float64) ([]Trace, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = 4
	in.ReuseRecord = true
	if head, err := in.Read(); err != nil || head[0] != "trace_id" || head[2] != "kbps" {
		return nil, errors.New("the first line must be trace_id,duration_ms,kbps,rtt_ms")
	}
	var traces []Trace
	var id string
	var s resampler
	for line := 2; ; line++ {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if line > maxTraceRows {
			return nil, fmt.Errorf("more than %d lines", maxTraceRows)
		}
		if row[0] != id || line == 2 {
			traces = s.flush(traces)
			id = row[0]
			s = resampler{rttSec: rttSec}
		}
		if err := s.row(row[1], row[2], row[3]); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
	traces = s.flush(traces)
	if len(traces) == 0 {
		return nil, errors.New("no trace of a second or more with any throughput")
	}
	return traces, nil
}

// resampler turns pieces of constant throughput into one value a second.
type resampler struct {
	kbps   []float32
	bits   float64 // kbit within the unfinished second
	filled float64 // of that second
	alive  bool    // some throughput was seen
	rttSec float64
	rttSum float64
	rttN   int
}

func (s *resampler) row(durationMs, kbps, rttMs string) error {
	ms, err := parseWithin(durationMs, maxRowSec*1000)
	if err != nil {
		return fmt.Errorf("duration_ms: %w", err)
	}
	rate, err := parseWithin(kbps, maxTraceKbps)
	if err != nil {
		return fmt.Errorf("kbps: %w", err)
	}
	if rttMs != "" {
		rtt, err := parseWithin(rttMs, maxTraceRTTMs)
		if err != nil {
			return fmt.Errorf("rtt_ms: %w", err)
		}
		s.rttSum += rtt / 1000
		s.rttN++
	}
	s.alive = s.alive || rate > 0
	for sec := ms / 1000; sec > 0; {
		use := min(sec, 1-s.filled)
		s.bits += use * rate
		s.filled += use
		sec -= use
		if s.filled >= 1-1e-9 {
			if len(s.kbps) < maxTraceSec {
				s.kbps = append(s.kbps, float32(s.bits))
			}
			s.bits, s.filled = 0, 0
		}
	}
	return nil
}

// flush appends the finished trace, unless it says nothing.
func (s *resampler) flush(traces []Trace) []Trace {
	if len(s.kbps) == 0 || !s.alive {
		return traces
	}
	rtt := s.rttSec
	if s.rttN > 0 {
		rtt = s.rttSum / float64(s.rttN)
	}
	return append(traces, Trace{Kbps: s.kbps, RTTSec: rtt})
}

// parseWithin reads a number of 0 to most.
func parseWithin(s string, most float64) (float64, error) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= 0 && x <= most) {
		return 0, fmt.Errorf("%q is not a number from 0 to %g", s, most)
	}
	return x, nil
}
