package telemetry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/telemetry"
)

// FuzzDecodeRecord holds the decoder against the slow one.
func FuzzDecodeRecord(f *testing.F) {
	for _, seed := range []string{
		`br=(5000;v 320;a),cid="vod-42",com.example-arm="treatment",e=ps,sid="s",sn=0,sta=p,ts=1795384700961,v=2`,
		`bl=5000,bs,su=?0,pr=1.08,nor=("a.m4s";r="0-99" "b.m4s"),ec=27,v=1`,
		`cid="a\"b\\c,d" , sid="unterminated,sn=1`,
		`br=(3150.4),tpb=(1 2,3),=x,,bl=(),e=e;x=:aGk=:,ts=-1,msd=4`,
		`sn=1234567890123456,v=3,x-y=*tok/en:1,x-z=1`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		raw = strings.Trim(raw, " \t\r\n")
		if len(raw) > telemetry.MaxCMCDRecordBytes {
			t.Skip()
		}
		got, rejected, ok := telemetry.DecodeRecord(raw, telemetry.ModeRequest)
		want, faults := slowDecode(raw)
		known := 0
		for key := range want {
			if slowTypes[key] != nil {
				known++
			}
		}
		wantOK := faults <= 16 && known > 0 && (want["v"] == "" || want["v"] == "1" || want["v"] == "2")
		if ok != wantOK {
			t.Fatalf("DecodeRecord(%q) taken = %v, want %v: %v", raw, ok, wantOK, rejected)
		}
		if !ok {
			if len(rejected) != 1 || !rejected[0].Whole {
				t.Errorf("DecodeRecord(%q) refused with %v, want one whole rejection", raw, rejected)
			}
			return
		}
		if diff := cmp.Diff(want, valuesOf(&got)); diff != "" {
			t.Errorf("DecodeRecord(%q) differs from the slow decoder (-want +got):\n%s", raw, diff)
		}
		if len(rejected) != faults {
			t.Errorf("DecodeRecord(%q) rejects %v, want %d values", raw, rejected, faults)
		}
	})
}

// FuzzDecodeCMCD: whatever arrives, each record taken can be read again from
// its raw text, and folding them does not depend on their order.
func FuzzDecodeCMCD(f *testing.F) {
	f.Add([]byte("e=ps,sid=\"s\",sn=0,sta=s,ts=1\ne=ps,sid=\"s\",sn=1,sta=p,ts=900\n"), "CMCD=sid%3D%22q%22")
	f.Add([]byte("e=rr,sid=\"s\",sn=3,ttlb=9,ts=5,msd=400\r\n\nv=3,sn=1"), "a&CMCD=%zz")
	f.Fuzz(func(t *testing.T, body []byte, query string) {
		telemetry.DecodeCMCDQuery(query)
		records, rejected, err := telemetry.DecodeCMCD(body)
		if err != nil {
			t.Skip()
		}
		lines := strings.Count(string(body), "\n") + 1
		if len(records) > lines || len(rejected) > 16*lines {
			t.Fatalf("%d records and %d rejections of %d lines", len(records), len(rejected), lines)
		}
		for i := range records {
			again, _, ok := telemetry.DecodeRecord(records[i].Raw, telemetry.ModeEvent)
			again.Index = records[i].Index
			if diff := cmp.Diff(records[i], again); diff != "" || !ok {
				t.Fatalf("record %q read again = %v (-first +again):\n%s", records[i].Raw, ok, diff)
			}
		}
		want := telemetry.FoldCMCD(records)
		slices.Reverse(records)
		if diff := cmp.Diff(want, telemetry.FoldCMCD(append(records, records...))); diff != "" {
			t.Fatalf("FoldCMCD of %q reversed and repeated (-want +got):\n%s", body, diff)
		}
	})
}
