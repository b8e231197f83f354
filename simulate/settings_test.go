package simulate

import (
	"encoding/json"
	"testing"
)

func TestSettingsSet(t *testing.T) {
	t.Parallel()
	def := DefaultSettings()
	with := func(change func(*Settings)) Settings {
		s := def
		change(&s)
		return s
	}
	tests := []struct {
		name, flag, value string
		want              Settings
		used              bool
	}{
		{"prefetch on", KeyFastStart, ` true `, with(func(s *Settings) { s.PrefetchManifest = true }), true},
		{"prefetch off", KeyFastStart, `false`, def, true},
		{"prefetch of a wrong type", KeyFastStart, `"true"`, def, false},
		{"rewrite", KeyTVAppRewrite, `true`, with(func(s *Settings) { s.TVRewrite = true }), true},
		{"hold back two", KeyLowLatency, `2`, with(func(s *Settings) { s.HoldBack = 2 }), true},
		{"hold back at the limit", KeyLowLatency, `6`, with(func(s *Settings) { s.HoldBack = 6 }), true},
		{"hold back beyond it", KeyLowLatency, `7`, def, false},
		{"hold back nothing", KeyLowLatency, `0`, def, false},
		{"hold back a fraction", KeyLowLatency, `2.5`, def, false},
		{"buffer rule", KeyABRBuffer, `{"rule":"buffer","more_segments":1}`, with(func(s *Settings) { s.Rule, s.MoreBuffer = RuleBuffer, 1 }), true},
		{"buffer at the limit", KeyABRBuffer, `{"rule":"buffer","more_segments":3}`, with(func(s *Settings) { s.Rule, s.MoreBuffer = RuleBuffer, 3 }), true},
		{"buffer beyond it", KeyABRBuffer, `{"rule":"buffer","more_segments":4}`, def, false},
		{"less buffer", KeyABRBuffer, `{"rule":"throughput","more_segments":-1}`, def, false},
		{"throughput rule", KeyABRBuffer, `{"rule":"throughput"}`, def, true},
		{"unknown rule", KeyABRBuffer, `{"rule":"magic"}`, def, false},
		{"rule of a wrong type", KeyABRBuffer, `3`, def, false},
		{"A/A", KeyAACheck, `"same"`, def, true},
		{"unknown flag", "dark-mode", `true`, def, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := DefaultSettings()
			if used := got.Set(test.flag, json.RawMessage(test.value)); used != test.used || got != test.want {
				t.Errorf("Set(%s, %s) = %+v, %t, want %+v, %t", test.flag, test.value, got, used, test.want, test.used)
			}
		})
	}
}

func FuzzSettingsSet(f *testing.F) {
	for _, key := range []string{KeyFastStart, KeyLowLatency, KeyABRBuffer, KeyTVAppRewrite, KeyAACheck} {
		f.Add(key, []byte(`{"rule":"buffer","more_segments":1}`))
		f.Add(key, []byte(`2`))
	}
	f.Fuzz(func(t *testing.T, flag string, value []byte) {
		s := DefaultSettings()
		s.Set(flag, value)
		if s.HoldBack < minHoldBack || s.HoldBack > maxHoldBack || s.Rule > RuleBuffer || s.MoreBuffer < 0 || s.MoreBuffer > maxMoreBuffer {
			t.Fatalf("Set(%q, %q) made %+v", flag, value, s)
		}
	})
}
