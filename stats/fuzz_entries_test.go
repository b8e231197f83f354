package stats_test

import (
	"encoding/binary"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// entries are all exported functions and methods that can refuse.
// TestEveryEntryIsFuzzed compares them with the source.
func entries() map[string]any {
	return map[string]any{
		"AdjustP": stats.AdjustP, "Autocorrelation": stats.Autocorrelation, "CovariateIndex": stats.CovariateIndex,
		"DesignEffect": stats.DesignEffect, "EBH": stats.EBH, "EffectiveClusters": stats.EffectiveClusters,
		"LogEFromP": stats.LogEFromP, "LogEFromPMixed": stats.LogEFromPMixed, "MeanLogE": stats.MeanLogE,
		"ProductLogE": stats.ProductLogE, "RateConcentration": stats.RateConcentration, "Ready": stats.Ready,
		"SampleQuantiles": stats.SampleQuantiles, "OneWayANOVA": stats.OneWayANOVA, "AsympCS.Bounds": stats.AsympCS.Bounds,
		"AsympCS.OneSided": stats.AsympCS.OneSided, "AsympCS.OneSidedClosed": stats.AsympCS.OneSidedClosed,
		"AsympCS.Rho2": stats.AsympCS.Rho2, "AsympCS.TwoSided": stats.AsympCS.TwoSided,
		"BernoulliSequence.Interval": stats.BernoulliSequence.Interval, "BetaBinomialBoundary.Bound": stats.BetaBinomialBoundary.Bound,
		"BetaBinomialBoundary.LogMixture": stats.BetaBinomialBoundary.LogMixture,
		"BoundedSequence.TwoSided":        stats.BoundedSequence.TwoSided, "PercentileCaps": stats.PercentileCaps,
		"PearsonSampleRatio": stats.PearsonSampleRatio, "ClusterArm": stats.ClusterArm,
		"ClusteredRatio.Effect": stats.ClusteredRatio.Effect, "ClusterMoments.Effect": stats.ClusterMoments.Effect,
		"PairMoments.ClusterArm": stats.PairMoments.ClusterArm, "LargestShare": stats.LargestShare,
		"Effect.Studentised": stats.Effect.Studentised, "Effect.NormalScore": stats.Effect.NormalScore,
		"CupedMean.Effect": stats.CupedMean.Effect, "CupedRatio.Effect": stats.CupedRatio.Effect,
		"CupedUnits.Effect": stats.CupedUnits.Effect, "PairMoments.Without": stats.PairMoments.Without, "PriorOfPast": stats.PriorOfPast,
		"DistributionBands.Compare":       stats.DistributionBands.Compare,
		"DistributionBands.QuantileShift": stats.DistributionBands.QuantileShift, "DoubleStitching.Bound": stats.DoubleStitching.Bound,
		"Difference": stats.Difference, "FlooredDifference": stats.FlooredDifference, "FlooredLogLift": stats.FlooredLogLift,
		"FractionLift": stats.FractionLift, "LogLift": stats.LogLift, "MeanDifference": stats.MeanDifference,
		"MeanEffect": stats.MeanEffect, "MeanLift": stats.MeanLift, "PostStratifiedCuped": stats.PostStratifiedCuped,
		"PostStratifiedMeans": stats.PostStratifiedMeans, "PostStratifiedRatios": stats.PostStratifiedRatios,
		"QuantileDifference": stats.QuantileDifference, "QuantileLift": stats.QuantileLift,
		"RatioDifference": stats.RatioDifference, "RatioLift": stats.RatioLift,
		"EmpiricalProcessLIL.Bound": stats.EmpiricalProcessLIL.Bound, "Equivalence.Test": stats.Equivalence.Test,
		"Equivalence.Watch": stats.Equivalence.Watch, "GSTBounds.RepeatedInterval": stats.GSTBounds.RepeatedInterval,
		"GammaExponentialBoundary.Bound":      stats.GammaExponentialBoundary.Bound,
		"GammaExponentialBoundary.LogMixture": stats.GammaExponentialBoundary.LogMixture,
		"GammaPoissonBoundary.Bound":          stats.GammaPoissonBoundary.Bound,
		"GammaPoissonBoundary.LogMixture":     stats.GammaPoissonBoundary.LogMixture,
		"GroupSequential.Bounds":              stats.GroupSequential.Bounds, "GroupSequential.Characteristics": stats.GroupSequential.Characteristics,
		"GroupSequential.DriftFor": stats.GroupSequential.DriftFor, "GroupSequential.Futility": stats.GroupSequential.Futility,
		"GroupSequential.Operate": stats.GroupSequential.Operate, "GroupSequential.OperateFutility": stats.GroupSequential.OperateFutility,
		"GroupSequential.RepeatedP": stats.GroupSequential.RepeatedP, "Histogram.MarshalJSON": stats.Histogram.MarshalJSON,
		"Histogram.Quantile": (*stats.Histogram).Quantile, "Histogram.UnmarshalJSON": (*stats.Histogram).UnmarshalJSON,
		"IteratedLogarithmCS": stats.IteratedLogarithmCS, "JointMoments.Add": (*stats.JointMoments).Add,
		"JointMoments.Combine": stats.JointMoments.Combine, "JointMoments.Merge": (*stats.JointMoments).Merge,
		"LyapunovCS.TwoSided": stats.LyapunovCS.TwoSided, "MSPRT.TwoSided": stats.MSPRT.TwoSided, "MeansDrift.At": stats.MeansDrift.At,
		"MeansDrift.Units": stats.MeansDrift.Units, "MidExperimentPower.At": stats.MidExperimentPower.At, "Moments.Arm": stats.Moments.Arm,
		"Multinomial.Intervals": stats.Multinomial.Intervals, "Multinomial.LogE": stats.Multinomial.LogE,
		"NonInferiority.Test": stats.NonInferiority.Test, "NonInferiority.Watch": stats.NonInferiority.Watch,
		"NonInferiorityDesign.MeanUnits":  stats.NonInferiorityDesign.MeanUnits,
		"NonInferiorityDesign.ShareUnits": stats.NonInferiorityDesign.ShareUnits, "NormalBoundary.Bound": stats.NormalBoundary.Bound,
		"NormalBoundary.LogMixture": stats.NormalBoundary.LogMixture, "PairMoments.RatioArm": stats.PairMoments.RatioArm,
		"Plan.MDE": stats.Plan.MDE, "Plan.Units": stats.Plan.Units, "PoissonCounts.DifferenceInterval": stats.PoissonCounts.DifferenceInterval,
		"PoissonCounts.LogE": stats.PoissonCounts.LogE, "PoissonCounts.MeanInterval": stats.PoissonCounts.MeanInterval,
		"PolynomialStitching.Bound": stats.PolynomialStitching.Bound, "NewPosterior": stats.NewPosterior,
		"Proportion.Arm": stats.Proportion.Arm, "Proportion.Interval": stats.Proportion.Interval,
		"ProportionDesign.Power": stats.ProportionDesign.Power, "ProportionDesign.Units": stats.ProportionDesign.Units,
		"Quantile.ClusteredArm": stats.Quantile.ClusteredArm, "QuantileContrast.Histograms": stats.QuantileContrast.Histograms,
		"QuantileSequence.Interval": stats.QuantileSequence.Interval,
		"QuantileTest.Histograms":   stats.QuantileTest.Histograms, "QuantileTest.Values": stats.QuantileTest.Values,
		"RateRatioExact": stats.RateRatioExact, "RateSequence.OneSided": stats.RateSequence.OneSided,
		"RateSequence.TwoSided": stats.RateSequence.TwoSided, "Regression.ClusteredEffect": stats.Regression.ClusteredEffect,
		"Regression.Effect": stats.Regression.Effect, "Regression.SerialEffect": stats.Regression.SerialEffect,
		"RelativeLift": stats.RelativeLift, "Rule.Drift": stats.Rule.Drift, "Rule.ExpectedShare": stats.Rule.ExpectedShare, "SampleRatio": stats.SampleRatio,
		"Switchback.Estimate": stats.Switchback.Estimate, "OptimalG": stats.OptimalG, "TMixture.NormalRadius": stats.TMixture.NormalRadius,
		"TMixture.Radius": stats.TMixture.Radius, "TMixtureStatistic.LogE": stats.TMixtureStatistic.LogE,
		"PFromE": stats.PFromE, "RunningP": stats.RunningP, "MismatchProbability": stats.MismatchProbability, "Quantile.SampledArm": stats.Quantile.SampledArm,
		"TMixture.TwoSided":             stats.TMixture.TwoSided,
		"TTestDesign.MinimumDetectable": stats.TTestDesign.MinimumDetectable, "TTestDesign.Power": stats.TTestDesign.Power,
		"TTestDesign.Units": stats.TTestDesign.Units, "Welch": stats.Welch, "WelchOneSided": stats.WelchOneSided,
		"NewThresholdLook": stats.NewThresholdLook, "ThresholdTest.LogE": stats.ThresholdTest.LogE, "Traffic.Days": stats.Traffic.Days,
		"TwoProportions.ChiSquare": stats.TwoProportions.ChiSquare, "TwoProportions.DifferenceInterval": stats.TwoProportions.DifferenceInterval,
		"TwoProportions.Fisher": stats.TwoProportions.Fisher, "TwoProportions.NonInferiority": stats.TwoProportions.NonInferiority,
		"TwoProportions.Pooled": stats.TwoProportions.Pooled, "TwoProportions.Posterior": stats.TwoProportions.Posterior,
		"TwoProportions.RatioInterval": stats.TwoProportions.RatioInterval, "ZTestDesign.Power": stats.ZTestDesign.Power,
		"ZTestDesign.Units": stats.ZTestDesign.Units,
	}
}

// infiniteByDocument are entries whose documentation announces an infinite end.
var infiniteByDocument = map[string]bool{
	"AsympCS.OneSided": true, "AsympCS.OneSidedClosed": true, "WelchOneSided": true, "RateRatioExact": true,
	"RateSequence.OneSided": true, "RateSequence.TwoSided": true, "GroupSequential.Bounds": true,
	"GroupSequential.Futility": true, "EmpiricalProcessLIL.Bound": true, "DistributionBands.QuantileShift": true,
	"QuantileSequence.Interval": true, "TwoProportions.RatioInterval": true, "TMixture.Radius": true, "ProductLogE": true, "MeanLogE": true,
}

// The entry and its arguments are drawn from the input of the fuzzer.
func FuzzEveryEntry(f *testing.F) {
	all := entries()
	names := slices.Sorted(maps.Keys(all))
	rng := rand.New(rand.NewPCG(51, 1))
	for i := range names {
		for range 3 {
			data := make([]byte, 200)
			for j := range data {
				data[j] = byte(rng.Uint32())
			}
			f.Add(uint16(i), data)
		}
	}
	f.Fuzz(func(t *testing.T, entry uint16, data []byte) {
		name := names[int(entry)%len(names)]
		function := reflect.ValueOf(all[name])
		d := &draws{data: data}
		args := make([]reflect.Value, function.Type().NumIn())
		for i := range args {
			args[i] = d.value(function.Type().In(i), 0)
		}
		var results []reflect.Value
		if function.Type().IsVariadic() {
			results = function.CallSlice(args)
		} else {
			results = function.Call(args)
		}
		last := len(results) - 1
		if err, _ := reflect.TypeAssert[error](results[last]); err != nil {
			if _, ok := errors.AsType[*stats.Refusal](err); !ok && !strings.HasPrefix(name, "Histogram.") { // JSON has errors of its own
				t.Errorf("%s(%+v): error %v is no refusal", name, args, err)
			}
			return
		}
		for _, r := range results[:last] {
			checkAllNumbers(t, name, args, r)
		}
	})
}

// checkAllNumbers follows slices and structs and fails on a number that is none.
func checkAllNumbers(t *testing.T, name string, args []reflect.Value, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Float64:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) && !infiniteByDocument[name] {
			t.Errorf("%s(%+v) returned %v without a reason", name, args, x)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name == "DF" && math.IsInf(v.Field(i).Float(), 1) {
				continue // of a known variance, as the effect said
			}
			checkAllNumbers(t, name, args, v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			checkAllNumbers(t, name, args, v.Index(i))
		}
	default:
	}
}

