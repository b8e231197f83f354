package simulate

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Settings are what an arm can change in a player. The zero value is not
// control; DefaultSettings is.
type Settings struct {
	PrefetchManifest bool // the page fetches the manifest while the player loads
	HoldBack         int  // segments behind the live edge
	MoreBuffer       int  // segments more than that, for the rule to work with
	Rule             Rule
	TVRewrite        bool // the rewritten TV app, see Viewer.OldTV and Visit.Silent
	NewReporter      bool // loses telemetry as Switches.Loss says
	Highlights       bool // of the chat, see Social
}

// The hold-back that the player can be set to, and its default.
const (
	minHoldBack     = 1
	maxHoldBack     = 6
	maxMoreBuffer   = 3
	defaultHoldBack = 3
)

// DefaultSettings is the player as shipped: what every control arm sees.
func DefaultSettings() Settings { return Settings{HoldBack: defaultHoldBack} }

// Set applies the value of a flag and reports whether the player knows the flag
// and could use the value. As any player should, it ignores what it does not
// understand and keeps what it had. No two flags set the same thing: those that
// a viewer is not in are served with the value of control.
func (s *Settings) Set(flag string, value json.RawMessage) bool {
	if isNeutral(flag) {
		return true // the player does the same in both arms
	}
	value = bytes.TrimSpace(value)
	switch flag {
	case KeyFastStart:
		return setBool(&s.PrefetchManifest, value)
	case KeyTVAppRewrite:
		return setBool(&s.TVRewrite, value)
	case KeyLowLatency:
		n, err := strconv.Atoi(string(value))
		if err != nil || n < minHoldBack || n > maxHoldBack {
			return false
		}
		s.HoldBack = n
		return true
	case KeyABRBuffer:
		return s.setRule(value)
	case KeyReporter:
		return setBool(&s.NewReporter, value)
	case KeyHighlights:
		return setBool(&s.Highlights, value)
	}
	return false
}

// holdBack returns how many segments the player stays behind the live edge.
func (s *Settings) holdBack() int { return s.HoldBack + s.MoreBuffer }

// abrValue is the value of the flag KeyABRBuffer.
type abrValue struct {
	Rule         string `json:"rule"`
	MoreSegments int    `json:"more_segments"`
}

func (s *Settings) setRule(value json.RawMessage) bool {
	var v abrValue
	if json.Unmarshal(value, &v) != nil || v.MoreSegments < 0 || v.MoreSegments > maxMoreBuffer {
		return false
	}
	switch v.Rule {
	case "throughput":
		s.Rule = RuleThroughput
	case "buffer":
		s.Rule = RuleBuffer
	default:
		return false
	}
	s.MoreBuffer = v.MoreSegments
	return true
}

func setBool(into *bool, value []byte) bool {
	switch string(value) {
	case "true":
		*into = true
	case "false":
		*into = false
	default:
		return false
	}
	return true
}
