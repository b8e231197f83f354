package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestStreamsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	s := &Server{}
	served := 0
	open := func(address string) int {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ofrep/v1/events", http.NoBody)
		req.RemoteAddr = address
		w := httptest.NewRecorder()
		s.boundStreams(func(http.ResponseWriter, *http.Request) { served++ })(w, req)
		return w.Code
	}
	for n := range maxStreamsPerAddress - 1 {
		if !s.streams.begin("10.0.0.1") {
			t.Fatalf("stream %d of an address is refused", n+1)
		}
	}
	if code := open("10.0.0.1:1"); code != http.StatusOK || served != 1 {
		t.Errorf("the last stream of an address = %d", code)
	}
	if !s.streams.begin("10.0.0.1") {
		t.Fatal("a stream that ended is still counted")
	}
	if code := open("10.0.0.1:2"); code != http.StatusTooManyRequests || served != 1 {
		t.Errorf("one stream more = %d, want %d", code, http.StatusTooManyRequests)
	}
	if code := open("10.0.0.2:1"); code != http.StatusOK || served != 2 {
		t.Errorf("a stream of another address = %d", code)
	}
	for range maxStreamsPerAddress {
		s.streams.end("10.0.0.1")
	}
	if n := len(s.streams.open); n != 0 {
		t.Errorf("%d addresses are remembered without streams", n)
	}
}
