package telemetry_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// TestDecodeCMCD has a case for each duty of a receiver in CTA-5004-B
// section 6, and for what players send against the standard.
func TestDecodeCMCD(t *testing.T) {
	t.Parallel()
	const id = `sid="s",sn=1,`
	for _, c := range []struct {
		name, body string
		want       []string // keys of each record taken
		rejected   string
	}{
		{"one with line feed", id + "v=2\n", []string{"sid,sn,v"}, ""},
		{"one without", id + "v=2", []string{"sid,sn,v"}, ""},
		{"several", id + "v=2\n" + id + "e=t,v=2", []string{"sid,sn,v", "e,sid,sn,v"}, ""},
		{"spaces and CR around lines", "  " + id + "v=2 \t\r\n\n", []string{"sid,sn,v"}, ""},
		{"spaces around members", `sid="s" , sn=1	,v=2`, []string{"sid,sn,v"}, ""},
		{"any order", `v=2,sn=1,e=ps,sid="s"`, []string{"e,sid,sn,v"}, ""},
		{"unknown keys", id + `zz=1,q9="x",e=t`, []string{"e,sid,sn"}, ""},
		{"unknown event", id + `e=xyz`, []string{"e,sid,sn"}, ""},
		{"parameters of single values", id + `cid="c";a=1;b`, []string{"cid,sid,sn"}, ""},
		{"true and false", id + "bs,su=?0,bg=?1", []string{"bg,bs,sid,sn,su"}, ""},
		{"nothing", "\n \n", nil, ""},

		{"wrong type, string", id + "cid=5,e=t", []string{"e,sid,sn"}, "0 cid type"},
		{"wrong type, token", id + `sta="p",e=t`, []string{"e,sid,sn"}, "0 sta type"},
		{"wrong type, number", id + `d="5",e=t`, []string{"e,sid,sn"}, "0 d type"},
		{"wrong type, decimal", id + `d=5.5,e=t`, []string{"e,sid,sn"}, "0 d type"},
		{"wrong type, boolean", id + `bs=1,e=t`, []string{"e,sid,sn"}, "0 bs type"},
		{"wrong type, list", id + `d=(5),e=t`, []string{"e,sid,sn"}, "0 d type"},
		{"wrong type in a list", id + `br=(5 "x"),e=t`, []string{"e,sid,sn"}, "0 br type"},
		{"not of the list", id + `sta=z,ot=q,e=t`, []string{"e,sid,sn"}, "0 sta range; 0 ot range"},
		{"negative", id + `bl=(-1),dl=-1,e=t`, []string{"e,sid,sn"}, "0 bl range; 0 dl range"},
		{"malformed", id + `br=(1 2,cid="a,b",=1,e=t`, []string{"cid,e,sid,sn"}, "0 br malformed; 0  malformed"},
		{"not ASCII", id + `cid="é",e=t`, []string{"e,sid,sn"}, "0 cid malformed"},
		{"16 digits", id + `ts=1234567890123456,e=t`, []string{"e,sid,sn"}, "0 ts malformed"},

		{"version above", id + "v=3,e=t\n" + id + "v=2", []string{"sid,sn,v"}, "0 v version"},
		{"version below", id + "v=1", []string{"sid,sn,v"}, ""},
		{"no version", id + "e=t", []string{"e,sid,sn"}, ""},
		{"no sid", "sn=1,v=2\n" + id + "v=2", []string{"sid,sn,v"}, "0 sid missing"},
		{"no sn", `sid="s",v=2`, nil, "0 sn missing"},
		{"no CMCD", "hello world\n" + id + "v=2", []string{"sid,sn,v"}, "0  malformed"},

		{"dash.js: start delay before anything", id + "msd=24", []string{"sid,sn"}, "0 msd implausible"},
		{"dash.js: epoch as ttfb", id + "ttfb=1795384701969,ttlb=295", []string{"sid,sn,ttlb"}, "0 ttfb implausible"},
		{"dash.js: code not in a list", id + "ec=27", []string{"ec,sid,sn"}, ""},
		{"Shaka: numbers not in lists", id + "br=750,bl=0,tb=2800", []string{"bl,br,sid,sn,tb"}, ""},
		{"hls.js: decimals in lists", id + "br=(3150),tpb=(3150.4)", []string{"br,sid,sn"}, "0 tpb type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			records, rejected, err := telemetry.DecodeCMCD([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range records {
				got = append(got, r.Has.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("DecodeCMCD(%q) (-want +got):\n%s", c.body, diff)
			}
			if got := describe(rejected); got != c.rejected {
				t.Errorf("DecodeCMCD(%q) rejects %q, want %q", c.body, got, c.rejected)
			}
		})
	}
}

