package stats

import "math"

// DistributionBands compares whole distributions at any time: a band around the
// difference of the two cdfs that holds at all values and all looks at once with
// probability 1-Alpha (Howard and Ramdas 2022, theorem 2, an iterated-logarithm
// form of the inequality of Dvoretzky, Kiefer and Wolfowitz, for each arm at
// Alpha/2). It finds which quantiles moved; it is for diagnosis, since a test of
// one quantile that was named beforehand needs far fewer values.
type DistributionBands struct {
	Alpha float64
	// TMin is the number of values in an arm from which the band holds; nothing is
	// said before. It must be fixed before the data.
	TMin float64
}

// bandFactor is the factor A of the boundary, as its authors use it.
const bandFactor = 0.85

// DistributionPoint compares the cdfs at a value.
type DistributionPoint struct {
	Value              float64
	Control, Treatment float64  // shares at or below Value
	Difference         Interval // of treatment minus control, at all values and looks at once
}

// Compare returns the band at every occupied edge of the histograms, where shares
// are exact. It refuses with InvalidArgument, NonFinite when a NaN was counted, and
// BurnIn below TMin values in an arm.
func (d DistributionBands) Compare(control, treatment *Histogram) ([]DistributionPoint, error) {
	c, t, err := d.radii(control, treatment)
	if err != nil {
		return nil, err
	}
	var out []DistributionPoint
	belowC, belowT := control.zero, treatment.zero
	add := func(value float64) {
		p := DistributionPoint{
			Value:     value,
			Control:   float64(belowC) / float64(control.total),
			Treatment: float64(belowT) / float64(treatment.total),
		}
		difference := p.Treatment - p.Control
		p.Difference = Interval{
			Lower: max(-1, difference-c-t), Upper: min(1, difference+c+t), Scale: Absolute,
		}
		out = append(out, p)
	}
	if belowC+belowT > 0 {
		add(edge(0))
	}
	for bucket := range bucketCount {
		newC, newT := control.bucket(bucket), treatment.bucket(bucket)
		if newC+newT == 0 {
			continue
		}
		belowC, belowT = belowC+newC, belowT+newT
		add(edge(bucket + 1))
	}
	return out, nil
}

// QuantileShift returns intervals of both arms' quantile at level nu and of their
// difference, treatment minus control. They hold for all levels and looks at once.
// An end is infinite where the band reaches beyond the values of an arm: upwards
// beyond the largest, and downwards, since values may be of any sign below the
// range of the histogram, below the smallest. It refuses as Compare does.
func (d DistributionBands) QuantileShift(control, treatment *Histogram, nu float64) (c, t, shift Interval, err error) {
	if err := checkProbability("quantile level", nu); err != nil {
		return Interval{}, Interval{}, Interval{}, err
	}
	rc, rt, err := d.radii(control, treatment)
	if err != nil {
		return Interval{}, Interval{}, Interval{}, err
	}
	c, t = control.quantileBand(nu, rc), treatment.quantileBand(nu, rt)
	return c, t, Interval{Lower: t.Lower - c.Upper, Upper: t.Upper - c.Lower, Scale: Absolute}, nil
}

// radii returns the half-widths of the bands of both arms.
func (d DistributionBands) radii(control, treatment *Histogram) (c, t float64, err error) {
	if err := checkProbability("alpha", d.Alpha); err != nil {
		return 0, 0, err
	}
	if control.nan > 0 || treatment.nan > 0 {
		return 0, 0, refuse(NonFinite, "A value of a histogram is not a number.")
	}
	boundary := EmpiricalProcessLIL{TMin: d.TMin, A: bandFactor}
	if c, err = boundary.Bound(float64(control.total), d.Alpha/2); err != nil {
		return 0, 0, err
	}
	if t, err = boundary.Bound(float64(treatment.total), d.Alpha/2); err != nil {
		return 0, 0, err
	}
	if math.IsInf(c, 1) || math.IsInf(t, 1) {
		return 0, 0, refuse(BurnIn, "The smaller arm has %d of the %v values from which the band holds.",
			min(control.total, treatment.total), d.TMin)
	}
	return c, t, nil
}

// quantileBand returns the values whose cdf may be nu when the empirical one is
// within radius of it everywhere: edges of buckets, so that nothing is interpolated.
func (h *Histogram) quantileBand(nu, radius float64) Interval {
	n := float64(h.total)
	i := Interval{Lower: math.Inf(-1), Upper: math.Inf(1), Scale: Absolute}
	below := float64(h.zero)
	if below >= n*(nu+radius) {
		i.Upper = edge(0)
		return i
	}
	if below > 0 && below >= n*(nu-radius) {
		return h.bandAbove(i, nu+radius)
	}
	for k, count := range h.counts {
		if count > 0 && below < n*(nu-radius) && below+float64(count) >= n*(nu-radius) && nu > radius {
			i.Lower = edge(h.first + k)
		}
		below += float64(count)
	}
	return h.bandAbove(i, nu+radius)
}

// bandAbove sets the upper end: the first edge with at least the share below it.
func (h *Histogram) bandAbove(i Interval, share float64) Interval {
	below := float64(h.zero)
	for k, count := range h.counts {
		below += float64(count)
		if below >= float64(h.total)*share {
			i.Upper = edge(h.first + k + 1)
			break
		}
	}
	return i
}
