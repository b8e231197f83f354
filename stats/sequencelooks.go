package stats

// Bounds returns the z that a sequence must reach at looks at the given shares of
// NOpt, so that GroupSequential.Operate says exactly what looking that often finds:
// the power by the end, the mean time to a decision, and, at drift 0, how much of
// alpha so many looks use. It refuses with InvalidArgument for the settings and for
// shares that are not positive.
func (a AsympCS) Bounds(information []float64) (GSTBounds, error) {
	if err := a.check(); err != nil {
		return GSTBounds{}, err
	}
	var out GSTBounds
	for _, t := range information {
		if err := checkPositive("share of the information", t); err != nil {
			return GSTBounds{}, err
		}
		z, err := ranged("bound", normalMixture{k: t * a.tuning(a.Alpha)}.radius(a.Alpha))
		if err != nil {
			return GSTBounds{}, err
		}
		out.Z = append(out.Z, z)
	}
	return out, nil
}
