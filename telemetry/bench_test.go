package telemetry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// benchBatch is a body of n records of usual size, of n sessions.
func benchBatch(n int) []byte {
	var body strings.Builder
	for i := range n {
		body.WriteString(strings.Replace(fullHeartbeat, "2a1c857d", fmt.Sprintf("%08x", i), 1))
		body.WriteByte('\n')
	}
	return []byte(body.String())
}

const benchRecords = 1000

// perRecord reports the time of one record.
func perRecord(b *testing.B, n int) {
	b.Helper()
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
}

func BenchmarkDecodeHeartbeats(b *testing.B) {
	body := benchBatch(benchRecords)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		hbs, rejected, err := telemetry.DecodeHeartbeats(body, "application/x-ndjson")
		if len(hbs) != benchRecords || rejected != nil || err != nil {
			b.Fatal(len(hbs), rejected, err)
		}
	}
	perRecord(b, benchRecords)
}

func BenchmarkFoldBatch(b *testing.B) {
	hbs, _, err := telemetry.DecodeHeartbeats(benchBatch(benchRecords), "application/x-ndjson")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := telemetry.FoldBatch(hbs, clock0); len(got) != benchRecords {
			b.Fatal(len(got))
		}
	}
	perRecord(b, benchRecords)
}

func BenchmarkMerge(b *testing.B) {
	hbs := beats(life{clock0, 2})
	stored, next := telemetry.FoldBatch(hbs[:1], 1)[0], telemetry.FoldBatch(hbs[1:], 2)[0]
	b.ReportAllocs()
	for b.Loop() {
		if telemetry.Merge(stored, next).Last.Seq != 1 {
			b.Fatal("not merged")
		}
	}
}

// corpusEvents returns the event bodies of the captures as one body per
// session, and their records.
func corpusEvents(b *testing.B) (bodies [][]byte, sessions [][]telemetry.Record, n int) {
	b.Helper()
	for _, s := range beaconCorpus(b) {
		records, _ := s.records(b, telemetry.ModeEvent)
		if len(records) == 0 {
			continue
		}
		var body strings.Builder
		for i := range records {
			body.WriteString(records[i].Raw + "\n")
		}
		bodies, sessions = append(bodies, []byte(body.String())), append(sessions, records)
		n += len(records)
	}
	return bodies, sessions, n
}

func BenchmarkDecodeCMCD(b *testing.B) {
	bodies, _, n := corpusEvents(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, body := range bodies {
			if _, _, err := telemetry.DecodeCMCD(body); err != nil {
				b.Fatal(err)
			}
		}
	}
	perRecord(b, n)
}

func BenchmarkFoldCMCD(b *testing.B) {
	_, sessions, n := corpusEvents(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, records := range sessions {
			if telemetry.FoldCMCD(records).SessionID == "" {
				b.Fatal("no session")
			}
		}
	}
	perRecord(b, n)
}
