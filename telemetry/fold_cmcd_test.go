package telemetry_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/telemetry"
)

// report returns event reports from lines "ms members", numbered from 0; ms is
// the client's time since the first one, and each arrives 100 ms later.
func reports(t testing.TB, script string) []telemetry.Record {
	t.Helper()
	var out []telemetry.Record
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		var ms int64
		var members string
		if _, err := fmt.Sscan(strings.Replace(line, " ", "\n", 1), &ms, &members); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		members = line[strings.Index(line, " ")+1:]
		raw := fmt.Sprintf(`%s,cid="c",sid="s",sn=%d,ts=%d,v=2`, members, len(out), clock0+ms)
		r, rejected, ok := telemetry.DecodeRecord(raw, telemetry.ModeEvent)
		if !ok || rejected != nil {
			t.Fatalf("%s: %v", raw, rejected)
		}
		r.RecvMs = clock0 + ms + 100
		out = append(out, r)
	}
	return out
}

// summary returns what a fold found, without what was not observed.
func summary(s telemetry.Session) string {
	words := []string{s.Tier.String()}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if s.Started {
		add("started")
	}
	if s.FirstFrameMs != nil {
		add("after %d", *s.FirstFrameMs)
	}
	if s.Observed.Has(telemetry.ObservedPlay) && s.PlayMs > 0 {
		add("play %d", s.PlayMs)
	}
	if s.Observed.Has(telemetry.ObservedStalls) && s.StallN > 0 {
		add("stall %d/%d max %d", s.StallMs, s.StallN, s.StallMaxMs)
	}
	if s.SeekStallMs > 0 {
		add("seek %d", s.SeekStallMs)
	}
	if s.PausedMs > 0 {
		add("paused %d", s.PausedMs)
	}
	if s.HiddenMs > 0 {
		add("hidden %d", s.HiddenMs)
	}
	if s.Observed.Has(telemetry.ObservedBitrate) {
		add("kbps %d", s.RungKbpsMs/s.RungMs)
	}
	if s.Observed.Has(telemetry.ObservedLadder) {
		add("top %d bottom %d", s.TopRungMs, s.BottomRungMs)
	}
	if s.SwitchesUp+s.SwitchesDown > 0 {
		add("switches %d/%d", s.SwitchesUp, s.SwitchesDown)
	}
	if s.LatencySamples > 0 {
		add("latency %d/%d max %d", s.LatencySumMs, s.LatencySamples, s.LatencyMaxMs)
	}
	if s.ErrorsN > 0 {
		add("errors %d", s.ErrorsN)
	}
	if s.FatalCode != "" {
		add("fatal %s", s.FatalCode)
	}
	if s.Ended {
		add("end %s", s.EndReason)
	}
	return strings.Join(words, ", ")
}

const startUp = "0 e=t\n20 e=ps,sta=s\n1020 e=ps,sta=p\n"

