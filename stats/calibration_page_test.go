package stats_test

import (
	"fmt"
	"math"
	"strings"

	"github.com/splitcast/splitcast/stats"
)

// calibrationPreface is the head of the page. The quantile figures of its last point
// are those of "Quantiles again", which the fixed seeds do not change.
func calibrationPreface() string {
	return `# Calibration: how often every method is wrong, and how often it finds what is there

Written by ` + "`make calibrate`" + ` (seeded; ` + "`go test ./stats -run TestCalibration`" + ` runs a short version and fails when a
method breaks its promise). Nominal level 5 % throughout, both sides unless a table says otherwise. In brackets: standard errors.

**The rule.** A share of errors that is promised to be at most 5 % passes up to 5 % plus two standard errors. Of some hundred honest
shares a few lie above that by chance: a design with one above is simulated again, with other draws and four times as many
experiments, and the suite fails when the same share lies above 5 % plus two of the second run's standard errors. Rows marked † promise
nothing in their design: peeking, and small arms of skew values without the floor, are there to show what breaks.

- **Alarms in A/A**: experiments without an effect in which the method ever rejected, at any look.
- **Power**: experiments with the effect in which it rejected by the end; the effect is the one that a single test at the end
  finds with about 80 %. **Mean stop**: when, as a share of the plan; those that never stop count as 1.
- **Misses the truth at any look**: experiments with the effect in which the interval excluded it at some look; the promise is
  at most 5 % for all looks together. **Width**: at the end, over that of the first row of the design.
- A method does not answer during the burn-in (100 units an arm; 25 events of a rate), and none is asked to.
- **Reference**: the same design measured with other programs (growthbook's gbstats 0.8.0, WannabeSmith/drconfseq,
  michaellindon/avlm, ldbounds 2.0.2 and gostevehoward/confseq) by other draws, to whose own errors of about 0.1 points (A/A)
  and 0.5 points (power) for 1,000 and 10,000 an arm, 0.3 and 1.3 for 100,000, ours add.

What the tables say, in short:

- With equal arms every sequence and every plan keeps its promise for all four kinds of metric, and agrees with the reference.
  Planned looks find nearly as much as a single one, sequences two thirds of it; on skew values the log-ratio finds more than the
  difference, and its interval is the one that holds.
- With nine tenths of the units in one arm and skew values nothing that rests on the variance of the small arm keeps its promise,
  a single test included. Two remedies were tried: the floor of the variance on differences and on log-ratios. Both hold; the
  log-ratio finds more. The price is power for rates, which do not need it. CUPED takes away what history explains and leaves the
  rest as skew as it was: it needs the floor in such arms too, and holds with it.
- Exact tests of a quantile: the threshold test finds what the asymptotic sequence does, within 3.1 points at p50, p90 and p99.
  The contrast, for equal quantiles alone, is within eight at p50 and p90, and not at p99, where it loses about seventeen.
- With Zipf audiences the moments of clusters raise too many alarms; the clustered comparison does not, and pays with nearly all
  power where one broadcaster decides. No number of viewers replaces broadcasters.
- Reports keep the promise of planned looks for all four kinds of metric, in equal arms, nine to one and over two treatments, from
  the cells to the row: at most 5.8 % (0.5) in 42 rows, and 1.6 to 3.4 % where skew values or rare events in a small arm make them wait or widen.
- Reports on broadcasters stay below 4.7 %, and refuse where a few have the audience. The same cells taken for those of viewers raise up to 5.4 % of
  false alarms at planned looks where sums follow the audience, and 7.2 % where they do not.
- The empirical-Bernstein sequence of a metric in a range is exact and loses a third of the power for a rate of 1 %; for a stall
  ratio, whose spread is a fiftieth of its range, it finds nothing below 100,000 units an arm.
- Units that grow between looks, as windows close, leave the sequences well below 5 %.
- The reference's power of an asymptotic sequence on quantiles (52.6, 52.2 and 46.8 % at p50, p90 and p99, from 500 experiments with
  a standard error of 2.2 points) is met within that error by 49.2, 50.5 and 45.1 % of 4,000 experiments, and cannot be reached exactly:
  no such sequence finds more than its normal limit, ` + quantileLimit() + `, so that the reference's column
  lies above the limit by its own sampling error; the exact threshold test is within about three points of it.
`
}

