package metrics

import (
	"cmp"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/telemetry"
)

// MaxConcurrentSessions is how many sessions of one unit may have run at the same
// moment: more screens than a household has, with a margin.
const MaxConcurrentSessions = 8

// minDoubtedSessions is how many doubted sessions of the past make a unit
// suspected: one tab that was left in the background makes no robot.
const minDoubtedSessions = 3

// agentAttribute is the attribute at exposure that names what asked for the arm.
const agentAttribute = "user_agent"

// agentWords are what programs call themselves that are no viewers.
var agentWords = [...]string{"bot", "crawl", "spider", "headless", "monitor", "preview", "synthetic"}

// Suspected reports whether a unit is likely to be a program. The rule is the same
// in all arms and rests on nothing that an arm could do: what the unit called itself
// at the exposure, and how it behaved in the days before it, more sessions at once
// than a person can have included. What a player does after the exposure is no part
// of it: an arm that shows no frames, or opens session after session, would hide its
// own failure.
//
// A suspected unit has an outcome like any other, and is marked.
func Suspected(c *Closed, historyDays int) bool {
	if namesProgram(c.Dims[agentAttribute]) {
		return true
	}
	past := c.past(historyDays)
	return concurrent(past) > MaxConcurrentSessions || doubted(past)
}

func namesProgram(agent string) bool {
	if agent == "" {
		return false
	}
	agent = strings.ToLower(agent)
	return slices.ContainsFunc(agentWords[:], func(word string) bool { return strings.Contains(agent, word) })
}

// past returns the sessions of the days before the exposure.
func (c *Closed) past(days int) []*telemetry.Session {
	if days == 0 || len(c.Sessions) < minDoubtedSessions { // too few to doubt anything
		return nil
	}
	var out []*telemetry.Session
	for i := range c.Sessions {
		if s := &c.Sessions[i]; InHistory(c.ExposedAt, days, s) {
			out = append(out, s)
		}
	}
	return out
}

// concurrent returns the most sessions that ran at the same moment.
func concurrent(sessions []*telemetry.Session) int {
	if len(sessions) <= MaxConcurrentSessions {
		return len(sessions) // few enough, whenever they were
	}
	type edge struct {
		at   int64
		step int
	}
	edges := make([]edge, 0, 2*len(sessions))
	for _, s := range sessions {
		edges = append(edges, edge{s.FirstRecvMs, 1}, edge{max(s.FirstRecvMs, s.Last.RecvMs), -1})
	}
	// Of the same millisecond the ends come first: one session after the other.
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.step, b.step)) })
	running, most := 0, 0
	for _, e := range edges {
		running += e.step
		most = max(most, running)
	}
	return most
}

// doubted reports whether most of the sessions that played are doubted.
func doubted(sessions []*telemetry.Session) bool {
	played, doubted := 0, 0
	for _, s := range sessions {
		if s.PlayMs == 0 {
			continue
		}
		played++
		if s.Flags()&(telemetry.FlagNoFrames|telemetry.FlagHidden|telemetry.FlagLong) != 0 {
			doubted++
		}
	}
	return doubted >= minDoubtedSessions && 2*doubted > played
}
