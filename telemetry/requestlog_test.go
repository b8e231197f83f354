package telemetry_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// inQuery writes a line whose request carries CMCD in its query.
func inQuery(cmcd string, recvMs int64) string {
	return fmt.Sprintf(`{"query":"a=b&CMCD=%s&c=d","recv_ms":%d}`, url.QueryEscape(cmcd), recvMs)
}

func TestDecodeRequestLogs(t *testing.T) {
	t.Parallel()
	const day = 24 * 3_600_000
	for _, c := range []struct {
		name, body string
		want       []string // sid, br, bl, player of each record
		rejected   string
		without    int
	}{
		{name: "v1 query", body: inQuery(`bl=2000,br=750,d=2000,ot=v,sid="s"`, clock0), want: []string{"s 750 2000 "}},
		{name: "v2 query", body: inQuery(`bl=(2000),br=(750;v),sid="s",sn=4,v=2`, clock0), want: []string{"s 750 2000 "}},
		{name: "v2 query, spaces as plus", body: `{"query":"CMCD=br%3D%28750%3Bv+64%3Ba%29%2Csid%3D%22s%22%2Cv%3D2","recv_ms":` + fmt.Sprint(clock0) + `}`, want: []string{"s 750 0 "}},
		{name: "with its question mark", body: `{"query":"?CMCD=br%3D1%2Csid%3D%22s%22","recv_ms":` + fmt.Sprint(clock0) + `}`, want: []string{"s 1 0 "}},
		{
			name: "v1 headers", body: fmt.Sprintf(`{"headers":{"cmcd-object":"br=750,ot=v","CMCD-Request":"bl=2000","Cmcd-Session":"sid=\"s\"","Host":"cdn"},"recv_ms":%d}`, clock0),
			want: []string{"s 750 2000 "},
		},
		{
			name: "headers win over the query", want: []string{"h 1 0 "},
			body: fmt.Sprintf(`{"query":"CMCD=br%%3D2%%2Csid%%3D%%22q%%22","headers":{"CMCD-Object":"br=1","CMCD-Session":"sid=\"h\""},"recv_ms":%d}`, clock0),
		},
		{
			name: "headers as lists", want: []string{"h 1 0 "},
			body: fmt.Sprintf(`{"headers":{"CMCD-Object":["br=1","ot=v"],"CMCD-Session":["sid=\"h\""],"CMCD-Status":[],"CMCD-Request":null},"recv_ms":%d}`, clock0),
		},
		{
			name: "who played", want: []string{"s 1 0 hls.js"},
			body: fmt.Sprintf(`{"query":"CMCD=br%%3D1%%2Csid%%3D%%22s%%22","recv_ms":%d,"player":"hls.js","player_version":"1.7.4","edge":"fra"}`, clock0),
		},
		{name: "array", body: "[" + inQuery(`br=1,sid="a"`, clock0) + "," + inQuery(`br=2,sid="b"`, clock0) + "]", want: []string{"a 1 0 ", "b 2 0 "}},
		{name: "lines", body: inQuery(`br=1,sid="a"`, clock0) + "\n" + inQuery(`br=2,sid="b"`, clock0) + "\n", want: []string{"a 1 0 ", "b 2 0 "}},
		{name: "a bad value", body: inQuery(`bl=fast,br=1,sid="s"`, clock0), want: []string{"s 1 0 "}, rejected: "0 bl type"},
		{name: "without CMCD", body: fmt.Sprintf(`[{"query":"a=b","recv_ms":%d},{"recv_ms":%d},{"headers":{},"recv_ms":%d}]`, clock0, clock0, clock0), without: 3},
		{name: "without a session", body: inQuery(`br=1`, clock0), rejected: "0 sid missing whole"},
		{name: "without a time", body: `{"query":"CMCD=sid%3D%22s%22"}`, rejected: "0 recv_ms missing whole"},
		{name: "a time in words", body: `{"query":"CMCD=sid%3D%22s%22","recv_ms":"now"}`, rejected: "0 recv_ms type whole"},
		{name: "oldest", body: inQuery(`br=1,sid="s"`, clock0-7*day), want: []string{"s 1 0 "}},
		{name: "older", body: inQuery(`br=1,sid="s"`, clock0-7*day-1), rejected: "0 recv_ms implausible whole"},
		{name: "newest", body: inQuery(`br=1,sid="s"`, clock0+60_000), want: []string{"s 1 0 "}},
		{name: "of the future", body: inQuery(`br=1,sid="s"`, clock0+60_001), rejected: "0 recv_ms implausible whole"},
		{name: "too new a version", body: inQuery(`br=1,sid="s",v=3`, clock0), rejected: "0 v version whole"},
		{name: "not encoded", body: fmt.Sprintf(`{"query":"CMCD=%%zz","recv_ms":%d}`, clock0), rejected: "0 query malformed whole"},
		{name: "no dictionary", body: inQuery(`((`, clock0), rejected: "0  malformed whole"},
		{name: "headers as text", body: fmt.Sprintf(`{"headers":"CMCD-Object: br=1","recv_ms":%d}`, clock0), rejected: "0 headers type whole"},
		{name: "a header as a number", body: fmt.Sprintf(`{"headers":{"CMCD-Object":1},"recv_ms":%d}`, clock0), rejected: "0 headers type whole"},
		{
			name: "one of three", body: "[" + inQuery(`br=1`, clock0) + "," + inQuery(`br=2,sid="s"`, clock0) + ",7]",
			want: []string{"s 2 0 "}, rejected: "0 sid missing whole; 2  type whole",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			log, err := telemetry.DecodeRequestLogs([]byte(c.body), "", clock0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range log.Records {
				r := &log.Records[i]
				var br, bl int64
				if len(r.BR) > 0 {
					br = r.BR[0].Value
				}
				if len(r.BL) > 0 {
					bl = r.BL[0].Value
				}
				got = append(got, fmt.Sprintf("%s %d %d %s", r.SID, br, bl, r.Player))
				if r.Mode != telemetry.ModeRequest || r.RecvMs == 0 {
					t.Errorf("record %d is of mode %d, received at %d", i, r.Mode, r.RecvMs)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			if got := rejectionWords(log.Rejected); got != c.rejected {
				t.Errorf("rejected %q, want %q", got, c.rejected)
			}
			if log.WithoutCMCD != c.without {
				t.Errorf("%d lines without CMCD, want %d", log.WithoutCMCD, c.without)
			}
		})
	}
}

// rejectionWords writes rejections without their messages.
func rejectionWords(rejected []telemetry.Rejection) string {
	var words []string
	for _, r := range rejected {
		w := fmt.Sprintf("%d %s %s", r.Index, r.Field, r.Reason)
		if r.Whole {
			w += " whole"
		}
		words = append(words, w)
	}
	return strings.Join(words, "; ")
}

func TestDecodeRequestLogsLimits(t *testing.T) {
	t.Parallel()
	line := inQuery(`br=1,sid="s"`, clock0)
	atLimit := line + strings.Repeat(" ", telemetry.MaxBodyBytes-len(line))
	small := fmt.Sprintf(`{"recv_ms":%d}`, clock0)
	full := strings.Repeat(small+"\n", telemetry.MaxBatch)
	for _, c := range []struct {
		name, body string
		code       experiment.Code // empty: taken
	}{
		{"the largest body", atLimit, ""},
		{"one byte more", atLimit + " ", experiment.CodeTooLarge},
		{"a full batch", full, ""},
		{"one more", full + small, experiment.CodeTooLarge},
		{"nothing", "", experiment.CodeInvalid},
		{"no JSON", "hello", experiment.CodeInvalid},
	} {
		_, err := telemetry.DecodeRequestLogs([]byte(c.body), "", clock0)
		if code, _ := experiment.CodeOf(err); code != c.code {
			t.Errorf("%s: %v, want code %q", c.name, err, c.code)
		}
	}
}

// logOf writes the log that a delivery network would keep of the media requests
// of a captured session.
func (s *beaconSession) logOf(t *testing.T) (lines []string) {
	t.Helper()
	for i := range s.requests {
		r := &s.requests[i]
		if r.Endpoint != "cdn" {
			continue
		}
		line, err := json.Marshal(map[string]any{"query": r.Query, "headers": r.Headers, "recv_ms": r.RecvMs, "player": s.Player})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	return lines
}

// testRequestLogs wants from a log, in any order and with lines twice, the
// session that the requests themselves make: of tier D, with no stall time.
func testRequestLogs(t *testing.T, sessions []beaconSession, folded []telemetry.Session) {
	const seed = 20261123
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // reproducible on purpose
	for i := range sessions {
		s := &sessions[i]
		if s.EventMode {
			continue
		}
		lines := s.logOf(t)
		lines = append(lines, lines[:len(lines)/2]...)
		rng.Shuffle(len(lines), func(a, b int) { lines[a], lines[b] = lines[b], lines[a] })
		half := len(lines) / 2
		var records []telemetry.Record
		for _, body := range []string{strings.Join(lines[:half], "\n"), "[" + strings.Join(lines[half:], ",") + "]"} {
			log, err := telemetry.DecodeRequestLogs([]byte(body), "", s.requests[0].RecvMs+3_600_000)
			if err != nil {
				t.Fatalf("%s: %v", s.ID, err)
			}
			for _, r := range log.Rejected {
				if r.Whole {
					t.Errorf("%s: line refused: %+v", s.ID, r)
				}
			}
			records = append(records, log.Records...)
		}
		got := telemetry.FoldCMCD(records)
		if got.Player != s.Player {
			t.Errorf("%s is of player %q, want %q", s.ID, got.Player, s.Player)
		}
		got.Player = ""
		if diff := cmp.Diff(folded[i], got); diff != "" {
			t.Errorf("%s from its log with seed %d (-requests +log):\n%s", s.ID, seed, diff)
		}
		if got.Tier != telemetry.TierD || got.Observed.Has(telemetry.ObservedStalls) || got.StallMs != 0 {
			t.Errorf("%s: tier %v, %d ms of stalls, observed %v; want D and stalls not observed", s.ID, got.Tier, got.StallMs, got.Observed)
		}
	}
}

func FuzzDecodeRequestLogs(f *testing.F) {
	f.Add(inQuery(`bl=2000,br=750,d=2000,ot=v,sid="s"`, clock0))
	f.Add(`[{"headers":{"CMCD-Object":["br=1"],"cmcd-session":"sid=\"h\""},"recv_ms":1700000000000},{"query":"?CMCD=%zz"}]`)
	f.Add("{\"headers\":{\"CMCD-Request\":[")
	f.Fuzz(func(t *testing.T, body string) {
		log, err := telemetry.DecodeRequestLogs([]byte(body), "", clock0)
		if err != nil && (len(log.Records) > 0 || len(log.Rejected) > 0) {
			t.Errorf("records beside the error %v", err)
		}
		for i := range log.Records {
			r := &log.Records[i]
			if r.SID == "" || r.Mode != telemetry.ModeRequest || r.RecvMs < clock0-telemetry.MaxLogAgeMs || r.RecvMs > clock0+telemetry.ClockSlackMs {
				t.Errorf("record %d = %+v", i, r)
			}
			again, _, ok := telemetry.DecodeRecord(r.Raw, telemetry.ModeRequest)
			again.RecvMs, again.Index, again.Player, again.PlayerVersion = r.RecvMs, r.Index, r.Player, r.PlayerVersion
			if diff := cmp.Diff(*r, again); !ok || diff != "" {
				t.Errorf("read again from Raw (-first +again):\n%s", diff)
			}
		}
	})
}
