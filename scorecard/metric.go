package scorecard

import (
	"math"
	"strconv"
	"strings"
)

// Kind is how a metric is made of the values of units.
type Kind string

// The kinds.
const (
	KindMean       Kind = "mean"       // mean over units of the unit's sum
	KindProportion Kind = "proportion" // mean over units of the unit's share of ones
	KindQuantile   Kind = "quantile"   // quantile over rows, with units as clusters
	KindRatio      Kind = "ratio"      // sum of one column over the sum of another
)

// MaxSpecBytes bounds the text of a metric: two column names and its options.
const MaxSpecBytes = 512

// Metric says what to compute from which columns.
type Metric struct {
	Column      string  `json:"column"`                // the numerator of a ratio
	Denominator string  `json:"denominator,omitempty"` // of a ratio only
	Kind        Kind    `json:"kind"`
	Level       float64 `json:"level,omitempty"` // of a quantile, in (0, 1)
	// Cap limits the value of a unit of a mean from above; at most one of Cap and
	// CapLevel is set. CapLevel, in (0, 1), takes the cap from the pooled values.
	Cap      *float64 `json:"cap,omitempty"`
	CapLevel float64  `json:"cap_level,omitempty"`
	// Covariate is the column of a value of the unit from before it was exposed,
	// which adjusts the comparison; a ratio has CovariateDenominator, too.
	Covariate            string `json:"covariate,omitempty"`
	CovariateDenominator string `json:"covariate_denominator,omitempty"`
	LowerIsBetter        bool   `json:"lower_is_better"`
}

// ParseMetric reads COL:kind[:cap=V][:covariate=COL][:lower]. The kinds are mean,
// proportion, p50 (any percentile), quantile=0.5, and ratio with NUM/DEN for COL
// and for its covariate; a cap is a number or a percentile such as p99. A column
// name may hold colons, unless it is that of a covariate: the first part after it
// that is a kind ends it. It returns an *Error.
func ParseMetric(spec string) (Metric, error) {
	if len(spec) > MaxSpecBytes {
		return Metric{}, errorf("metric", "A metric has at most %d bytes; this one has %d.", MaxSpecBytes, len(spec))
	}
	parts := strings.Split(spec, ":")
	for i := 1; i < len(parts); i++ {
		m, ok := parseKind(parts[i])
		if !ok {
			continue
		}
		m.Column = strings.Join(parts[:i], ":")
		if err := m.setColumns(spec); err != nil {
			return Metric{}, err
		}
		if err := m.setOptions(spec, parts[i+1:]); err != nil {
			return Metric{}, err
		}
		return m, nil
	}
	return Metric{}, errorf("metric",
		"%q names no kind; write COL:mean, COL:proportion, COL:p95, COL:quantile=0.95 or NUM/DEN:ratio.", spec)
}

// String returns the metric in the form that ParseMetric reads.
func (m Metric) String() string {
	var b strings.Builder
	b.WriteString(m.Name())
	b.WriteByte(':')
	b.WriteString(string(m.Kind))
	if m.Kind == KindQuantile {
		b.WriteByte('=')
		b.WriteString(strconv.FormatFloat(m.Level, 'g', -1, 64))
	}
	switch {
	case m.Cap != nil:
		b.WriteString(":cap=" + strconv.FormatFloat(*m.Cap, 'g', -1, 64))
	case m.CapLevel > 0:
		b.WriteString(":cap=quantile=" + strconv.FormatFloat(m.CapLevel, 'g', -1, 64))
	}
	if m.Covariate != "" {
		b.WriteString(":covariate=" + m.covariateName())
	}
	if m.LowerIsBetter {
		b.WriteString(":lower")
	}
	return b.String()
}

// Name returns the columns of the metric, as a person writes them.
func (m Metric) Name() string {
	if m.Kind == KindRatio {
		return m.Column + "/" + m.Denominator
	}
	return m.Column
}

// covariateName returns the column of the covariate, or the two of a ratio's.
func (m Metric) covariateName() string {
	if m.CovariateDenominator != "" {
		return m.Covariate + "/" + m.CovariateDenominator
	}
	return m.Covariate
}

func (m Metric) capped() bool { return m.Cap != nil || m.CapLevel > 0 }

func parseKind(s string) (Metric, bool) {
	switch kind := Kind(s); kind {
	case KindMean, KindProportion, KindRatio:
		return Metric{Kind: kind}, true
	}
	level, ok := parseLevel(s)
	return Metric{Kind: KindQuantile, Level: level}, ok
}

// parseLevel reads p95 or quantile=0.95.
func parseLevel(s string) (float64, bool) {
	if digits, ok := strings.CutPrefix(s, "quantile="); ok {
		level, err := strconv.ParseFloat(digits, 64)
		return level, err == nil && level > 0 && level < 1
	}
	digits, ok := strings.CutPrefix(s, "p")
	if !ok || digits == "" || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	// Shifting the decimal point as text keeps p99.9 the number nearest to 0.999,
	// which 99.9/100 is not.
	level, err := strconv.ParseFloat(digits+"e-2", 64)
	return level, err == nil && level > 0 && level < 1
}

func (m *Metric) setColumns(spec string) error {
	if m.Kind == KindRatio {
		num, den, ok := strings.Cut(m.Column, "/")
		if !ok || num == "" || den == "" || strings.Contains(den, "/") {
			return errorf("metric", "%q is a ratio; write it NUM/DEN:ratio with two column names.", spec)
		}
		m.Column, m.Denominator = num, den
	}
	if m.Column == "" {
		return errorf("metric", "%q names no column before its kind.", spec)
	}
	return nil
}

func (m *Metric) setOptions(spec string, options []string) error {
	for _, option := range options {
		limit, isCap := strings.CutPrefix(option, "cap=")
		covariate, isCovariate := strings.CutPrefix(option, "covariate=")
		switch {
		case isCap && m.capped(), option == "lower" && m.LowerIsBetter, isCovariate && m.Covariate != "":
			return errorf("metric", "%q gives an option twice.", spec)
		case isCap && m.Kind != KindMean:
			return errorf("metric", "%q caps a %s; only a mean has a cap.", spec, m.Kind)
		case option == "lower":
			m.LowerIsBetter = true
		case isCap:
			if err := m.setCap(spec, limit); err != nil {
				return err
			}
		case isCovariate:
			if err := m.setCovariate(spec, covariate); err != nil {
				return err
			}
		default:
			return errorf("metric", "%q has the unknown option %q; the options are cap=V, covariate=COL and lower.", spec, option)
		}
	}
	return nil
}

func (m *Metric) setCap(spec, limit string) error {
	if level, ok := parseLevel(limit); ok {
		m.CapLevel = level
		return nil
	}
	v, err := strconv.ParseFloat(limit, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return errorf("metric", "%q has a cap that is neither a number nor a percentile such as p99.", spec)
	}
	m.Cap = &v
	return nil
}

func (m *Metric) setCovariate(spec, column string) error {
	m.Covariate = column
	switch m.Kind {
	case KindQuantile:
		return errorf("metric", "%q adjusts a quantile; only a mean, a proportion and a ratio have a covariate.", spec)
	case KindRatio:
		num, den, ok := strings.Cut(column, "/")
		if !ok || num == "" || den == "" || strings.Contains(den, "/") {
			return errorf("metric", "%q is a ratio; write its covariate as covariate=NUM/DEN with two column names.", spec)
		}
		m.Covariate, m.CovariateDenominator = num, den
	case KindMean, KindProportion:
		if column == "" {
			return errorf("metric", "%q names no column of a covariate.", spec)
		}
	}
	return nil
}
