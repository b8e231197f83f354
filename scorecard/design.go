package scorecard

// withDefaults returns the request with what it leaves open filled in.
func (in Input) withDefaults() Input {
	if in.Alpha == 0 {
		in.Alpha = DefaultAlpha
	}
	if in.Covariate == "" {
		return in
	}
	metrics := make([]Metric, len(in.Metrics))
	for i, m := range in.Metrics {
		if m.Covariate == "" && (m.Kind == KindMean || m.Kind == KindProportion) {
			m.Covariate = in.Covariate
		}
		metrics[i] = m
	}
	in.Metrics = metrics
	return in
}

// checkDesign refuses combinations of covariates, strata and clusters for which
// there is no comparison, or one that would mislead. It returns an *Error that
// names the option to leave out.
func (in Input) checkDesign() error {
	if err := in.checkColumns(); err != nil {
		return err
	}
	for _, m := range in.Metrics {
		if err := in.checkAdjusted(m); err != nil {
			return err
		}
		if in.Cluster == "" {
			continue
		}
		switch {
		case m.Kind == KindQuantile:
			return errorf("cluster", "%q is a quantile, which takes its clusters as units: name the column as the unit, without --cluster.", m)
		case m.CapLevel > 0:
			return errorf("cluster", "%q takes its cap from the rows, which is not done for clusters; give the cap as a number.", m)
		}
	}
	return nil
}

// checkColumns refuses a column that cannot be what it is named as.
func (in Input) checkColumns() error {
	switch {
	case in.Strata != "" && in.Strata == in.ArmColumn:
		return errorf("strata", "The strata cannot be the arms: there would be nothing to compare within them.")
	case in.Strata != "" && in.Strata == in.UnitColumn:
		return errorf("strata", "The strata cannot be the units.")
	case in.Cluster != "" && in.Cluster == in.ArmColumn:
		return errorf("cluster", "The clusters cannot be the arms: each arm would be one cluster.")
	case in.Cluster != "" && in.Cluster == in.UnitColumn:
		return errorf("cluster", "The clusters are the units; leave --cluster off.")
	case in.Cluster != "" && in.Strata != "":
		return errorf("strata", "Clusters are not compared within strata; leave --strata or --cluster off.")
	}
	return nil
}

// checkAdjusted refuses what a metric cannot be adjusted by.
func (in Input) checkAdjusted(m Metric) error {
	if in.Covariate != "" && m.Covariate == "" {
		if m.Kind == KindRatio {
			return errorf("covariate", "%q is a ratio: give it the same ratio of the time before as covariate=NUM/DEN in --metric, not by --covariate.", m)
		}
		return errorf("covariate", "%q is a quantile, which has no covariate; leave --covariate off and give the others theirs in --metric.", m)
	}
	switch {
	case m.Covariate != "" && in.Cluster != "":
		return errorf("cluster", "%q has a covariate, by which clusters are not adjusted; leave it or --cluster off.", m)
	case m.Covariate != "" && m.Covariate == m.Column:
		return errorf("covariate", "%q would be adjusted by itself, which removes every effect.", m)
	case m.Covariate != "" && (m.Covariate == in.ArmColumn || m.Covariate == in.UnitColumn):
		return errorf("covariate", "%q would be adjusted by the arm or the unit.", m)
	case m.Kind == KindQuantile && in.Strata != "":
		return errorf("strata", "%q is a quantile, which is not compared within strata.", m)
	case m.Kind == KindRatio && m.Covariate != "" && in.Strata != "":
		return errorf("strata", "%q has a covariate; a ratio is adjusted by that or by strata, not by both.", m)
	case m.CapLevel > 0 && m.Covariate != "":
		return errorf("covariate", "%q takes its cap from the rows, which is not done with a covariate; give the cap as a number.", m)
	case m.CapLevel > 0 && in.Strata != "":
		return errorf("strata", "%q takes its cap from the rows, which is not done with strata; give the cap as a number.", m)
	}
	return nil
}

// adjusted reports whether a metric is compared within strata or by a covariate.
func (in Input) adjusted(m Metric) bool {
	return m.Covariate != "" || in.Strata != "" && m.Kind != KindQuantile
}
