package launch

import (
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// AudienceDays is over how many days eligible units are counted: a whole week
// holds each weekday once.
const AudienceDays = 7

// AudienceCount is how many units of the stored sessions an audience is open to.
type AudienceCount struct {
	Unit  experiment.UnitType `json:"unit"`
	Since time.Time           `json:"since"` // all sessions from then on were read
	Until time.Time           `json:"until"`
	// Truncated: there were more sessions within the days than a preview reads;
	// Since says how far it got.
	Truncated bool  `json:"truncated"`
	Sessions  int64 `json:"sessions"`
	Nameless  int64 `json:"nameless_sessions"` // of them without the unit's id: nobody knows whose they are
	Seen      int64 `json:"seen_units"`
	Eligible  int64 `json:"eligible_units"` // surely
	Maybe     int64 `json:"maybe_units"`    // it depends on attributes that are not known of them
	// Unknown are attributes that the audience reads and sessions do not keep:
	// only services know them.
	Unknown []string `json:"unknown_attributes"`
}

// PerDay returns how many distinct eligible units came on an average day of the
// time that was read; false when that is less than an hour or nobody came. Units
// that came before are among the later days' too, so that a week's average is
// less than a first day brings.
func (c *AudienceCount) PerDay() (float64, bool) {
	span := c.Until.Sub(c.Since)
	if span < time.Hour || c.Eligible == 0 {
		return 0, false
	}
	return float64(c.Eligible) / span.Hours() * 24, true
}