func TestFoldEvents(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, want string }{
		{"play", startUp + "11020 e=t,sta=p", "B, started, after 1000, play 10000"},
		{"stall", startUp + "6020 e=ps,sta=r\n8020 e=ps,sta=p\n9020 e=t,sta=p", "B, started, after 1000, play 6000, stall 2000/1 max 2000"},
		{
			"r, k and w are one stall", startUp + "2020 e=ps,sta=r\n3020 e=ps,sta=k\n3520 e=ps,sta=w\n5020 e=ps,sta=p",
			"B, started, after 1000, play 1000, stall 3000/1 max 3000",
		},
		{
			"two stalls", startUp + "2020 e=ps,sta=r\n3020 e=ps,sta=p\n4020 e=ps,sta=k\n6020 e=ps,sta=p",
			"B, started, after 1000, play 2000, stall 3000/2 max 2000",
		},
		{"a stall at the end", startUp + "2020 e=ps,sta=r\n12020 e=t,sta=r", "B, started, after 1000, play 1000, stall 10000/1 max 10000"},
		{"rebuffering at start-up", "0 e=ps,sta=s\n100 e=ps,sta=r\n4000 e=ps,sta=p\n5000 e=t,sta=p", "B, started, after 4000, play 1000"},
		{"pause", startUp + "2020 e=ps,sta=a\n8020 e=ps,sta=p\n9020 e=t,sta=p", "B, started, after 1000, play 2000, paused 6000"},
		{"preloaded", "0 e=ps,sta=d\n60000 e=ps,sta=s\n60300 e=ps,sta=p\n61300 e=t,sta=p", "B, started, after 300, play 1000"},
		{"stall out of a pause", startUp + "2020 e=ps,sta=a\n3020 e=ps,sta=r\n4020 e=ps,sta=p", "B, started, after 1000, play 1000, stall 1000/1 max 1000, paused 1000"},

		{
			"seek by the viewer", startUp + `2020 e=ce,cen="viewer-seek",sta=p` + "\n2030 e=ps,sta=k\n2500 e=ps,sta=w\n3030 e=ps,sta=p",
			"B, started, after 1000, play 1010, seek 1000",
		},
		{
			"seek told after the state", startUp + "2020 e=ps,sta=k\n" + `2030 e=ce,cen="viewer-seek",sta=k` + "\n3020 e=ps,sta=p",
			"B, started, after 1000, play 1000, seek 1000",
		},
		{
			"a stall long after a seek", startUp + `2020 e=ce,cen="viewer-seek",sta=p` + "\n3021 e=ps,sta=r\n4021 e=ps,sta=p",
			"B, started, after 1000, play 2001, stall 1000/1 max 1000",
		},
		{
			"another custom event", startUp + `2020 e=ce,cen="like",sta=p` + "\n2030 e=ps,sta=k\n3030 e=ps,sta=p",
			"B, started, after 1000, play 1010, stall 1000/1 max 1000",
		},

		{"first p lost", "0 e=ps,sta=s\n10000 e=t,sta=p\n20000 e=t,sta=p", "B, started, play 10000"},
		{"first s lost", "0 e=ps,sta=p\n1000 e=t,sta=p", "B, started, play 1000"},
		{"first s lost, start delay known", "0 e=ps,sta=p\n1000 e=t,sta=p,msd=700", "B, started, after 700, play 1000"},
		{"start delay before p", "0 e=ps,sta=s,msd=120\n5000 e=ps,sta=p", "B, started, after 5000"},
		{"start delay before p, s lost", "0 e=t,msd=120,sta=r\n5000 e=ps,sta=p", "B, started"},
		{"start at the limit", "0 e=ps,sta=s\n120000 e=ps,sta=p", "B, started, after 120000"},
		{"start beyond it", "0 e=ps,sta=s\n120001 e=ps,sta=p", "B, started"},

		{"fatal state", "0 e=ps,sta=s\n100 e=e,ec=(\"net\"),sta=s\n110 e=ps,sta=f", "B, errors 1, fatal net, end error"},
		{"fatal state without a code", "0 e=ps,sta=s\n110 e=ps,sta=f", "B, fatal unknown, end error"},
		{"error without fatal state", "0 e=ps,sta=s\n100 e=e,ec=27,sta=s", "B, errors 1, fatal 27"},
		{"error without a code", "0 e=ps,sta=s\n100 e=e,sta=s", "B, errors 1, fatal unknown"},
		{"request refused", "0 e=ps,sta=s\n100 e=rr,rc=404,sta=s,ttlb=5", "B, errors 1, fatal http_404"},
		{"request given up", "0 e=ps,sta=s\n4000 e=rr,rc=0,sta=s,ttlb=5", "B, errors 1"},
		{"exit", "0 e=ps,sta=s\n4000 e=t,sta=s", "B"},
		{"exit after media", "0 e=ps,sta=s\n4000 e=rr,ot=v,rc=200,sta=s", "B"},
		{"hangs after an error", startUp + "2020 e=e,ec=27,sta=p\n6020 e=ps,sta=r\n9020 e=t,sta=r", "B, started, after 1000, play 5000, stall 3000/1 max 3000, errors 1, fatal 27"},
		{"survives an error", startUp + "2020 e=e,ec=27,sta=p\n6020 e=ps,sta=r\n9020 e=ps,sta=p\n9520 e=ps,sta=r\n9720 e=t,sta=r", "B, started, after 1000, play 5500, stall 3200/2 max 3000, errors 1"},
		{"plays on after an error", startUp + "2020 e=e,ec=27,sta=p\n62021 e=ps,sta=r\n63021 e=t,sta=r", "B, started, after 1000, play 61001, stall 1000/1 max 1000, errors 1"},
		{"ended", startUp + "9020 e=ps,sta=e", "B, started, after 1000, play 8000, end ended"},
		{"quit", startUp + "9020 e=ps,sta=q", "B, started, after 1000, play 8000, end user"},

		{"closed by a response", startUp + "3020 e=rr,rc=200,sta=p,ttlb=500", "B, started, after 1000, play 2500"},
		{"request from before", startUp + "500 e=rr,rc=200,sta=s,ttlb=5\n2020 e=t,sta=p", "B, started, after 1000, play 1000"},
		{"response after the next report", startUp + "1500 e=rr,rc=200,sta=p,ttlb=60000\n2020 e=ps,sta=r\n3020 e=t,sta=r", "B, started, after 1000, play 1000, stall 1000/1 max 1000"},
		{"state of a response", startUp + "1500 e=rr,rc=200,sta=r,ttlb=10\n3020 e=t,sta=p", "B, started, after 1000, play 2000"},
		{"silence", startUp + "601020 e=t,sta=p", "B, started, after 1000, play 600000"},
		{"longer silence", startUp + "601021 e=t,sta=p\n602021 e=t,sta=p", "B, started, after 1000, play 1000"},
		{"clock set back", startUp + "5020 e=t,sta=p\n-3600000 e=t,sta=p\n-3590000 e=t,sta=p", "B, started, after 1000, play 14000"},
		{"hidden", startUp + "2020 e=b,bg,sta=p\n5020 e=b,sta=p\n6020 e=t,sta=p", "B, started, after 1000, play 5000, hidden 3000"},
		{"hidden when it is over", startUp + "11020 e=ps,bg,sta=e\n71020 e=t,bg,sta=e", "B, started, after 1000, play 10000, end ended"},
		{"hidden in a pause", startUp + "11020 e=ps,bg,sta=a\n71020 e=t,bg,sta=a", "B, started, after 1000, play 10000, paused 60000, hidden 60000"},
		{"hidden in other reports", startUp + "2020 e=t,bg,sta=p\n5020 e=b,bg=?0,sta=p\n6020 e=t,sta=p", "B, started, after 1000, play 5000, hidden 3000"},

		{
			"bitrate", startUp + "1020 e=bc,br=(1000),sta=p\n3020 e=bc,br=(2000),sta=p\n7020 e=bc,br=(500),sta=p\n8020 e=t,sta=p",
			"B, started, after 1000, play 7000, kbps 1500, switches 1/1",
		},
		{
			"bitrate of the video", startUp + "1020 e=t,br=(2800;v 3000;a),tb=(2800;v 64;a),lab=(300;v 64;a),sta=p\n3020 e=t,sta=p\n" +
				"3020 e=bc,br=(300;v 64;a),sta=p\n4020 e=t,sta=p", "B, started, after 1000, play 3000, kbps 1966, top 2000 bottom 1000, switches 0/1",
		},
		{
			"bitrate by responses", startUp + "1020 e=rr,br=(900;v 64;a),ot=v,rc=200,ttlb=0\n1020 e=rr,br=(64;a),ot=a,rc=200,ttlb=0\n3020 e=t,sta=p",
			"B, started, after 1000, play 2000, kbps 900",
		},
		{"bitrate not while stalled", startUp + "1020 e=t,br=(900),sta=p\n2020 e=ps,br=(100),sta=r\n9020 e=t,br=(100),sta=r", "B, started, after 1000, play 1000, stall 7000/1 max 7000, kbps 900, switches 0/1"},
		{"latency", "0 e=ps,sta=s,ltc=9000\n1000 e=ps,sta=p\n2000 e=t,ltc=4000,sta=p\n3000 e=t,ltc=6000,sta=p", "B, started, after 1000, play 2000, latency 10000/2 max 6000"},

		{"no states", "0 e=t\n100 e=bc,br=(814)\n1600 e=rr,msd=1500,ot=v,rc=200\n9600 e=t", "C, started, after 1500, kbps 814"},
		{"no states, failed", "0 e=t", "C"},
		{"no states, request refused", "0 e=t\n100 e=rr,rc=404", "C, errors 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := summary(telemetry.FoldCMCD(reports(t, c.script))); got != c.want {
				t.Errorf("FoldCMCD of\n%s\n= %s\nwant %s", c.script, got, c.want)
			}
		})
	}
}

