package client

import (
	"sync/atomic"
	"time"
)

// Stats are counts since the start of a Client, and what holds now.
type Stats struct {
	// ConfigVersion is of the configuration in force; 0: there is none.
	ConfigVersion int64
	// ConfigAge is how long ago the server confirmed it; negative when it
	// never did.
	ConfigAge time.Duration
	// LeftOut are the experiments that this client does not understand, with
	// the reason.
	LeftOut map[string]string
	// Experiments is how many can be evaluated.
	Experiments int

	Fetches     uint64 // requests of the configuration
	FetchErrors uint64
	Streams     uint64 // event streams that were opened
	Notices     uint64 // refetches because a stream announced a version

	ExposuresQueued    int    // waiting now
	ExposuresSent      uint64 // acknowledged by the server after its commit
	ExposuresRetried   uint64 // requests that had to be repeated
	ExposuresDropped   uint64 // the queue was full, or the Client closed
	ExposuresRejected  uint64 // the server would not take them
	LastFailure        error  // of the newest contact for the configuration; nil: it went well
	LastExposureFailed error  // of the newest try to send exposures; nil: it went well
}

type counters struct {
	fetches, fetchErrors, streams, notices atomic.Uint64
	sent, retried, dropped, rejected       atomic.Uint64
}

// Stats returns the counts.
func (c *Client) Stats() Stats {
	s := Stats{
		ConfigAge: -1,
		Fetches:   c.stats.fetches.Load(), FetchErrors: c.stats.fetchErrors.Load(),
		Streams: c.stats.streams.Load(), Notices: c.stats.notices.Load(),
		ExposuresQueued: c.exposures.len(), ExposuresSent: c.stats.sent.Load(), ExposuresRetried: c.stats.retried.Load(),
		ExposuresDropped: c.stats.dropped.Load(), ExposuresRejected: c.stats.rejected.Load(),
		LastExposureFailed: c.exposures.failure(),
	}
	if st := c.state.Load(); st != nil {
		s.ConfigVersion, s.LeftOut, s.Experiments = st.version, st.leftOut(), st.snapshot.Len()
	}
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s.LastFailure = c.failure
	if !c.contactAt.IsZero() {
		s.ConfigAge = now.Sub(c.contactAt)
	}
	return s
}
