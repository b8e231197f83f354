package postgres

import (
	"encoding/json"
	"fmt"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// encoding/json says what the attributes are; the decoder is a quicker way to
// the same.
func FuzzAttributeDecoder(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"country":"DE","os":"tizen"}`, `{"a":"1","a":"2"}`, `{"a":"b\"c"}`, `{"größe":"ü"}`, `{"a":"\u003c"}`,
		` { "a" : "b" } `, `{"a":"b"}x`, `{"a":"b",}`, `{"a":1}`, `{"a":null}`, `{"a":{"b":"c"}}`, `{"a"}`, `{"a":"b"`, `{`, ``, `null`, "{\"a\":\"\x7f\"}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		want := map[string]string{}
		wantErr := json.Unmarshal(text, &want)
		var d attributeDecoder
		for range 2 { // the second time from what it remembers
			got, err := d.decode(text)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("decode(%q) = %v, encoding/json says %v", text, err, wantErr)
			}
			if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); err == nil && diff != "" {
				t.Errorf("decode(%q) differs (-want +got):\n%s", text, diff)
			}
		}
	})
}

// What a decoder remembers is bounded, and what it forgets it still reads.
func TestAttributeDecoderBound(t *testing.T) {
	t.Parallel()
	var d attributeDecoder
	for i := range 2 * maxInterned {
		value := fmt.Sprintf("value-%d", i)
		got, err := d.decode([]byte(`{"isp":"` + value + `"}`))
		if err != nil || got["isp"] != value {
			t.Fatalf("decode = %v, %v; want %s", got, err, value)
		}
	}
	if n := len(d.interned); n != maxInterned {
		t.Errorf("remembers %d strings, want %d", n, maxInterned)
	}
}

func BenchmarkAttributeDecoder(b *testing.B) {
	text := []byte(`{"country":"DE","device_class":"tv","isp":"isp-17","net_class":"wifi","os":"tizen","player":"hls.js","player_version":"1.6.2"}`)
	var d attributeDecoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