// TestFoldEventsPlaces: ids, receipt and clocks of a session.
func TestFoldEventsPlaces(t *testing.T) {
	t.Parallel()
	records := reports(t, startUp+"6020 e=rr,rc=200,sta=p,ttlb=500")
	records[2].RecvMs = records[2].TS + 40 // the least delay
	got := telemetry.FoldCMCD(records)
	first, offset := int64(1000), int64(40)
	want := telemetry.Session{
		SessionID: "s", Identity: telemetry.Identity{ChannelID: "c"}, Tier: telemetry.TierB,
		FirstRecvMs: clock0 + 100, ClockOffsetMs: &offset, PlayRequested: true,
		Started: true, StartSeq: 2, FirstFrameMs: &first,
		First: telemetry.Mark{RecvMs: clock0 + 100, ClientTsMs: clock0},
		Last:  telemetry.Mark{Seq: 3, RecvMs: clock0 + 6120, ClientTsMs: clock0 + 6020, MonoMs: 6520},
		Counters: telemetry.Counters{
			PlayMs: 5500, Observed: telemetry.ObservedStart | telemetry.ObservedFailure | telemetry.ObservedPlay |
				telemetry.ObservedStalls | telemetry.ObservedStallMax,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("FoldCMCD (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(telemetry.Session{}, telemetry.FoldCMCD(nil)); diff != "" {
		t.Errorf("FoldCMCD of nothing:\n%s", diff)
	}
}

// TestFoldNotObserved: what a source cannot tell is not marked as observed.
func TestFoldNotObserved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		want   telemetry.Observed
	}{
		"no states":                   {"0 e=t\n9 e=t,msd=500", telemetry.ObservedStart},
		"no states, not started":      {"0 e=t", telemetry.ObservedStart},
		"no states, media came":       {"0 e=t\n9 e=rr,ot=v,rc=200", 0},
		"no states, media in buffer":  {"0 e=t,bl=(2000)", 0},
		"no states, manifest came":    {"0 e=t\n9 e=rr,ot=m,rc=200", telemetry.ObservedStart},
		"no states, dropped is known": {"0 e=t,dfa=4", telemetry.ObservedStart},
	} {
		got := telemetry.FoldCMCD(reports(t, c.script))
		if got.Observed != c.want || got.Tier != telemetry.TierC {
			t.Errorf("%s: tier %v observes %v, want C, %v", name, got.Tier, got.Observed, c.want)
		}
	}
}

