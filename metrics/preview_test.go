package metrics_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/metrics"
)

func previewOf(t *testing.T, definition string, outcomes ...metrics.Quantities) metrics.Preview {
	t.Helper()
	d, err := metrics.ParseDefinition([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	p := metrics.NewPreviewer(d)
	for i := range outcomes {
		p.Add(&metrics.Outcome{Quantities: outcomes[i]})
	}
	return p.Preview()
}

const (
	meanMetric = `{"key":"w","name":"W","description":"d","kind":"mean","numerator":"watch_ms","denominator":"watch_units",
		"unit":"s","scale":0.001,"cap":"At most 9 s.","cap_at":9000}`
	funnelMetric = `{"key":"f","name":"F","description":"d","kind":"funnel","steps":["units","attempts","starts"],"unit":"%","scale":100}`
)

// TestPreviewByHand has the values 1, 2, 3 and 30 s, and one unit that is unknown.
func TestPreviewByHand(t *testing.T) {
	t.Parallel()
	var outcomes []metrics.Quantities
	for _, ms := range []float64{1_000, 2_000, 3_000, 30_000} {
		var q metrics.Quantities
		q[metrics.WatchUnits], q[metrics.WatchMs] = 1, ms
		outcomes = append(outcomes, q)
	}
	got := previewOf(t, meanMetric, append(outcomes, metrics.Quantities{})...)
	if got.Units != 4 || got.Missing != 1 || got.Zeros != 0 {
		t.Errorf("units %d, missing %d, zeros %d; want 4, 1, 0", got.Units, got.Missing, got.Zeros)
	}
	near := func(name string, got *float64, want float64) {
		if got == nil || math.Abs(*got-want) > 1e-9 {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	near("value", got.Shape.Value, 15.0/4)
	near("variance", got.Shape.Variance, (2.75*2.75+1.75*1.75+0.75*0.75+5.25*5.25)/3)
	near("top share", got.Shape.TopShare, 9.0/15)
	near("uncapped value", got.Uncapped.Value, 9)
	near("uncapped top share", got.Uncapped.TopShare, 30.0/36)
	if got.Shape.TailIndex != nil {
		t.Errorf("four units have the tail index %v", *got.Shape.TailIndex)
	}
	if empty := previewOf(t, meanMetric); empty.Shape.Value != nil || empty.Shape.Refusal == "" {
		t.Errorf("the preview of nothing = %+v, want a reason", empty.Shape)
	}
}

func TestPreviewFunnel(t *testing.T) {
	t.Parallel()
	var a, b metrics.Quantities
	a[metrics.Units], a[metrics.Attempts], a[metrics.Starts] = 1, 3, 2
	b[metrics.Units], b[metrics.Attempts] = 1, 1
	want := []metrics.StepTotal{
		{Step: metrics.BaseTerm(metrics.Units), Total: 2, Share: 1}, {Step: metrics.BaseTerm(metrics.Attempts), Total: 4, Share: 2}, {Step: metrics.BaseTerm(metrics.Starts), Total: 2, Share: 1},
	}
	if diff := cmp.Diff(want, previewOf(t, funnelMetric, a, b).Steps); diff != "" {
		t.Errorf("steps differ (-want +got):\n%s", diff)
	}
}
