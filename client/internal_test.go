package client

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"
)

func TestNoticeOf(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]struct {
		version int64
		ok      bool
	}{
		` {"type":"refetchEvaluation","etag":"6"}`:    {6, true},
		`{"type":"refetchEvaluation","etag":"W/x"}`:   {0, true},
		`{"type":"refetchEvaluation"}`:                {0, true},
		`{"type":"somethingElse","etag":"6"}`:         {0, false},
		`{"type":`:                                    {0, false},
		`"refetchEvaluation"`:                         {0, false},
		`{"type":"refetchEvaluation","etag":{"a":1}}`: {0, false},
	} {
		if v, ok := noticeOf(data); v != want.version || ok != want.ok {
			t.Errorf("noticeOf(%s) = %d, %v; want %+v", data, v, ok, want)
		}
	}
}

// An arm's number is an integer for Int when it is one exactly.
func TestWholeNumbers(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]struct {
		whole bool
		n     int64
	}{
		"5": {true, 5}, "-0": {true, 0}, "5.0": {true, 5}, "1e3": {true, 1000}, "9223372036854775807": {true, 1<<63 - 1},
		"9007199254740992": {true, 1 << 53}, "9007199254740993": {true, 1<<53 + 1}, "9.007199254740994e15": {false, 0},
		"9223372036854775808": {false, 0}, "5.5": {false, 0}, "1e300": {false, 0},
	} {
		v, err := newValue("arm", json.RawMessage(raw))
		if err != nil || v.kind != kindNumber || v.whole != want.whole || v.integer != want.n {
			t.Errorf("newValue(%s) = %+v, %v; want %+v", raw, v, err, want)
		}
	}
}

func TestPausesAreBounded(t *testing.T) {
	t.Parallel()
	for range 100 {
		for n, want := range map[int]time.Duration{1: minPause, 2: 2 * minPause, 3: 4 * minPause, 8: maxPause, 100: maxPause} {
			if got := backoff(n); got < want*4/5 || got > want*6/5 {
				t.Errorf("backoff(%d) = %s, want %s give or take a fifth", n, got, want)
			}
		}
	}
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "60": time.Minute, "61": time.Minute, "-1": 0, "Mon, 02 Nov 2026 12:00:00 GMT": 0,
	} {
		if got := retryAfter(&http.Response{Header: http.Header{"Retry-After": {value}}}); got != want {
			t.Errorf("retryAfter(%q) = %s, want %s", value, got, want)
		}
	}
}
