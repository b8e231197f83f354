package simulate

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// KeyClicks begins the keys of experiments that decide who clicks, each on a thing
// of its own, and touch nothing else: many of them run over one stream of viewers,
// and their outcomes are independent of one another, although the viewers are the
// same. Those whose key begins with KeyAACheck do nothing at all.
const KeyClicks = "clicks-"

// Clicks is how often viewers click. The zero value is that there is nothing to
// click on.
type Clicks struct {
	Share  float64 // of viewers who click in control
	Effect float64 // by how much treatment raises that, as a fraction
}

// ClicksKey returns the key of one such experiment, which is also the name of
// the event that it raises.
func ClicksKey(n int) string { return fmt.Sprintf("%s%03d", KeyClicks, n) }

// AAKey returns the key of one of many experiments without any difference.
func AAKey(n int) string { return fmt.Sprintf("%s-%03d", KeyAACheck, n) }

// isNeutral reports whether a flag changes nothing in the player.
func isNeutral(flag string) bool {
	return strings.HasPrefix(flag, KeyAACheck) || strings.HasPrefix(flag, KeyClicks)
}

// clicks reports whether the viewer clicks who meets the experiment, and when: at
// once.
func (w *World) clicks(v *Visit, x *experiment.Exposure) (Report, bool) {
	c := w.on.Clicks
	if c.Share == 0 || v == nil || !strings.HasPrefix(x.Experiment, KeyClicks) {
		return Report{}, false
	}
	share := c.Share
	if x.Arm == ArmTreatment {
		share *= 1 + c.Effect
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(x.Experiment)) // never fails
	if newDice(mix(v.Who.seed, purposeClicks, h.Sum64())).Float64() >= share {
		return Report{}, false
	}
	at := v.Start.Truncate(time.Millisecond)
	b := appendEvent(nil, v.Who.ID, x.Experiment, v.ID, at.UnixMilli())
	return Report{At: at, Format: UnitEvent, Kind: x.Experiment, Seq: 1, Body: append(b, '}')}, true
}