// confirmationTable lists the shares that were looked at twice.
func confirmationTable(twice []confirmation) string {
	var b strings.Builder
	b.WriteString("\n## Run again\n\n")
	if len(twice) == 0 {
		b.WriteString("No share was above 5 % plus two standard errors.\n")
		return b.String()
	}
	b.WriteString("Shares that were above their limit in the first run.\n\n")
	b.WriteString("| design | method | share of experiments with | first run, % | experiments | second run, % | experiments | limit, % | kept |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, c := range twice {
		kept := "yes"
		if c.second.broken() {
			kept = "no"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %d | %s | %d | %.2f | %s |\n", c.design, c.first.method, c.first.what,
			c.first, c.first.runs, c.second, c.second.runs, 100*c.second.limit(), kept)
	}
	return b.String()
}

func calibrationSections() []section {
	return []section{
		{
			title: "Means and rates, equal arms, 100 looks", shortRuns: 150, studies: meanStudies, table: meansTable,
			text: `Populations: normal(10, 1); Bernoulli 1 %; lognormal with μ = 0, σ = 2; stall ratio, 15 % of Beta(0.6, 12) and else 0.
Group-sequential plans begin after the burn-in and compare the p of Welch's t with that of their bound. "N_opt = one arm" and
"= both arms" are the columns asympcs_optN and asympcs_opt2N of the reference.`,
		},
		{
			title: "Planned looks in the report", shortRuns: 40, studies: plannedStudies, table: usualTable,
			text: `Cells of looks go in, the repeated intervals of goals come out, with burn-ins, the floor of unequal arms
and the split of alpha over treatments. Alarms count any planned look of any treatment; intervals have to hold at all of them at once.
The effect is that of the first treatment. Designs of three numbers have two treatments.`,
		},
		{
			title: "Unequal arms, nine to one, 100 looks", shortRuns: 100, studies: unequalStudies, table: usualTable,
			text: `A tenth of 20,000 units sees the treatment. The mean of a small arm of heavy-tailed values is skew, and equal arms no
longer cancel it. The planned effect grows with the standard error.`,
		},
		{
			title: "Guardrails, one-sided", shortRuns: 100, studies: guardrailStudies, table: guardrailTable,
			text: `NonInferiority.Watch, higher is better, 100 looks, control and treatment units as named. The margin is what a
single one-sided test clears with 95 % at no effect. "Harm" at no effect, a worst case better than the truth, and "safe" at a loss
of exactly the margin are errors, each of which is promised to stay below 5 %.`,
		},
		{
			title: "CUPED, 50 looks", shortRuns: 60, studies: cupedStudies, table: usualTable,
			text: `The effect is the one that a single unadjusted test finds with 80 %.`,
		},
		{
			title: "Ratios of viewers, 50 looks", shortRuns: 60, studies: ratioStudies, table: usualTable,
			text: `Stall seconds over watch seconds; interest makes both long, and a viewer's line makes all of his stalls. The last row
takes each session for a unit, with the anytime-valid sequence: it is the unit that is wrong, not the sequence.`,
		},
		{
			title: "Clusters with Zipf audiences, 10 looks", shortRuns: 400, studies: clusterStudies, table: usualTable,
			text: `Broadcasters are randomised, their viewers measured. An audience of m or more has the probability m^−s, up to 5,000.
"Clustered" is ClusteredRatio, with CR2 variance and Satterthwaite's degrees of freedom. The effect is 1.5 times the one that a
single test finds with 80 % among audiences of equal size; where a giant decides, nothing honest finds it.`,
		},
		{
			title: "Broadcasters in the report, 10 looks", shortRuns: 150, studies: reportClusterStudies, table: usualTable,
			text: `The same audiences as cells of a report on a ratio metric whose units are broadcasters; the effect is made likewise. "Report" is what its rows say: ClusterMoments, Student's t, and nothing below an effective number of 25 broadcasters in an arm;
"plain ratio" is what the same cells would say of viewers. Planned looks spend after O'Brien and Fleming. The last row counts reports without an interval at the end.`,
		},
		{
			title: "Broadcasters that differ, in the report, 10 looks", shortRuns: 50, studies: unlikeClusterStudies, table: usualTable,
			text: `As before, with means of broadcasters that are lognormal, σ = 1, as shares of time stalled are. "Sums alike" are numerators
that have nothing to do with the audience, as when small channels stall more: their effective number is large where the audience's is not.`,
		},
		{
			title: "Quantiles, 50 looks", shortRuns: 30, studies: quantileStudies, table: quantileTable,
			text: `Lognormal values, σ = 1. The threshold test is exact for the hypothesis that the arms do not differ at the thresholds
used, the contrast for equal quantiles (given the same shape within the one cell that holds it), the beta-binomial test for equal
quantiles without any condition.`,
		},
		{
			title: "Quantiles again, with more experiments", studies: moreQuantileStudies, table: quantileTable,
			text: `The same designs and draws, 4,000 of them. In the normal limit a sequence with 50 looks finds exactly ` + quantileLimit() + `.`,
		},
		{
			title: "Rare counts, 100 looks", shortRuns: 100, studies: countStudies, table: usualTable,
			text: `Poisson events under a load that swings between 0.2 and 1.8 of its mean; treatment has two thirds of the exposure.`,
		},
		{
			title: "Sample ratio, 100 looks", shortRuns: 500, studies: srmStudies, table: srmTable, claims: srmClaims,
			text: `False alarms at a planned split of one half, and alarms when it is off.`,
		},
		{
			title: "Whole path by windows, 336 hourly looks", shortRuns: 100, studies: windowStudies, table: usualTable,
			text: `Viewers arrive by the hour of the day, return, and carry their total so far, as windows close: the units of a look are
not new, they have grown. No theorem covers this exactly; measured here.`,
		},
		{
			title: "Bands of whole distributions, 20 looks", shortRuns: 20, studies: bandStudies, table: usualTable,
			text: `An alarm is a band that excludes no difference anywhere, a miss one that excludes the true difference anywhere.`,
		},
		{
			title: "Group-sequential plans with futility", shortRuns: 500, studies: futilityStudies, table: usualTable, claims: futilityClaims,
			text: `A walk of known variance, power 80 % when the advice to give up is followed. "Given up" counts experiments that the
advice ended; its first figure is the wish, its second the price. Intervals are repeated ones.`,
		},
	}
}