// draws makes values of any type out of bytes; past their end it draws zeros.
type draws struct{ data []byte }

func (d *draws) byte() byte {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

func (d *draws) bits() uint64 {
	var raw [8]byte
	for i := range raw {
		raw[i] = d.byte()
	}
	return binary.LittleEndian.Uint64(raw[:])
}

// oddFloats are those that break formulas.
var oddFloats = []float64{
	0, math.Copysign(0, -1), 1, -1, 0.5, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64,
	math.SmallestNonzeroFloat64, 1e-300, 1e300, 1 - 0x1p-53, 0x1p-53, 2,
}

func (d *draws) float() float64 {
	switch kind := d.byte(); {
	case kind < 120: // a share
		return (float64(d.byte())*256 + float64(d.byte()) + 0.5) / 65536
	case kind < 200: // a number of some size
		return (float64(d.byte()) - 64) * math.Pow(10, float64(d.byte()%8)-3)
	case kind < 230:
		return oddFloats[int(d.byte())%len(oddFloats)]
	}
	return math.Float64frombits(d.bits())
}

func (d *draws) int() int64 {
	switch kind := d.byte(); {
	case kind < 150:
		return int64(d.byte()) % 50
	case kind < 235:
		return int64(d.byte())*256 + int64(d.byte())
	case kind < 245:
		return int64(d.bits() % 4e6) // exact sums over more outcomes are slow, not wrong
	}
	return -int64(d.byte())
}

// words are values of the named string types.
var words = []string{
	"", "absolute", "log_ratio", "fraction", "greater", "less", "holm", "hommel", "benjamini_hochberg", "classical", "hc0", "hc3",
	"unadjusted", "ancova", "interacted", "within", "per_arm", "growthbook", "obrien_fleming", "pocock", "wang_tsiatis",
	"spend_obrien_fleming", "spend_pocock", "spend_power", "spend_hwang_shih", "fixed", "sequential", "group_sequential",
	"wilson", "clopper_pearson", "jeffreys", "agresti_coull", "wald", "newcombe", "agresti_caffo", "score", "katz", "walter",
}

const mostDrawn = 5 // elements of a slice

func (d *draws) value(t reflect.Type, depth int) reflect.Value {
	switch t {
	case reflect.TypeFor[*stats.Histogram]():
		return reflect.ValueOf(d.histogram())
	case reflect.TypeFor[stats.Histogram]():
		return reflect.ValueOf(*d.histogram())
	case reflect.TypeFor[*rand.Rand]():
		return reflect.ValueOf(rand.New(rand.NewPCG(d.bits(), 1)))
	}
	if d.byte() < 200 { // what belongs together, for the most part
		if v, ok := d.consistent(t); ok {
			return reflect.ValueOf(v)
		}
	}
	v := reflect.New(t).Elem()
	switch t.Kind() {
	case reflect.Float64:
		v.SetFloat(d.float())
	case reflect.Int, reflect.Int64:
		v.SetInt(d.int())
	case reflect.Uint8:
		v.SetUint(uint64(d.byte()))
	case reflect.Bool:
		v.SetBool(d.byte()%2 == 1)
	case reflect.String:
		v.SetString(words[int(d.byte())%len(words)])
	case reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		v.Elem().Set(d.value(t.Elem(), depth+1))
	case reflect.Slice:
		n := int(d.byte()) % (mostDrawn + 1)
		v.Set(reflect.MakeSlice(t, n, n))
		for i := range n {
			v.Index(i).Set(d.value(t.Elem(), depth+1))
		}
	case reflect.Array:
		for i := range t.Len() {
			v.Index(i).Set(d.value(t.Elem(), depth+1))
		}
	case reflect.Struct:
		for i := range t.NumField() {
			v.Field(i).Set(d.value(t.Field(i).Type, depth+1))
		}
	default:
		panic("no draws of " + t.String())
	}
	return v
}

// consistent draws types whose fields have to agree before anything is computed.
func (d *draws) consistent(t reflect.Type) (v any, ok bool) {
	switch t {
	case reflect.TypeFor[stats.PairMoments]():
		var p stats.PairMoments
		for range 2 + d.byte()%4 {
			p.Add(d.float(), d.float())
		}
		return p, true
	case reflect.TypeFor[stats.JointMoments]():
		var j stats.JointMoments
		for range 5 + d.byte()%4 {
			if j.Add(d.float(), d.float(), d.float(), d.float()) != nil {
				return nil, false
			}
		}
		return j, true
	case reflect.TypeFor[stats.CupedUnits]():
		var arms [2]stats.JointMoments
		for i := range arms {
			for range 26 { // a covariate needs that many units
				past := d.float()
				if arms[i].Add(d.float(), 1, past, 1, float64(d.byte()%2)) != nil {
					return nil, false
				}
			}
		}
		return stats.CupedUnits{Control: arms[0], Treatment: arms[1], Ratio: d.byte()%2 == 0, Floored: d.byte()%2 == 0}, true
	case reflect.TypeFor[[]stats.PastEffect]():
		past := make([]stats.PastEffect, 10+d.byte()%3)
		for i := range past {
			past[i] = stats.PastEffect{Estimate: d.float(), Variance: d.float()}
		}
		return past, true
	case reflect.TypeFor[stats.Multinomial]():
		share := (float64(d.byte()) + 0.5) / 256
		return stats.Multinomial{Shares: []float64{share, 1 - share}, Concentration: d.float()}, true
	case reflect.TypeFor[stats.GroupSequential]():
		g := stats.GroupSequential{
			Kind: stats.GSTKind(words[18+int(d.byte())%7]), Alpha: d.float(), TwoSided: d.byte()%2 == 0, Shape: d.float(),
			Final: d.byte()%4 == 0,
		}
		for _, t := range []float64{0.2, 0.5, 1}[:1+d.byte()%3] {
			g.Information = append(g.Information, t+float64(d.byte())/1000)
		}
		return g, true
	case reflect.TypeFor[stats.Regression]():
		r := stats.Regression{Model: stats.Covariates(words[12+int(d.byte())%3])}
		for i := range 6 {
			r.Y, r.X = append(r.Y, d.float()), append(r.X, d.float())
			r.Treatment = append(r.Treatment, float64(i%2))
		}
		return r, true
	case reflect.TypeFor[stats.Switchback]():
		return stats.Switchback{
			Y: []float64{d.float(), d.float(), d.float(), d.float()}, BlockStarts: []int{0, 2},
			Treated: []bool{d.byte()%2 == 0, d.byte()%2 == 0}, Carryover: int(d.byte() % 5),
		}, true
	}
	return nil, false
}

func (d *draws) histogram() *stats.Histogram {
	h := &stats.Histogram{}
	for range d.byte() % 12 {
		h.AddN(d.float(), d.int())
	}
	return h
}

// TestEveryEntryIsFuzzed reads the source: whatever is exported and may refuse has to
// be among the entries.
func TestEveryEntryIsFuzzed(t *testing.T) {
	t.Parallel()
	all := entries()
	found := map[string]bool{}
	for _, file := range sources(t) {
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || !refuses(fn) {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				receiver := fn.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				id, ok := receiver.(*ast.Ident)
				if !ok || !id.IsExported() {
					continue
				}
				name = id.Name + "." + name
			}
			found[name] = true
			if all[name] == nil {
				t.Errorf("%s is exported and not fuzzed", name)
			}
		}
	}
	for name := range all {
		if !found[name] {
			t.Errorf("%s is fuzzed and not in the source", name)
		}
	}
}

// sources parses the files of the package.
func sources(t *testing.T) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var out []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, file)
	}
	return out
}

// refuses reports whether the last result is an error.
func refuses(fn *ast.FuncDecl) bool {
	if fn.Type.Results == nil {
		return false
	}
	results := fn.Type.Results.List
	id, ok := results[len(results)-1].Type.(*ast.Ident)
	return ok && id.Name == "error"
}
