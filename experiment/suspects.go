package experiment

// Suspects says whether units that are likely to be programs count in the effects. It
// is fixed before launch, so that nobody chooses the way that reads better.
type Suspects string

// The values. A plan that says nothing includes them.
const (
	SuspectsInclude Suspects = "include"
	SuspectsExclude Suspects = "exclude"
)

// SuspectDays returns how many days of a unit's past tell whether it is likely to be
// a program: those of the covariates, and where a plan leaves programs out those of
// DefaultCovariates at least. 0: none is read.
func (p *Plan) SuspectDays() int {
	days := p.Covariates.Days()
	if days == 0 && p.Suspects == SuspectsExclude {
		return DefaultCovariates.Days()
	}
	return days
}

// settleSuspects keeps what the plan before has where the document leaves it open.
func (e *Spec) settleSuspects(before *Experiment) {
	if e.Plan.Suspects == "" && before != nil {
		e.Plan.Suspects = before.Plan.Suspects
	}
}

func (e *Spec) validateSuspects(f *faultList) {
	switch s := e.Plan.Suspects; {
	case s == "" || s == SuspectsInclude:
	case s != SuspectsExclude:
		f.addf("plan.suspects", "must be %s or %s", SuspectsInclude, SuspectsExclude)
	case !e.Unit.HasPast():
		f.addf("plan.suspects", "of a %s it is not known whether it is a program: include them, or count viewers or devices", e.Unit)
	}
}