// quantileLimit returns what AsympCS finds in the normal limit of the designs, by
// recursive integration instead of simulation.
func quantileLimit() string {
	const units, looks = 10_000, 50
	g := stats.GroupSequential{Kind: stats.Pocock, Alpha: calibrationAlpha, TwoSided: true}
	for k := range looks {
		g.Information = append(g.Information, float64(k+1)/looks)
	}
	bounds := must(stats.AsympCS{Alpha: calibrationAlpha, NOpt: 2 * units}.Bounds(g.Information))
	var words []string
	for _, c := range []struct{ nu, lift float64 }{{0.5, 0.05}, {0.9, 0.07}, {0.99, 0.15}} {
		density := math.Exp(stats.Normal{}.LogDensity(stats.Normal{}.Quantile(c.nu)))
		drift := math.Log1p(c.lift) * density / math.Sqrt(2*c.nu*(1-c.nu)/units)
		words = append(words, fmt.Sprintf("%.1f %% (p%v)", 100*must(g.Operate(bounds, drift)).Power(), 100*c.nu))
	}
	return strings.Join(words, ", ")
}

// referenceRow is a row of the tables that were measured with other programs: % of
// alarms, or power with mean stop.
type referenceRow struct {
	design string
	values string // one a column of referenceColumns, | between
}

