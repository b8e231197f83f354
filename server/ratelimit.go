package server

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of public keys, for each client address. Thousands of viewers may share
// one behind a carrier's address translation: a player evaluates once and sends
// every ten seconds to a minute.
const (
	publicRate  = 100 // requests a second
	publicBurst = 500
	// limitedGeneration is the size of one of the two generations of addresses
	// that are remembered: some 20 MB in all when both are full.
	limitedGeneration = 50_000
)

// addressLimiter bounds how often each address uses each public key. Addresses
// that were not seen for two generations start anew.
type addressLimiter struct {
	now func() time.Time

	mu         sync.Mutex
	young, old map[limitedAddress]*rate.Limiter
}

type limitedAddress struct {
	key     int64
	address string
}

// allow reports whether the address may use the key once more.
func (l *addressLimiter) allow(key int64, address string) bool {
	now := l.now()
	who := limitedAddress{key, address}
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket, ok := l.young[who]
	if !ok {
		if l.young == nil || len(l.young) >= limitedGeneration {
			l.old, l.young = l.young, make(map[limitedAddress]*rate.Limiter)
		}
		if bucket, ok = l.old[who]; !ok {
			bucket = rate.NewLimiter(publicRate, publicBurst)
		}
		l.young[who] = bucket
	}
	return bucket.AllowN(now, 1)
}

// checkRate returns a Problem of status 429 when a public key is used too often
// from where the request comes.
func (s *Server) checkRate(r *http.Request, key *experiment.APIKey) error {
	if !key.Public || s.limits.allow(key.ID, s.clientAddress(r)) {
		return nil
	}
	return &Problem{
		Status: http.StatusTooManyRequests,
		Detail: "this address uses a public key too often; try again later, or use a key of your own",
	}
}

// clientAddress returns where a request comes from, as addresses are counted:
// what the proxy in front says, if it is known to, else the address of the
// connection.
func (s *Server) clientAddress(r *http.Request) string {
	if s.addressHeader != "" {
		// A proxy appends what it saw, to the last line or as a line of its own;
		// whatever stands before is the client's word.
		if lines := r.Header.Values(s.addressHeader); len(lines) > 0 {
			list := lines[len(lines)-1]
			if last := strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:]); last != "" {
				return countedAddress(last)
			}
		}
	}
	return countedAddress(r.RemoteAddr)
}

// countedBits is how much of an IPv6 address is counted as one: a network has the
// other half to itself, and could take another address for each request.
const countedBits = 64

// countedAddress returns the address without its port, an IPv6 address as its
// network, and as it is what is no address.
func countedAddress(text string) string {
	addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		with, err := netip.ParseAddrPort(text)
		if err != nil {
			return text
		}
		addr = with.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, countedBits).Masked().String()
}
