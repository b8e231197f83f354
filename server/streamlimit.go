package server

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxStreamsPerAddress is a tenth of all event streams: behind a carrier's address
// translation hundreds of viewers share an address, and nobody needs a key for one.
const maxStreamsPerAddress = defaultMaxStreams / 10

// addressStreams counts the streams that each address has open. The zero value
// counts none.
type addressStreams struct {
	mu   sync.Mutex
	open map[string]int
}

// begin counts a stream; false when the address has as many as it may. Whoever
// begins one ends it.
func (a *addressStreams) begin(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[address] >= maxStreamsPerAddress {
		return false
	}
	if a.open == nil {
		a.open = map[string]int{}
	}
	a.open[address]++
	return true
}

func (a *addressStreams) end(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.open[address]--; a.open[address] == 0 {
		delete(a.open, address)
	}
}

// boundStreams keeps one address from taking the event streams of all.
func (s *Server) boundStreams(stream http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		address := s.clientAddress(r)
		if !s.streams.begin(address) {
			w.Header().Set("Retry-After", strconv.Itoa(int(streamRetry/time.Second)))
			writeFailure(w, http.StatusTooManyRequests, ofrepFailure{
				Code: "GENERAL", Details: fmt.Sprintf("%d event streams of this address are open; poll instead", maxStreamsPerAddress),
			})
			return
		}
		defer s.streams.end(address)
		stream(w, r)
	}
}