// requests returns records of media requests from lines "ms members".
func requests(t testing.TB, script string) []telemetry.Record {
	t.Helper()
	records := reports(t, script)
	for i := range records {
		records[i].Mode = telemetry.ModeRequest
	}
	return records
}

func TestFoldRequests(t *testing.T) {
	t.Parallel()
	const begin = "0 ot=m\n100 ot=v,d=2000,br=600,bl=0,su\n1000 ot=v,d=2000,br=600,bl=2000\n"
	for _, c := range []struct {
		name, script string
		stalls       int64
		observed     telemetry.Observed
		kbps, playMs int64
	}{
		{"bs in HLS", begin + "9000 ot=v,sf=h,bs,d=2000,br=1500\n", 1, telemetry.ObservedStallBounds, 900, 6000},
		{"bs in HLS, one stall", begin + "9000 ot=v,sf=h,bs\n9100 ot=a,sf=h,bs,d=2000,br=64", 1, telemetry.ObservedStallBounds, 600, 4000},
		{"bs in HLS, two stalls", begin + "8000 ot=v,sf=h,bs\n9000 ot=v,sf=h\n9100 ot=v,sf=h,bs", 2, telemetry.ObservedStallBounds, 600, 4000},
		{"bs before the start", "0 ot=v,sf=h,bs,su\n100 ot=v,sf=h,bl=2000", 0, telemetry.ObservedStallBounds, 0, 0},
		{"bs with a state", begin + "9000 ot=v,sf=d,bs,sta=r", 1, telemetry.ObservedStallBounds, 600, 4000},
		{"bs while playing", begin + "9000 ot=v,sf=d,bs,sta=p", 0, telemetry.ObservedStallBounds, 600, 4000},
		{"empty buffer in v2", begin + "9000 ot=v,sf=d,bl=0", 1, telemetry.ObservedStallBounds, 600, 4000},
		{"empty buffer after a seek", begin + "9000 ot=v,sf=d,bl=0,su", 0, telemetry.ObservedStallBounds, 600, 4000},
		{"play is at most the time", "0 ot=v,d=60000,br=600,su\n7000 ot=v,d=60000,br=600,bl=3000", 0, telemetry.ObservedStallBounds, 600, 7000},
		{"audio is no bitrate of video", "0 ot=a,d=2000,br=64", 0, telemetry.ObservedStallBounds, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := telemetry.FoldCMCD(requests(t, c.script))
			want := c.observed
			kbps := int64(0)
			if got.RungMs > 0 {
				want |= telemetry.ObservedBitrate
				kbps = got.RungKbpsMs / got.RungMs
			}
			if got.Tier != telemetry.TierD || got.StallN != c.stalls || got.Observed != want || kbps != c.kbps || got.PlayMs != c.playMs {
				t.Errorf("FoldCMCD = %+v\nwant %d stalls, %v, %d kbit/s, play %d ms", got, c.stalls, want, c.kbps, c.playMs)
			}
			if got.FirstFrameMs != nil || got.StallMs != 0 {
				t.Errorf("FoldCMCD claims a start after %v and %d ms stalled", got.FirstFrameMs, got.StallMs)
			}
		})
	}
}

