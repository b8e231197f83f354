package experiment

import (
	"strings"
	"time"
)

// Exposure is the first time a unit met an experiment. It differs from being
// assigned: only exposed units are analysed.
type Exposure struct {
	Experiment string    `json:"experiment"`
	Version    int       `json:"version,omitempty"` // 0: the version that is running
	Unit       string    `json:"unit"`
	Arm        string    `json:"arm"`
	At         time.Time `json:"at"`
	// Session, when known, is the player's session id (CMCD sid): it joins
	// reports of players that cannot carry a viewer id.
	Session string `json:"session,omitempty"`
	// Attributes are the dimensions at exposure: country, device_class, os,
	// player, player_version, net_class, isp and whatever else was declared.
	Attributes map[string]string `json:"attributes,omitempty"`
	// Override marks a unit that was forced into its arm; it is not analysed.
	Override bool `json:"override,omitempty"`
}

// Limits of an exposure batch.
const (
	MaxExposureBatch      = 10_000 // records of one POST /v1/exposures
	MaxExposureAttributes = 32     // attributes kept per exposure
	MaxAttributeBytes     = 256    // bytes of an attribute's name or value
	MinExposureYear       = 2000   // before any experiment: an older time is one in other units
)

// Validate checks what does not depend on the configuration or the clock. It
// returns Errors of CodeInvalid.
func (x *Exposure) Validate() error {
	var f faultList
	if !ValidKey(x.Experiment) {
		f.addf("experiment", "must be an experiment key")
	}
	if !ValidUnitID(x.Unit) {
		f.addf("unit", "must be 1 to %d printable ASCII characters", MaxUnitIDBytes)
	}
	if !ValidKey(x.Arm) {
		f.addf("arm", "must be an arm key")
	}
	if !x.At.IsZero() && x.At.UTC().Year() < MinExposureYear { // no database may hold the year 0
		f.addf("at", "must not be before the year %d", MinExposureYear)
	}
	if x.Session != "" && !ValidUnitID(x.Session) {
		f.addf("session", "must be at most %d printable ASCII characters", MaxUnitIDBytes)
	}
	if len(x.Attributes) > MaxExposureAttributes {
		f.addf("attributes", "at most %d attributes", MaxExposureAttributes)
	}
	for k, v := range x.Attributes {
		if len(k) > MaxAttributeBytes || len(v) > MaxAttributeBytes {
			f.addf("attributes", "a name or value is longer than %d bytes", MaxAttributeBytes)
			break
		}
		if strings.ContainsRune(k, 0) || strings.ContainsRune(v, 0) { // no database text may hold it
			f.addf("attributes", "a name or value holds the byte 0")
			break
		}
	}
	return f.err()
}
