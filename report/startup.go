package report

import "slices"

// The metrics that say what became of a start. They exclude each other: a viewer
// who waits starts, leaves before the first frame, or meets an error.
const (
	metricStarted = "start_success"
	metricLeft    = "exit_before_start"
	metricFailed  = "video_start_failure"
)

// Fates is what became of the starts of one treatment arm and of control: starting,
// leaving and failing compete, so a shorter start time of those who started is no
// gain when fewer of them started.
type Fates struct {
	Arm     int    `json:"arm"`
	ArmKey  string `json:"arm_key"`
	ArmName string `json:"arm_name"`
	Fates   []Fate `json:"fates"`
}

// Fate is one way in which a start ends: the numbers of the plan's row of it. Each
// is a share of the starts of which it is observed, so that they need not add up to
// one.
type Fate struct {
	MetricKey  string    `json:"metric_key"`
	MetricName string    `json:"metric_name"`
	Direction  int       `json:"direction"`
	Role       Role      `json:"role"`
	State      State     `json:"state"`
	Control    Value     `json:"control"`
	Treatment  Value     `json:"treatment"`
	Absolute   *Absolute `json:"absolute,omitempty"`
	Refusal    *Refusal  `json:"refusal,omitempty"`
}

// startup gathers what the rows of a report say of starts; nothing when fewer than
// two of the three are in the plan, for one alone is its row.
func (b *builder) startup(r *Report) []Fates {
	var out []Fates
	for arm := 1; arm < len(b.exp.Arms); arm++ {
		f := Fates{Arm: arm, ArmKey: b.exp.Arms[arm].Key, ArmName: b.exp.Arms[arm].Name}
		for _, metric := range []string{metricStarted, metricLeft, metricFailed} {
			if row := r.find(metric, arm); row != nil {
				f.Fates = append(f.Fates, Fate{
					MetricKey: row.Metric.Key, MetricName: row.Metric.Name, Direction: row.Metric.Direction,
					Role: row.Role, State: row.State, Control: row.Control, Treatment: row.Treatment,
					Absolute: row.Absolute, Refusal: row.Refusal,
				})
			}
		}
		if len(f.Fates) > 1 {
			out = append(out, f)
		}
	}
	return out
}

// find returns the row of a metric and arm, a primary before others; nil when the
// plan has none.
func (r *Report) find(metric string, arm int) *Row {
	for _, rows := range [][]Row{r.Primary, r.Guardrails, r.Secondary} {
		if i := slices.IndexFunc(rows, func(x Row) bool { return x.Metric.Key == metric && x.Arm == arm }); i >= 0 {
			return &rows[i]
		}
	}
	return nil
}
