// Package report turns an experiment and its looks into one [Report]: whether
// the numbers can be trusted, whether anybody is hurt, whether it helped, and
// what to do. The HTML page, the JSON of the API and the CSV are this one value.
//
// Everything is a pure function of [Input]: no clock, no I/O, no state. The same
// looks give the same report, and the looks up to number k give the report as
// it stood at look k. No number of a report is NaN or infinite: what could not
// be computed is absent and has a [Refusal] in words.
//
//	r := report.Build(report.Input{Experiment: exp, Looks: looks, Now: now})
//	fmt.Println(r.Verdict.State, r.Verdict.Sentence)
package report

import (
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// Report is everything that is known about an experiment at one look. Its rows
// are in the order in which a person should read them.
type Report struct {
	Head       Head     `json:"head"`
	Verdict    Verdict  `json:"verdict"`
	Trust      []Check  `json:"trust"`
	Guardrails []Row    `json:"guardrails"` // the harm board, nearest to its margin first
	Primary    []Row    `json:"primary"`
	Secondary  []Row    `json:"secondary"`
	Segments   Segments `json:"segments"`

	Robustness   []Robustness `json:"robustness"`   // of primary metrics, then guardrails
	Interference []Influence  `json:"interference"` // how arms and experiments could reach one another

	Distributions []Distribution `json:"distributions"`     // by quantity in the order of the plan, then arm
	Startup       []Fates        `json:"startup,omitempty"` // one a treatment, when the plan asks what became of starts
	Stalls        []StallFactors `json:"stalls,omitempty"`  // one a treatment, when the plan asks for stall time
}

// Head says what the report is about and as of when.
type Head struct {
	Key        string              `json:"key"`
	Name       string              `json:"name"`
	Hypothesis string              `json:"hypothesis,omitempty"`
	Owner      string              `json:"owner,omitempty"`
	Status     experiment.Status   `json:"status"`
	Design     experiment.Design   `json:"design"`
	Unit       experiment.UnitType `json:"unit"`
	StartedAt  *time.Time          `json:"started_at,omitempty"`
	StoppedAt  *time.Time          `json:"stopped_at,omitempty"`
	StartAt    *time.Time          `json:"start_at,omitempty"` // a draft runs from then on
	StopAt     *time.Time          `json:"stop_at,omitempty"`  // it stops by itself
	ShippedArm string              `json:"shipped_arm,omitempty"`
	// MeasuresHoldout is the holdout whose units are control; empty: it has a
	// control of its own.
	MeasuresHoldout string `json:"measures_holdout,omitempty"`

	Version  int       `json:"version"`
	Versions []Version `json:"versions,omitempty"` // all, oldest first
	PlanHash string    `json:"plan_hash"`
	// PlanIntact is false when the plan is not the one that was hashed at launch.
	PlanIntact bool             `json:"plan_intact"`
	Alpha      float64          `json:"alpha"`
	Power      float64          `json:"power"`
	MDE        float64          `json:"mde"`
	NOpt       int64            `json:"n_opt"` // planned units of all arms: where the intervals are tightest
	End        *experiment.Date `json:"end,omitempty"`
	// PlannedLooks are those of a group-sequential plan; nil: any look decides.
	PlannedLooks *PlannedLooks `json:"planned_looks,omitempty"`

	Arms  []Arm `json:"arms"`  // the first is control
	Units int64 `json:"units"` // exposed units of all arms that are analysed
	// Progress is Units over NOpt; it passes 1 when more units came than planned.
	Progress float64 `json:"progress"`

	Look      int        `json:"look"`                // 0: there is none yet
	At        *time.Time `json:"at,omitempty"`        // when the look was taken
	Watermark *time.Time `json:"watermark,omitempty"` // data as of: windows that closed until then
	BuiltAt   time.Time  `json:"built_at"`
	LagSec    int64      `json:"lag_sec"` // BuiltAt minus Watermark
}

// Version is one version of the experiment: outcomes of different ones never mix.
type Version struct {
	Version  int       `json:"version"`
	PlanHash string    `json:"plan_hash"`
	At       time.Time `json:"at"`
}

// Arm is one variant with the units seen in it.
type Arm struct {
	Index   int     `json:"index"`
	Key     string  `json:"key"`
	Name    string  `json:"name"`
	Weight  int64   `json:"weight"`
	Share   float64 `json:"share"`             // planned share of the units
	Dropped bool    `json:"dropped,omitempty"` // it takes no more units; the others go on
	// Assigned is about how many units evaluation over HTTP has given the arm by now,
	// exposed or not; nil: it is not known.
	Assigned   *metrics.AssignedUnits `json:"assigned,omitempty"`
	Exposed    int64                  `json:"exposed"`
	Crossed    int64                  `json:"crossed"`
	Overridden int64                  `json:"overridden"`
	// ClosedFirst and ClosedDay count the outcomes in the report by window.
	ClosedFirst int64 `json:"closed_first"`
	ClosedDay   int64 `json:"closed_day"`
	// Imported counts the units whose outcomes were imported: what somebody else says
	// that they did.
	Imported int64 `json:"imported,omitempty"`
}

// Closed returns how many units' outcomes of a window are in the report; of windows
// that come back days later none are counted.
func (h *Head) Closed(w metrics.Window) int64 {
	var n int64
	for _, a := range h.Arms {
		switch w {
		case metrics.WindowFirst:
			n += a.ClosedFirst
		case metrics.WindowDay:
			n += a.ClosedDay
		}
	}
	return n
}

// Unmeasured reports whether the windows of all primary metrics close and no unit has a
// value of any: something between the units and their telemetry is broken.
func (r *Report) Unmeasured() bool {
	for i := range r.Primary {
		row := &r.Primary[i]
		if row.Refusal == nil || row.Refusal.Code != CodeNoUnits || row.Units > 0 || r.Head.Closed(row.Metric.Window) == 0 {
			return false
		}
	}
	return len(r.Primary) > 0
}

// Label returns the arm's name, or its key when it has none.
func (a Arm) Label() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Key
}

// Refusal says in words why something could not be computed.
type Refusal struct {
	Code    string `json:"code"` // a stats.Code, or one of this package's
	Message string `json:"message"`
}
