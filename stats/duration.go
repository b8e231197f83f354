package stats

import "math"

// Traffic is how many units come to an audience.
type Traffic struct {
	// NewUnits is the units that were first seen on each day so far, in order.
	// Later days are taken to bring as many as the last week on average: new
	// viewers, not returning ones, fill an experiment.
	NewUnits []float64
	// Share is the part of the audience that takes part, 0 for all of it.
	Share float64
}

// trafficWindow is the number of days that the coming days are expected to
// resemble: a week, so that every weekday counts once.
const trafficWindow = 7

// Days returns after how many days from the first one the units are there, with
// the last day as a fraction. It refuses with InvalidArgument for units or a share
// out of domain, TooFewUnits without a day, and NoSolution when nobody comes any
// more.
func (t Traffic) Days(units float64) (float64, error) {
	share := t.Share
	if share == 0 {
		share = 1
	}
	if err := checkPositive("number of units", units); err != nil {
		return 0, err
	}
	if !(share > 0 && share <= 1) {
		return 0, refuse(InvalidArgument, "The share of the audience lies above 0 and at most at 1; it is %v.", share)
	}
	if len(t.NewUnits) == 0 {
		return 0, refuse(TooFewUnits, "A duration needs a day of traffic to go by.")
	}
	missing := units
	recent := 0.0
	for day, arrived := range t.NewUnits {
		if !(arrived >= 0) || math.IsInf(arrived, 1) {
			return 0, refuse(InvalidArgument, "A day brings no negative number of units; one has %v.", arrived)
		}
		if arrived *= share; arrived >= missing {
			return float64(day) + missing/arrived, nil
		}
		missing -= arrived
		if day >= len(t.NewUnits)-trafficWindow {
			recent += arrived
		}
	}
	daily := recent / float64(min(len(t.NewUnits), trafficWindow))
	days := float64(len(t.NewUnits)) + missing/daily
	if daily == 0 || !finite(days) {
		return 0, refuse(NoSolution, "At the traffic of the last days the units never come.")
	}
	return days, nil
}
