package simulate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const traceHead = "trace_id,duration_ms,kbps,rtt_ms\n"

func TestReadTracesResamples(t *testing.T) {
	t.Parallel()
	in := traceHead +
		"a,500,1000,\n" +
		"a,1500,2000,\n" + // second 1: 0.5 s of each; second 2: 2000
		"a,400,9,\n" + // an unfinished second is dropped
		"b,1000,0,40\n" +
		"b,1000,800,60\n" +
		"dead,5000,0,\n" // says nothing
	got, err := readTraces(strings.NewReader(in), 0.02)
	want := []Trace{
		{Kbps: []float32{1500, 2000}, RTTSec: 0.02},
		{Kbps: []float32{0, 800}, RTTSec: 0.05},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("readTraces: %v, (-want +got)\n%s", err, diff)
	}
}

func TestReadTracesRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, in, want string }{
		{"nothing", "", "first line"},
		{"another header", "x,y,z,w\n", "first line"},
		{"no trace", traceHead, "no trace"},
		{"a missing column", traceHead + "a,1000,5\n", "fields"},
		{"a word", traceHead + "a,1000,fast,\n", "line 2: kbps"},
		{"a negative duration", traceHead + "a,-1,5,\n", "line 2: duration_ms"},
		{"not a number", traceHead + "a,1000,NaN,\n", "line 2: kbps"},
		{"duration over the limit", traceHead + "a,3600001,5,\n", "duration_ms"},
		{"throughput over the limit", traceHead + "a,1000,10000001,\n", "kbps"},
		{"round trip over the limit", traceHead + "a,1000,5,60001\n", "rtt_ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := readTraces(strings.NewReader(test.in), 0.02)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("readTraces = %v, want an error about %q", err, test.want)
			}
		})
	}
}

func TestReadTracesAtLimits(t *testing.T) {
	t.Parallel()
	in := traceHead + fmt.Sprintf("a,%d,%d,%d\n", maxRowSec*1000, maxTraceKbps, maxTraceRTTMs)
	got, err := readTraces(strings.NewReader(in), 0.02)
	if err != nil || len(got) != 1 || len(got[0].Kbps) != maxRowSec {
		t.Fatalf("readTraces at the limits: %d traces, %v", len(got), err)
	}
	long := traceHead + strings.Repeat("a,3600000,100,\n", 3)
	got, err = readTraces(strings.NewReader(long), 0.02)
	if err != nil || len(got[0].Kbps) != maxTraceSec {
		t.Fatalf("a trace of three hours: %d s kept, %v, want %d", len(got[0].Kbps), err, maxTraceSec)
	}
}

func TestLoadNetworksNamesTheMissingFile(t *testing.T) {
	t.Parallel()
	_, err := LoadNetworks(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "class fixed") {
		t.Errorf("LoadNetworks = %v, want an error that names the class", err)
	}
}

func FuzzReadTraces(f *testing.F) {
	f.Add(traceHead + "a,1000,5,\n")
	f.Add(traceHead + "a,1000,5,20\nb,1,1e6,\n")
	f.Add(traceHead + "\"a,\",1e3,5,\n")
	f.Fuzz(func(t *testing.T, in string) {
		traces, err := readTraces(strings.NewReader(in), 0.02)
		if err != nil {
			return
		}
		for _, tr := range traces {
			if len(tr.Kbps) == 0 || len(tr.Kbps) > maxTraceSec {
				t.Fatalf("a trace of %d s", len(tr.Kbps))
			}
			l := link{trace: &tr}
			if took, _ := l.fetch(0, 1000); !(took > 0 && took <= fetchLimitSec) {
				t.Fatalf("a fetch took %g s", took)
			}
		}
	})
}
