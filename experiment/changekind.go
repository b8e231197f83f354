package experiment

// ChangeKind is what an experiment changes in the product. It decides nothing by
// itself: it says which unit, design and guardrails fit, and whether the arms
// compete for the same links.
type ChangeKind string

// The kinds of change.
const (
	ChangePlayer  ChangeKind = "player"  // another build or version of the player
	ChangeABR     ChangeKind = "abr"     // how the player chooses bitrate and buffer
	ChangeEncoder ChangeKind = "encoder" // ladder, latency mode, ingest: what a broadcaster sends
	ChangeEdge    ChangeKind = "edge"    // delivery: caching, routing, congestion control
	ChangeUI      ChangeKind = "ui"      // what people see and click
)

// ChangeKinds returns all kinds in the order in which they are offered.
func ChangeKinds() []ChangeKind {
	return []ChangeKind{ChangePlayer, ChangeABR, ChangeEncoder, ChangeEdge, ChangeUI}
}

// ValidChangeKind reports whether k is one of the kinds.
func ValidChangeKind(k ChangeKind) bool {
	switch k {
	case ChangePlayer, ChangeABR, ChangeEncoder, ChangeEdge, ChangeUI:
		return true
	}
	return false
}

// SharesLinks reports whether the change touches how much traffic goes over links
// that both arms use. Then one arm's gain can be the other's loss, and a
// comparison of units side by side can even have the wrong sign (Spang et al.,
// IMC 2021).
func (k ChangeKind) SharesLinks() bool {
	return k == ChangeABR || k == ChangeEncoder || k == ChangeEdge
}
