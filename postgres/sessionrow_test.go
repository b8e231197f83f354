package postgres

import (
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// TestRowParser takes rows apart as PostgreSQL writes them (manual 8.16.6).
func TestRowParser(t *testing.T) {
	t.Parallel()
	p := rowParser{text: `(a,"","b ""c"" \\d",,"(,)",7,t)`, at: 1}
	for i, want := range []struct {
		value string
		ok    bool
	}{{"a", true}, {"", true}, {`b "c" \d`, true}, {"", false}, {"(,)", true}} {
		if value, ok := p.field(); value != want.value || ok != want.ok {
			t.Errorf("field %d = %q, %v; want %q, %v", i, value, ok, want.value, want.ok)
		}
	}
	if n, b := p.int(), p.bool(); n != 7 || !b {
		t.Errorf("int, bool = %d, %v; want 7, true", n, b)
	}
	if p.failed || p.at != len(p.text) {
		t.Errorf("after the last field: failed %v, at %d of %d", p.failed, p.at, len(p.text))
	}
	if p.field(); !p.failed {
		t.Error("a field beyond the last did not fail")
	}
}

// FuzzParseSession looks for rows on which the parser panics.
func FuzzParseSession(f *testing.F) {
	for _, text := range []string{"", "(", "()", `("`, `("\`, `("a"`, `(a,b)`, `(s,"""",x)`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseSession(text); err == nil && len(text) < len(sessionColumns) {
			t.Errorf("parseSession(%q) found %d columns", text, len(sessionColumns))
		}
	})
}

// BenchmarkSessionRow writes a session as a row of COPY.
func BenchmarkSessionRow(b *testing.B) {
	beat := benchBeat(7, 5)
	s := telemetry.FoldBatch([]telemetry.Heartbeat{beat}, beat.ClientTsMs)[0]
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendSession(buf[:0], &s)
	}
}
