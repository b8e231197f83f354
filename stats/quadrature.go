package stats

import (
	"slices"
	"sync"

	"gonum.org/v1/gonum/integrate/quad"
)

// legendreRule is a Gauss-Legendre rule on [-1, 1], read-only after its making.
type legendreRule struct {
	nodes, weights []float64 // nodes rising
}

// panelNodes is the order of the rule that every quadrature of this package
// uses, panel by panel. On a panel over which the logarithm of the integrand
// falls by at most 40 it is exact to rounding.
const panelNodes = 32

// legendre returns the rule of order panelNodes, made at the first call.
var legendre = sync.OnceValue(func() legendreRule {
	r := legendreRule{nodes: make([]float64, panelNodes), weights: make([]float64, panelNodes)}
	quad.Legendre{}.FixedLocations(r.nodes, r.weights, -1, 1)
	slices.Sort(r.nodes) // gonum begins at the right; the weights are symmetric
	return r
})

// integrate returns the integral of f over [lower, upper] by one panel.
func integrate(f func(x float64) float64, lower, upper float64) float64 {
	rule := legendre()
	half, middle := (upper-lower)/2, (upper+lower)/2
	sum := 0.0
	for i, node := range rule.nodes {
		sum += rule.weights[i] * f(middle+half*node)
	}
	return sum * half
}