func TestDecodeRecordValues(t *testing.T) {
	t.Parallel()
	const raw = `bg=?0,br=(2800;v 64;a),cid="a\"b\\c",com.example-arm="x",com.example-t=tok,ec=("E1" "E2"),` +
		`nor=("n.m4s";r="0-99"),pr=1.08,sid="s",sn=7,sta=p,ts=1795384700961,v=2`
	got, rejected, ok := telemetry.DecodeRecord(raw, telemetry.ModeEvent)
	want := telemetry.Record{
		Mode: telemetry.ModeEvent, Raw: raw, SID: "s", CID: `a"b\c`, SN: 7, TS: 1795384700961, V: 2, STA: "p", PR: 1.08,
		BR: telemetry.List{{Value: 2800, Type: "v"}, {Value: 64, Type: "a"}},
		EC: []telemetry.TextItem{{Value: "E1"}, {Value: "E2"}}, NOR: []telemetry.TextItem{{Value: "n.m4s", Range: "0-99"}},
		Custom: []telemetry.Custom{{Key: "com.example-arm", Value: "x"}, {Key: "com.example-t", Value: "tok"}},
		Has: telemetry.KeyBG | telemetry.KeyBR | telemetry.KeyCID | telemetry.KeyEC | telemetry.KeyNOR | telemetry.KeyPR |
			telemetry.KeySID | telemetry.KeySN | telemetry.KeySTA | telemetry.KeyTS | telemetry.KeyV,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok || rejected != nil {
		t.Errorf("DecodeRecord = %v, %v (-want +got):\n%s", ok, rejected, diff)
	}
}

func TestDecodeCMCDLimits(t *testing.T) {
	t.Parallel()
	const id = `sid="s",sn=1`
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name, record string
		ok           bool
		rejected     string
	}{
		{"sid", `sn=1,sid="` + long(64) + `"`, true, ""},
		{"sid + 1", `sn=1,sid="` + long(65) + `"`, false, "0 sid missing"},
		{"cid", id + `,cid="` + long(128) + `"`, true, ""},
		{"cid + 1", id + `,cid="` + long(129) + `"`, true, "0 cid range"},
		{"custom", id + `,a-b="` + long(64) + `"`, true, ""},
		{"custom + 1", id + `,a-b="` + long(65) + `"`, true, "0 a-b range"},
		{"msd", id + ",msd=100", true, ""},
		{"msd - 1", id + ",msd=99", true, "0 msd implausible"},
		{"msd at most", id + ",msd=120000", true, ""},
		{"msd at most + 1", id + ",msd=120001", true, "0 msd implausible"},
		{"ltc", id + ",ltc=600000", true, ""},
		{"ltc + 1", id + ",ltc=600001", true, "0 ltc implausible"},
		{"ttfb", id + ",ttfb=600000", true, ""},
		{"ttfb + 1", id + ",ttfb=600001", true, "0 ttfb implausible"},
		{"br", id + ",br=(100000;v)", true, ""},
		{"br + 1", id + ",br=(100001;v)", true, "0 br implausible"},
		{"faults", id + strings.Repeat(",d=x", 16), true, "0 d type" + strings.Repeat("; 0 d type", 15)},
		{"faults + 1", id + strings.Repeat(",d=x", 17), false, "0  malformed"},
		{"record", id + `,zz="` + long(telemetry.MaxCMCDRecordBytes-len(id)-6) + `"`, true, ""},
		{"record + 1", id + `,zz="` + long(telemetry.MaxCMCDRecordBytes-len(id)-5) + `"`, false, "0  too_many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, rejected, ok := telemetry.DecodeRecord(c.record, telemetry.ModeEvent)
			if ok != c.ok || describe(rejected) != c.rejected {
				t.Errorf("DecodeRecord = %v, %q; want %v, %q", ok, describe(rejected), c.ok, c.rejected)
			}
		})
	}
}