var referenceColumns = []string{
	methodFixed, methodPeek, methodMSPRT, methodArm, methodTotal, methodGB, methodMixture, methodOBF, methodPocock, methodCounts,
}

var referenceAlarms = []referenceRow{
	{"normal, 10,000", "4.88|37.37|1.42|1.84|1.42|2.15|1.86|4.91|4.87|-"},
	{"normal, 1,000", "5.17|37.77|1.65|2.17|1.64|0.81|2.08|5.25|5.56|-"},
	{"Bernoulli 1 %, 10,000", "5.20|35.06|1.32|1.73|1.33|1.88|1.73|4.98|4.50|0.26"},
	{"Bernoulli 1 %, 1,000", "5.19|21.52|0.58|0.61|0.60|0.39|0.61|4.54|2.58|0.00"},
	{"lognormal σ = 2, 10,000", "4.53|31.67|1.00|0.90|0.73|0.89|0.90|4.12|2.92|-"},
	{"lognormal σ = 2, 1,000", "3.67|26.43|0.61|0.46|0.36|0.14|0.43|2.88|1.91|-"},
	{"stall ratio, 10,000", "4.84|37.57|1.47|1.88|1.46|2.06|1.88|4.86|4.71|-"},
	{"stall ratio, 1,000", "5.14|31.57|1.34|1.58|1.30|0.63|1.55|5.05|4.10|-"},
	{"Bernoulli 1 %, 100,000", "5.00|36.83|1.30|1.83|1.27|2.07|1.83|4.97|5.33|2.00"},
	{"lognormal σ = 2, 100,000", "4.47|34.23|1.17|1.20|0.80|1.03|1.20|4.40|3.57|-"},
	{"stall ratio, 100,000", "4.80|37.40|1.47|1.87|1.43|2.23|1.90|4.67|4.60|-"},
	{"normal, 100,000", "5.17|38.17|1.13|1.60|1.13|2.03|1.63|5.37|5.07|-"},
}

var referencePower = []referenceRow{
	{"normal, 10,000", "79.8 / 1.00|91.1 / 0.35|52.2 / 0.79|52.4 / 0.77|52.2 / 0.78|50.8 / 0.76|52.3 / 0.77|78.0 / 0.74|68.9 / 0.67|-"},
	{"Bernoulli 1 %, 10,000", "72.6 / 1.00|86.6 / 0.40|42.4 / 0.84|43.2 / 0.82|42.9 / 0.83|41.5 / 0.81|43.1 / 0.82|70.0 / 0.78|60.2 / 0.73|33.7 / 0.90"},
	{"lognormal σ = 2, 10,000", "82.1 / 1.00|94.4 / 0.27|64.8 / 0.68|64.5 / 0.68|64.1 / 0.71|63.1 / 0.68|64.5 / 0.68|83.1 / 0.69|78.0 / 0.58|-"},
	{"stall ratio, 10,000", "73.9 / 1.00|87.9 / 0.39|43.1 / 0.84|44.0 / 0.81|43.6 / 0.83|42.4 / 0.81|44.0 / 0.81|71.5 / 0.78|61.3 / 0.73|-"},
	{"Bernoulli 1 %, 100,000", "77.1 / 1.00|89.9 / 0.35|48.5 / 0.81|49.3 / 0.78|49.0 / 0.80|37.3 / 0.83|49.3 / 0.78|76.3 / 0.76|66.7 / 0.69|48.3 / 0.78"},
	{"lognormal σ = 2, 100,000", "83.3 / 1.00|93.2 / 0.31|60.1 / 0.72|59.9 / 0.71|59.3 / 0.74|46.7 / 0.77|59.9 / 0.71|82.8 / 0.70|74.8 / 0.61|-"},
	{"stall ratio, 100,000", "77.1 / 1.00|89.6 / 0.37|47.9 / 0.81|48.0 / 0.79|47.9 / 0.81|35.5 / 0.84|48.0 / 0.79|73.6 / 0.77|63.1 / 0.71|-"},
	{"normal, 100,000", "80.9 / 1.00|91.1 / 0.34|53.3 / 0.78|54.1 / 0.76|53.3 / 0.78|39.1 / 0.81|53.9 / 0.76|78.7 / 0.74|70.3 / 0.67|-"},
}

