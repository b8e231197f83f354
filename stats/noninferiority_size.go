package stats

import "math"

// NonInferiorityDesign is a planned one-sided non-inferiority test at one look,
// in the normal approximation. Margin is signed, on treatment minus control: a
// tolerated loss is negative where higher is better.
type NonInferiorityDesign struct {
	Margin float64
	Alpha  float64
	Power  float64
	Ratio  float64 // treatment units per control unit; 0 means 1
}

// ArmUnits is a real-valued sample size.
type ArmUnits struct{ Control, Treatment float64 }

// Total returns the units of both arms.
func (a ArmUnits) Total() float64 { return a.Control + a.Treatment }

// MeanUnits returns the units for means with a common standard deviation whose
// true difference is delta, best taken as 0:
// N = (z_{1-a}+z_{power})^2 sd^2 (1+r)^2/r / (delta-margin)^2. It refuses with
// InvalidArgument, NoSolution when delta is the margin.
func (d NonInferiorityDesign) MeanUnits(delta, sd float64) (ArmUnits, error) {
	ratio, z, err := d.check()
	if err != nil {
		return ArmUnits{}, err
	}
	if err := checkPositive("standard deviation", sd); err != nil {
		return ArmUnits{}, err
	}
	gap := (delta - d.Margin) / sd
	if gap == 0 || !finite(gap) {
		return ArmUnits{}, refuse(NoSolution, "The true difference equals the margin, so no sample decides.")
	}
	control := z * z / (gap * gap) * (1 + ratio) / ratio
	return ArmUnits{Control: control, Treatment: ratio * control}, checkUnits(control)
}

// ShareUnits returns the units for two true shares, with the variance under the
// hypothesis at the likeliest shares that differ by the margin (Farrington and
// Manning 1990) and under the alternative at the given ones. It refuses with
// InvalidArgument or NoSolution.
func (d NonInferiorityDesign) ShareUnits(control, treatment float64) (ArmUnits, error) {
	ratio, _, err := d.check()
	if err != nil {
		return ArmUnits{}, err
	}
	if err := checkProbability("share of control", control); err != nil {
		return ArmUnits{}, err
	}
	if err := checkProbability("share of treatment", treatment); err != nil {
		return ArmUnits{}, err
	}
	gap := treatment - control - d.Margin
	if gap == 0 || !(math.Abs(d.Margin) < 1) {
		return ArmUnits{}, refuse(NoSolution, "The true difference equals the margin, or the margin is not one of shares.")
	}
	nullC := restrictedShares{xc: control, nc: 1, xt: ratio * treatment, nt: ratio, trials: 1}.control(d.Margin)
	nullT := nullC + d.Margin
	null := math.Sqrt(nullC*(1-nullC) + nullT*(1-nullT)/ratio)
	alternative := math.Sqrt(control*(1-control) + treatment*(1-treatment)/ratio)
	root := (-Normal{}.Quantile(d.Alpha)*null + Normal{}.Quantile(d.Power)*alternative) / gap
	return ArmUnits{Control: root * root, Treatment: ratio * root * root}, checkUnits(root * root)
}

func (d NonInferiorityDesign) check() (ratio, z float64, err error) {
	if err := checkProbability("alpha", d.Alpha); err != nil {
		return 0, 0, err
	}
	if err := checkProbability("power", d.Power); err != nil {
		return 0, 0, err
	}
	if !finite(d.Margin) {
		return 0, 0, refuse(NonFinite, "The margin is not a finite number.")
	}
	ratio, err = checkRatio(d.Ratio)
	return ratio, Normal{}.Quantile(d.Power) - Normal{}.Quantile(d.Alpha), err
}