// TestFoldRequestsOfV1: DASH of v1 says nothing about stalls: dash.js sends bs
// without one, Shaka never sends it, and nothing tells them apart.
func TestFoldRequestsOfV1(t *testing.T) {
	t.Parallel()
	var records []telemetry.Record
	for i, raw := range []string{
		`bl=0,ot=v,sf=d,sid="s",su`, `bl=2000,ot=v,sf=d,sid="s"`, `bl=0,bs,ot=v,sf=d,sid="s"`, `bl=0,bs,ot=v,sf=d,sid="s"`,
	} {
		r, _, ok := telemetry.DecodeRecord(raw, telemetry.ModeRequest)
		if !ok {
			t.Fatal(raw)
		}
		r.RecvMs = 1000 * int64(i)
		records = append(records, r)
	}
	if got := telemetry.FoldCMCD(records); got.Observed != 0 || got.StallN != 0 || !got.Started || got.Last.MonoMs != 3000 {
		t.Errorf("FoldCMCD = %+v, want a start and nothing observed", got)
	}
}

// TestFoldEventsWithRequests: the requests of a Shaka session add what its
// reports lack; those of a session with states add nothing.
func TestFoldEventsWithRequests(t *testing.T) {
	t.Parallel()
	media := requests(t, "0 ot=v,su,bl=0\n2000 ot=v,bl=2000,ltc=4000\n9000 ot=v,bl=0,ltc=6000\n12000 ot=v,bl=2000")
	shaka := telemetry.FoldCMCD(append(reports(t, "0 e=t\n1500 e=t,msd=900"), media...))
	want := telemetry.ObservedStart | telemetry.ObservedLatency | telemetry.ObservedStallBounds
	if shaka.Observed != want || shaka.StallN != 1 || shaka.LatencySumMs != 10_000 || shaka.LatencySamples != 2 {
		t.Errorf("FoldCMCD = %+v, want 1 stall or more, 2 latencies, %v", shaka, want)
	}
	states := reports(t, startUp+"9020 e=t,sta=p")
	if diff := cmp.Diff(telemetry.FoldCMCD(states), telemetry.FoldCMCD(append(states, media...))); diff != "" {
		t.Errorf("requests change a session with states:\n%s", diff)
	}
}