// referenceOf returns the cell of a design and a method, or a dash.
func referenceOf(rows []referenceRow, design, method string) string {
	for _, row := range rows {
		if row.design+" an arm" != design {
			continue
		}
		for i, value := range strings.Split(row.values, "|") {
			if referenceColumns[i] == method && value != "-" {
				return value
			}
		}
	}
	return "–"
}

// withReference adds columns of other programs to the usual table, by the design and
// the method of each row.
func withReference(outcomes []outcome, headers []string, of func(design, method string) []string) string {
	lines := strings.Split(strings.TrimSuffix(usualTable(outcomes), "\n"), "\n")
	lines[0] += " " + strings.Join(headers, " | ") + " |"
	lines[1] += strings.Repeat(" --- |", len(headers))
	for i := 2; i < len(lines); i++ {
		cells := strings.Split(lines[i], " | ")
		lines[i] += " " + strings.Join(of(strings.TrimPrefix(cells[0], "| "), strings.TrimSuffix(cells[1], dagger)), " | ") + " |"
	}
	return strings.Join(lines, "\n") + "\n"
}

func meansTable(outcomes []outcome) string {
	return withReference(outcomes, []string{"reference: alarms", "reference: power / stop"}, func(design, method string) []string {
		return []string{referenceOf(referenceAlarms, design, method), referenceOf(referencePower, design, method)}
	})
}

func quantileTable(outcomes []outcome) string {
	alarms := map[string]string{
		"p50" + quantileMethods[0]: "2.3", "p90" + quantileMethods[0]: "2.1", "p99" + quantileMethods[0]: "2.5",
		"p50" + quantileMethods[5]: "0.2", "p90" + quantileMethods[5]: "0.2", "p99" + quantileMethods[5]: "0.1",
	}
	power := map[string]string{
		"p50" + quantileMethods[0]: "52.6", "p90" + quantileMethods[0]: "52.2", "p99" + quantileMethods[0]: "46.8",
		"p50" + quantileMethods[5]: "35.8", "p90" + quantileMethods[5]: "32.4", "p99" + quantileMethods[5]: "22.6",
	}
	dash := func(s string) string {
		if s == "" {
			return "–"
		}
		return s
	}
	table := withReference(outcomes, []string{"reference: alarms (0.5)", "reference: power (2.2)"}, func(design, method string) []string {
		level, _, _ := strings.Cut(design, ",")
		return []string{dash(alarms[level+method]), dash(power[level+method])}
	})
	return table + "\nThe reference has its AsympCS on the standard error of a quantile, tuned to one arm (1,000 A/A experiments and 500 with the effect).\n"
}

func srmTable(outcomes []outcome) string {
	reference := map[string][]string{
		"20,000 units, split 0.490":    {"1.87 / 53.1", "0.02 / 13.0", "37.9 / 91.5", "1.24 / 44.3"},
		"20,000 units, split 0.480":    {"1.87 / 99.7", "0.02 / 94.6", "37.9 / 100", "1.24 / 99.5"},
		"1,000,000 units, split 0.495": {"1.50 / 100", "0.02 / 100", "37.8 / 100", "1.58 / 100"},
	}
	var b strings.Builder
	b.WriteString("| design | monitor | false alarms, % | alarms when it is off, % | mean stop | reference: false / true |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, o := range outcomes {
		for m, method := range o.methods {
			null, off := o.tallies[m][0], o.tallies[m][1]
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %.2f | %s |\n", o.name, o.shownOnly(method), shareOf(null.alarms, null.runs),
				shareOf(off.alarms, off.runs), off.stop(o.looks).percent, reference[o.name][m])
		}
	}
	return b.String()
}
