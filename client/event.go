package client

import (
	"errors"
	"maps"
	"slices"
)

// EventKind is what an Event tells.
type EventKind uint8

// The kinds of events.
const (
	// EventReady comes when there is a first configuration that the server
	// confirms, and when it is in reach again after EventStale or EventFailed.
	EventReady EventKind = iota + 1
	// EventChanged comes when experiments changed.
	EventChanged
	// EventStale comes when the server has been out of reach for StaleAfter,
	// or at once when all there is is a copy from disk.
	EventStale
	// EventFailed comes when the server refuses the key, or sends a
	// configuration that this client cannot use. The last good one stays, if
	// there is any.
	EventFailed
)

// Event is news about the configuration.
type Event struct {
	Kind    EventKind
	Version int64    // of the configuration in force
	Keys    []string // EventChanged: the experiments that changed, came or went
	Err     error    // EventStale, EventFailed: why
}

// health is what followers were told last.
type health uint8

const (
	healthNew health = iota // nothing yet
	healthGood
	healthStale
	healthFailed
)

// event returns the kind of event that tells of the health; 0 for none.
func (h health) event() EventKind {
	return [...]EventKind{healthNew: 0, healthGood: EventReady, healthStale: EventStale, healthFailed: EventFailed}[h]
}

// Follow calls tell at once with what holds, if there is anything to tell, and
// then at each Event until stop is called; after stop returns it is not called
// any more. tell must not block, nor call stop or Close.
func (c *Client) Follow(tell func(Event)) (stop func()) {
	version := c.version()
	c.mu.Lock()
	defer c.mu.Unlock()
	id := c.nextID
	c.nextID++
	c.followers[id] = tell
	if kind := c.health.event(); kind != 0 {
		tell(Event{Kind: kind, Version: version, Err: c.failure})
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.followers, id)
	}
}

func (c *Client) tell(e Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellLocked(e)
}

func (c *Client) tellLocked(e Event) {
	for _, id := range slices.Sorted(maps.Keys(c.followers)) {
		c.followers[id](e)
	}
}

// note takes the result of a contact with the server and tells when the health
// changed.
func (c *Client) note(err error) {
	version, now := c.version(), c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure = err
	if err == nil {
		c.contactAt = now
		if c.health != healthGood {
			c.health = healthGood
			c.tellLocked(Event{Kind: EventReady, Version: version})
		}
		return
	}
	c.stats.fetchErrors.Add(1)
	switch {
	case errors.Is(err, errRefused):
		if c.health != healthFailed {
			c.health = healthFailed
			c.cfg.Log.Error("the configuration is not updated", "config", version, "error", err)
			c.tellLocked(Event{Kind: EventFailed, Version: version, Err: err})
		}
	case version == 0: // not ready yet, which is not stale
	case c.health == healthNew || c.health == healthGood && now.Sub(c.contactAt) > c.cfg.StaleAfter:
		c.health = healthStale
		c.cfg.Log.Warn("the server is out of reach", "config", version, "error", err)
		c.tellLocked(Event{Kind: EventStale, Version: version, Err: err})
	}
}
