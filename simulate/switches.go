package simulate

// Switches turn on what a quiet world does not have, each with a truth that is
// known: what Ledger notes, or what the switch itself says. The zero value
// turns nothing on. No switch changes what those do whom it does not concern:
// the same seed has the same viewers, sessions and networks with it and without.
type Switches struct {
	Bots           Bots
	Loss           [2]Loss // of the old and the new reporter, the arms of KeyReporter
	Lies           Lies
	Social         Social
	Broadcasts     Broadcasts
	Clicks         Clicks
	LatencyMinutes bool // heartbeats tell live latency minute by minute
	CMCD           CMCDUse
}

// CMCDUse is how many of the viewers with hls.js report by CMCD.
type CMCDUse uint8

// The uses.
const (
	CMCDUsual CMCDUse = iota // the few who watch on pages of partners
	CMCDNever
	CMCDAlways
)

// reports tells whether a viewer with hls.js reports by CMCD.
func (u CMCDUse) reports(usual bool) bool {
	switch u {
	case CMCDNever:
		return false
	case CMCDAlways:
		return true
	}
	return usual
}
