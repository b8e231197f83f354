package telemetry_test

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// TestDecodeRecordAllocates: known keys of every type need no memory of their own
// but for lists and unescaped texts; what a heartbeat does not carry costs none.
func TestDecodeRecordAllocates(t *testing.T) {
	const records = 500
	const base = `sid="s",sn=1,ts=1795384000000,v=2`
	for keys, most := range map[string]float64{
		base: 0,
		`bg,bs,cid="c",e=ps,ltc=3000,msd=400,mtp=2500,pr=1.05,sta=p,su,` + base:                     0,
		`cdn="x",d=2000,dfa=3,dl=800,e=rr,ot=v,pt=1,rc=200,rtp=1,sf=h,st=l,ttfb=20,ttlb=40,` + base: 0,
		`bl=(2000),br=(5000;v 320;a),e=t,` + base:                                                   2, // one each
	} {
		body := []byte(strings.Repeat(keys+"\n", records))
		got := testing.AllocsPerRun(10, func() {
			if all, rejected, err := telemetry.DecodeCMCD(body); len(all) != records || rejected != nil || err != nil {
				t.Fatalf("%s: %v, %v", keys, rejected, err)
			}
		}) / records
		if got > most+bodyAllocs/records {
			t.Errorf("a record of %s allocates %v times, want at most %v", keys, got, most)
		}
	}
}

// bodyAllocs is what a body takes whatever it holds: its text and its records.
const bodyAllocs = 10.0

// TestMergeAllocates: folding a record into its session needs no memory while all
// records are of one epoch, whatever is kept of latencies and measures.
func TestMergeAllocates(t *testing.T) {
	hbs := beats(life{clock0, 2})
	for i := range hbs {
		hbs[i].LatencyMinutes = telemetry.Dwell{{At: 3_000, Ms: 1}}
		hbs[i].SinceStallMs = 5
	}
	stored, next := telemetry.FoldBatch(hbs[:1], 1)[0], telemetry.FoldBatch(hbs[1:], 2)[0]
	if got := testing.AllocsPerRun(100, func() {
		if telemetry.Merge(stored, next).Last.Seq != 1 {
			t.Fatal("not merged")
		}
	}); got != 0 {
		t.Errorf("Merge allocates %v times, want 0", got)
	}
	plain := beats(life{clock0, 1})
	if got := testing.AllocsPerRun(100, func() {
		var s telemetry.Session
		s.Apply(&plain[0], 1)
	}); got > 1 { // the offset of the clock
		t.Errorf("Apply of a plain record allocates %v times, want at most 1", got)
	}
}