func TestDecodeCMCDRefusesBodies(t *testing.T) {
	t.Parallel()
	line := `sid="s",sn=1` + "\n"
	for name, c := range map[string]struct {
		body string
		code experiment.Code
		n    int
	}{
		"batch":     {strings.Repeat(line, telemetry.MaxBatch), "", telemetry.MaxBatch},
		"batch + 1": {strings.Repeat(line, telemetry.MaxBatch+1), experiment.CodeTooLarge, 0},
		"body":      {line + strings.Repeat("\n", telemetry.MaxBodyBytes-len(line)), "", 1},
		"body + 1":  {line + strings.Repeat("\n", telemetry.MaxBodyBytes+1-len(line)), experiment.CodeTooLarge, 0},
	} {
		records, rejected, err := telemetry.DecodeCMCD([]byte(c.body))
		if code, _ := experiment.CodeOf(err); code != c.code || len(records) != c.n || rejected != nil {
			t.Errorf("%s: DecodeCMCD = %d records, %v, %v; want %d, %q", name, len(records), rejected, err, c.n, c.code)
		}
	}
}

func TestDecodeCMCDRequest(t *testing.T) {
	t.Parallel()
	query := func(record string) string { return "a=1&CMCD=" + url.QueryEscape(record) + "&b=2" }
	shards := map[string]string{
		"CMCD-Request": "bl=2000,su", "CMCD-Object": `br=750,ot=v`, "CMCD-Status": "bs", "CMCD-Session": `sid="h",v=1`,
	}
	for _, c := range []struct {
		name, query string
		headers     map[string]string
		want        string // sid and keys
		rejected    string
	}{
		{"query", query(`br=(750;v 64;a),sid="q"`), nil, "q br,sid", ""},
		{"query, space as %20", "CMCD=br%3D%28750%3Bv%2064%3Ba%29%2Csid%3D%22q%22", nil, "q br,sid", ""},
		{"query, not encoded", `CMCD=br=750,sid="q"`, nil, "q br,sid", ""},
		{"query, other case", `cmcd=br%3D750&Cmcd=br%3D750`, nil, "", ""},
		{"query, broken escape", `CMCD=br%3D75%`, nil, "", "0  malformed"},
		{"query, no CMCD in it", `CMCD=`, nil, "", "0  malformed"},
		{"none", "a=1", nil, "", ""},
		{"no sid", query(`br=750`), nil, " br", ""},
		{"headers", "", shards, "h bl,br,bs,ot,sid,su,v", ""},
		{"headers win, never both", query(`sid="q",d=4000`), shards, "h bl,br,bs,ot,sid,su,v", ""},
		{"one header", "", map[string]string{"CMCD-Session": `sid="h"`}, "h sid", ""},
		{"headers not encoded", "", map[string]string{"CMCD-Session": `cid="a%20b",sid="h"`}, "h cid,sid", ""},
		{"headers refused are not replaced", query(`sid="q"`), map[string]string{"CMCD-Session": `v=3`}, "", "0 v version"},
		{"version above", query(`sid="q",v=3`), nil, "", "0 v version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := http.Header{}
			for name, value := range c.headers {
				h.Set(name, value)
			}
			r, rejected, ok := telemetry.DecodeCMCDRequest(c.query, h.Get)
			got := ""
			if ok {
				got = fmt.Sprintf("%s %s", r.SID, r.Has)
			}
			if got != c.want || describe(rejected) != c.rejected {
				t.Errorf("DecodeCMCDRequest(%q) = %q, %q; want %q, %q", c.query, got, describe(rejected), c.want, c.rejected)
			}
			if !ok {
				return
			}
			again, _, ok := telemetry.DecodeRecord(r.Raw, telemetry.ModeRequest)
			if diff := cmp.Diff(r, again); diff != "" || !ok {
				t.Errorf("DecodeRecord(Raw) differs (-first +again):\n%s", diff)
			}
		})
	}
}

func TestKeysInOrder(t *testing.T) {
	t.Parallel()
	all := telemetry.Keys(1)<<51 - 1
	names := strings.Split(all.String(), ",")
	if len(names) != len(slowTypes) {
		t.Errorf("%d keys, want the %d of the table", len(names), len(slowTypes))
	}
	for i, name := range names {
		if i > 0 && names[i-1] >= name {
			t.Errorf("key %q follows %q", name, names[i-1])
		}
	}
	if telemetry.KeyV.String() != "v" || telemetry.KeyAB.String() != "ab" || telemetry.KeyNRR.String() != "nrr" {
		t.Errorf("names of keys do not fit: %v %v %v", telemetry.KeyV, telemetry.KeyAB, telemetry.KeyNRR)
	}
}
