package simulate

import (
	"math"
	"strconv"
)

// Popularity of channels: weight (rank + popularityFlat)^-popularityExponent,
// fitted so that the top 10 and top 100 of 1,000 channels hold 10 and 40 % of
// the watch time, as measured on the top 1,000 channels of Twitch, 2020.
const (
	channels           = 1_000
	popularityFlat     = 8
	popularityExponent = 0.78
)

func channelWeights() []float64 {
	w := make([]float64, channels)
	for i := range w {
		w[i] = math.Pow(float64(i+1+popularityFlat), -popularityExponent)
	}
	return cumulate(w...)
}

// Broadcast is what a session watches: one stream of a broadcaster's channel.
type Broadcast struct {
	ChannelID, BroadcasterID, StreamID string
}

// broadcast returns the stream of a channel on a day: broadcasters go live
// once a day.
func broadcast(channel, day int) Broadcast {
	n := strconv.Itoa(channel + 1)
	return Broadcast{
		ChannelID:     "ch-" + n,
		BroadcasterID: "bc-" + n,
		StreamID:      "st-" + n + "-" + strconv.Itoa(day),
	}
}
