package experiment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// Defaults of a plan.
const (
	DefaultAlpha = 0.05
	DefaultPower = 0.8
	DefaultMDE   = 0.02
	// MinPlannedUnits is the floor of Plan.Units: below it asymptotic
	// confidence sequences speak too early to be trusted.
	MinPlannedUnits = 5_000
	// MaxPlanMetrics bounds the metrics of one plan: a report of 40 metrics
	// is already more than anybody reads.
	MaxPlanMetrics = 40
)

// Guardrail is a metric that must not get worse by more than a margin.
type Guardrail struct {
	Metric string `json:"metric"`
	// Margin is the tolerated loss as a fraction of control, in the bad
	// direction of the metric: 0.005 tolerates 0.5 %.
	Margin float64 `json:"margin"`
}

// Plan is what is fixed before anybody sees data.
type Plan struct {
	Primary    []string    `json:"primary"`
	Secondary  []string    `json:"secondary,omitempty"`
	Guardrails []Guardrail `json:"guardrails,omitempty"`
	Alpha      float64     `json:"alpha,omitempty"` // false-positive budget of the primary metrics
	Power      float64     `json:"power,omitempty"`
	MDE        float64     `json:"mde,omitempty"`   // smallest lift worth having, fraction of control
	Units      int64       `json:"units,omitempty"` // planned exposed units, all arms: N_opt of the confidence sequences
	End        *Date       `json:"end,omitempty"`
	// Method decides the goals; Looks and Spending belong to MethodGroupSequential,
	// which looks at the goals so often until End. Left out they are not in the
	// hash: a plan of the sequential method has the hash that it always had.
	Method   Method   `json:"method,omitempty"`
	Looks    int      `json:"looks,omitempty"`
	Spending Spending `json:"spending,omitempty"`
	// Versions are those of the metrics that the plan asks for, fixed at launch:
	// a metric that is defined anew later changes no running experiment.
	Versions map[string]int `json:"versions,omitempty"`
	// Covariates says whether effects are adjusted by the units' own past.
	Covariates Covariates `json:"covariates,omitempty"`
	// Suspects says whether units that are likely to be programs count in the effects.
	Suspects Suspects `json:"suspects,omitempty"`
}

// Date is a calendar day in UTC, written 2006-01-02.
type Date struct{ time.Time }

// UnmarshalJSON reads a day; a full timestamp is cut to its UTC day.
func (d *Date) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a date must be a string: %w", err)
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			d.Time = t.UTC().Truncate(24 * time.Hour)
			return nil
		}
	}
	return fmt.Errorf("%q is not a date of the form 2006-01-02", s)
}

// MarshalJSON writes the day.
func (d Date) MarshalJSON() ([]byte, error) {
	return json.Marshal(d.Format(time.DateOnly))
}

// WithDefaults returns the plan with every open value set.
func (p Plan) WithDefaults() Plan {
	if p.Alpha == 0 {
		p.Alpha = DefaultAlpha
	}
	if p.Power == 0 {
		p.Power = DefaultPower
	}
	if p.MDE == 0 {
		p.MDE = DefaultMDE
	}
	if p.Units == 0 {
		p.Units = MinPlannedUnits
	}
	p.methodDefaults()
	return p
}

// Metrics returns every metric of the plan once, primary first.
func (p *Plan) Metrics() []string {
	var out []string
	seen := map[string]bool{}
	add := func(m string) {
		if !seen[m] {
			seen[m] = true
			out = append(out, m)
		}
	}
	for _, m := range p.Primary {
		add(m)
	}
	for _, m := range p.Secondary {
		add(m)
	}
	for _, g := range p.Guardrails {
		add(g.Metric)
	}
	return out
}

// Hash returns the SHA-256 of the plan's JSON in hex: the proof that the
// criteria shown are those fixed at launch.
func (p Plan) Hash() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("plan of plain values does not marshal: %v", err)) // only a programmer's mistake can get here
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func (p *Plan) validate(f *faultList, known func(metric string) bool) {
	if len(p.Primary) == 0 {
		f.addf("plan.primary", "at least one primary metric is needed")
	}
	check := func(field, metric string) {
		if !known(metric) {
			f.addf(field, "%q is not in the metric catalogue", metric)
		}
	}
	for i, m := range p.Primary {
		check(fmt.Sprintf("plan.primary[%d]", i), m)
	}
	for i, m := range p.Secondary {
		check(fmt.Sprintf("plan.secondary[%d]", i), m)
	}
	for i, g := range p.Guardrails {
		field := fmt.Sprintf("plan.guardrails[%d]", i)
		check(field+".metric", g.Metric)
		if !(g.Margin > 0 && g.Margin < 1) {
			f.addf(field+".margin", "must lie between 0 and 1: the tolerated loss as a fraction of control")
		}
	}
	if n := len(p.Metrics()); n > MaxPlanMetrics {
		f.addf("plan", "at most %d metrics, this plan has %d", MaxPlanMetrics, n)
	}
	p.validateVersions(f)
	p.validateNumbers(f)
	p.validateMethod(f)
}

func (p *Plan) validateNumbers(f *faultList) {
	if !inRange(p.Alpha, 1e-6, 0.5) {
		f.addf("plan.alpha", "must lie between 0.000001 and 0.5")
	}
	if !inRange(p.Power, 0.5, 0.999) {
		f.addf("plan.power", "must lie between 0.5 and 0.999")
	}
	if !inRange(p.MDE, 1e-6, 10) {
		f.addf("plan.mde", "must lie between 0.000001 and 10, a fraction of control")
	}
	if p.Units < MinPlannedUnits {
		f.addf("plan.units", "must be at least %d", MinPlannedUnits)
	}
}

func inRange(x, lo, hi float64) bool { return !math.IsNaN(x) && x >= lo && x <= hi }