// TestFoldConflict: of records that differ under one number, the one received
// first counts, alone.
func TestFoldConflict(t *testing.T) {
	t.Parallel()
	records := reports(t, startUp+"2020 e=ps,sta=r\n5020 e=ps,sta=p\n5020 e=t,sta=p")
	other := records[3]
	other.STA, other.Raw = "p", strings.Replace(other.Raw, "sta=r", "sta=p", 1)
	for _, c := range []struct {
		laterMs int64
		want    string
	}{
		{1, "B, started, after 1000, play 1000, stall 3000/1 max 3000"},
		{-1, "B, started, after 1000, play 4000"},
	} {
		other.RecvMs = records[3].RecvMs + c.laterMs
		for _, both := range [][]telemetry.Record{append([]telemetry.Record{other}, records...), append(records[:5:5], other)} {
			if got := summary(telemetry.FoldCMCD(both)); got != c.want {
				t.Errorf("other record %d ms later: FoldCMCD = %s, want %s", c.laterMs, got, c.want)
			}
		}
	}
}

// TestFoldCMCDLaw: every order and every multiset of a session's records gives
// the same session, conflicting records and lost ones included.
func TestFoldCMCDLaw(t *testing.T) {
	t.Parallel()
	record := rapid.Custom(func(t *rapid.T) telemetry.Record {
		event := rapid.SampledFrom([]string{"ps", "t", "rr", "bc", "e", "b", "ce"}).Draw(t, "e")
		raw := fmt.Sprintf(`e=%s,sid="s",sn=%d,ts=%d`, event, rapid.IntRange(0, 12).Draw(t, "sn"),
			clock0+rapid.Int64Range(0, 20).Draw(t, "ts")*500)
		for _, member := range []string{
			"sta=p", "sta=s", "sta=r", "sta=k", "sta=a", "bl=(0)", "bl=(500)", "br=(300)", "br=(900)", "bs", "bg", "ltc=500",
			"msd=700", "rc=200", "rc=404", "ttlb=800", "ot=v", "su", "sf=h", "d=2000", "tb=(900)", "lb=(300)", "ec=7", `cen="viewer-seek"`,
		} {
			if rapid.IntRange(0, 3).Draw(t, member) == 0 {
				raw += "," + member
			}
		}
		mode := telemetry.ModeEvent
		if rapid.IntRange(0, 3).Draw(t, "mode") == 0 {
			mode = telemetry.ModeRequest
			if rapid.Bool().Draw(t, "v1") {
				raw = strings.Replace(raw, "sn=", "zz=", 1)
			}
		}
		r, rejected, ok := telemetry.DecodeRecord(raw, mode)
		if !ok {
			t.Fatalf("%s: %v", raw, rejected)
		}
		r.RecvMs = clock0 + rapid.Int64Range(0, 3).Draw(t, "recv")
		r.Player = rapid.SampledFrom([]string{"", "hls.js", "shaka"}).Draw(t, "player")
		r.PlayerVersion = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "version")
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(record, 1, 20).Draw(t, "records")
		replayed := append([]telemetry.Record{}, records...)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(records)-1), 0, 10).Draw(t, "again") {
			replayed = append(replayed, records[i])
		}
		replayed = rapid.Permutation(replayed).Draw(t, "order")
		want, got := telemetry.FoldCMCD(records), telemetry.FoldCMCD(replayed)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("FoldCMCD (-once +replayed):\n%s", diff)
		}
		if c := want.Counters; c.PlayMs < 0 || c.StallMs < 0 || c.StallMaxMs > c.StallMs || want.Last.MonoMs < 0 ||
			want.Tier == telemetry.TierB && c.PlayMs+c.StallMs+c.SeekStallMs+c.PausedMs > want.Last.MonoMs {
			t.Errorf("FoldCMCD = %+v, more than the time that passed", want)
		}
	})
}
