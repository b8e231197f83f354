package report

// Segments is where the effect differs: the primary and guardrail metrics by
// dimension value. Its intervals are wide enough for all segments together: the
// chance that any is flagged wrongly, at any look, is at most the plan's alpha.
type Segments struct {
	// Reason says why there are no rows; empty when there are.
	Reason string    `json:"reason,omitempty"`
	Alpha  float64   `json:"alpha"`  // of each interval
	Tested int       `json:"tested"` // comparisons that could be made
	Rows   []Segment `json:"rows"`   // flagged first, then by dimension
}

// Segment is one metric of one treatment arm in one dimension value.
type Segment struct {
	Dimension  string `json:"dimension"`
	Value      string `json:"value"`
	MetricKey  string `json:"metric_key"`
	MetricName string `json:"metric_name"`
	Direction  int    `json:"direction"`
	Role       Role   `json:"role"`
	Arm        int    `json:"arm"`
	ArmKey     string `json:"arm_key"`

	Control   Value   `json:"control"`
	Treatment Value   `json:"treatment"`
	Effect    *Effect `json:"effect,omitempty"`
	// Expected is the estimate drawn towards that of all segments, the more the less of
	// their differences chance leaves to explain: what to picture, not what is proven.
	// Absent where too few segments have an estimate.
	Expected *float64 `json:"expected,omitempty"`
	Refusal  *Refusal `json:"refusal,omitempty"`
	State    State    `json:"state"` // unknown, unproven, better, worse, changed, harmed or breached
	Flagged  bool     `json:"flagged"`
	Units    int64    `json:"units"`
	Words    string   `json:"words"`
}
