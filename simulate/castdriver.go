package simulate

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// castsBetween returns the broadcasts that begin in [from, to), in order.
func (w *World) castsBetween(from, to time.Time) []Cast {
	if w.on.Broadcasts.Channels == 0 {
		return nil
	}
	var out []Cast
	for day := w.day(from); day <= w.day(to); day++ {
		for _, c := range w.Casts(day) {
			if !c.Start.Before(from) && c.Start.Before(to) {
				out = append(out, c)
			}
		}
	}
	return out
}

// cast asks for the arm of a broadcaster, and plays the broadcast in it.
func (d *Driver) cast(ctx context.Context, c *Cast) (played, error) {
	b := append(make([]byte, 0, 128), `{"context":{"targetingKey":"`...)
	b = append(append(b, c.BroadcasterID...), '"')
	b = appendText(b, "broadcaster_id", c.BroadcasterID)
	b = appendText(b, "channel_id", c.ChannelID)
	flags, err := d.client.flags(ctx, append(b, "}}"...))
	if err != nil {
		return played{}, err
	}
	near, met := c.apply(flags)
	in := d.World.ingest(c, near)
	p := played{met: met, exposures: met}
	for _, r := range c.reports(&in) {
		p.parcels = append(p.parcels, Parcel{Report: r, Due: r.At})
	}
	return p, nil
}

// apply returns where a broadcast goes, and the exposure if its broadcaster is
// in the experiment.
func (c *Cast) apply(flags []assignment) (near bool, met []experiment.Exposure) {
	for i := range flags {
		f := &flags[i]
		if f.Key != KeyIngest || !setBool(&near, f.Value) || !f.Metadata.Assigned || f.Variant == "" {
			continue
		}
		met = append(met, experiment.Exposure{
			Experiment: f.Key, Unit: c.BroadcasterID, Arm: f.Variant, At: c.Start, Override: f.Metadata.Override,
		})
	}
	return near, met
}
