package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/stats"
	"github.com/splitcast/splitcast/web/chart"
)

// LearnPath is where the pages of good practice are; a topic is below it.
const LearnPath = "/learn"

// The topics of good practice, as they stand in addresses.
const (
	LearnUnit         = "unit"
	LearnPeeking      = "peeking"
	LearnGuardrails   = "guardrails"
	LearnInterference = "interference"
	LearnInterval     = "interval"
)

// LearnView is a page of good practice; without a topic, the list of them.
type LearnView struct {
	Chrome
	Topic string
}

// learnTopic is one page of good practice.
type learnTopic struct {
	Key, URL, Title, Lead string
	Current               bool
}

// learnTopics are the pages in the order in which to read them.
func learnTopics(current string) []learnTopic {
	topics := []learnTopic{
		{Key: LearnUnit, Title: "Choosing the unit", Lead: "What is randomised is what is counted: viewers, broadcasters, or blocks of time."},
		{Key: LearnInterval, Title: "Reading an interval", Lead: "An estimate is one guess. The interval holds what the data allow."},
		{Key: LearnPeeking, Title: "Looking while it runs", Lead: "An ordinary test looked at daily is wrong five times as often as it says. Here you may look."},
		{Key: LearnGuardrails, Title: "Guardrails and margins", Lead: "Proving that nothing is hurt is another question than finding no harm."},
		{Key: LearnInterference, Title: "When the arms touch", Lead: "On shared links one arm takes from the other, and an A/B test shows a gain that nobody will have."},
	}
	for i := range topics {
		topics[i].URL = LearnPath + "/" + topics[i].Key
		topics[i].Current = topics[i].Key == current
	}
	return topics
}

// LearnTopics returns the pages of good practice, in the order in which to read them.
func LearnTopics() []Link {
	var out []Link
	for _, t := range learnTopics("") {
		out = append(out, Link{Text: t.Title, URL: t.URL})
	}
	return out
}

// ValidLearnTopic reports whether there is a page about the topic.
func ValidLearnTopic(topic string) bool {
	for _, t := range learnTopics("") {
		if t.Key == topic {
			return true
		}
	}
	return false
}

// learnPage is a page of good practice ready for the template.
type learnPage struct {
	Chrome
	learnTopic
	Topics  []learnTopic
	Figure  learnFigure
	Peeking learnPeekingWords
	Back    string
}

// learnFigure is a computed picture with its numbers.
type learnFigure struct {
	Chart   template.HTML
	Rows    []learnRow // of a forest, in place of Chart
	Caption string
	Head    []string
	Table   [][]string
}

// learnRow is a row of a forest with its words.
type learnRow struct {
	Name, Words string
	Chart       template.HTML
}

// learnPeekingWords are numbers of the text about looking.
type learnPeekingWords struct{ Daily, Often string }

// newLearnPage prepares a page; figures are those of learnFigures.
func newLearnPage(v LearnView, figures map[string]learnFigure) learnPage {
	p := learnPage{Chrome: v.Chrome, Topics: learnTopics(v.Topic), Figure: figures[v.Topic], Back: LearnPath}
	for _, t := range p.Topics {
		if t.Current {
			p.learnTopic = t
		}
	}
	if v.Topic == LearnPeeking {
		table := p.Figure.Table
		p.Peeking = learnPeekingWords{Daily: table[3][1], Often: table[len(table)-1][1]}
	}
	return p
}

// figures computes the picture of every topic.
func learnFigures() (map[string]learnFigure, error) {
	out := map[string]learnFigure{}
	for topic, figure := range map[string]func() (learnFigure, error){
		LearnPeeking: peekingFigure, LearnUnit: unitFigure, LearnInterference: interferenceFigure,
		LearnInterval: intervalFigure, LearnGuardrails: guardrailFigure,
	} {
		f, err := figure()
		if err != nil {
			return nil, fmt.Errorf("figure of %s: %w", topic, err)
		}
		out[topic] = f
	}
	return out, nil
}

// lines draws a figure of curves.
func (f *learnFigure) lines(l chart.Lines) error {
	svg, err := l.SVG()
	f.Chart = template.HTML(svg) //nolint:gosec // drawn by package chart, which escapes every text
	return err
}

// The test that the figures are about.
const (
	learnAlpha = 0.05
	// learnLooks is how far the figure of looking goes: more than three months
	// of days.
	learnLooks = 100
	// learnUnitsALook is how many units come between two looks: the sequence
	// counts units, and its shape depends on their number hardly at all.
	learnUnitsALook = 1000
)

// crossing returns the probability that a test of no effect has crossed the
// bound on z at one of the first 1, 2, … looks, at equal distances.
func crossing(bound func(look int) (float64, error)) ([]float64, error) {
	g := stats.GroupSequential{Kind: stats.SpendPower, Shape: 1, Alpha: learnAlpha, TwoSided: true, Information: make([]float64, learnLooks)}
	b := stats.GSTBounds{Z: make([]float64, learnLooks), AlphaSpent: make([]float64, learnLooks)}
	for i := range learnLooks {
		g.Information[i] = float64(i+1) / learnLooks
		var err error
		if b.Z[i], err = bound(i + 1); err != nil {
			return nil, err
		}
	}
	o, err := g.Operate(b, 0)
	if err != nil {
		return nil, err
	}
	sum := 0.0
	for i := range o.Upper {
		sum += o.Upper[i] + o.Lower[i]
		o.Upper[i] = sum
	}
	return o.Upper, nil
}

// peekingFigure shows how often a test of nothing finds something.
func peekingFigure() (learnFigure, error) {
	fixedZ := stats.Normal{}.Quantile(1 - learnAlpha/2)
	fixed, err := crossing(func(int) (float64, error) { return fixedZ, nil })
	if err != nil {
		return learnFigure{}, err
	}
	sequence := stats.AsympCS{Alpha: learnAlpha, NOpt: learnLooks * learnUnitsALook}
	valid, err := crossing(func(look int) (float64, error) {
		s, err := sequence.TwoSided(stats.Effect{Variance: 1, DF: math.Inf(1), N: int64(look) * learnUnitsALook, Scale: stats.Absolute})
		return s.Upper, err
	})
	if err != nil {
		return learnFigure{}, err
	}
	f := learnFigure{
		Caption: "The probability to find an effect where there is none, computed for the normal test by integration over all paths. Looks at equal distances.",
		Head:    []string{"Looks", "Ordinary test at 5 %", "The sequence used here"},
	}
	for _, k := range []int{1, 2, 5, 14, 28, 100} {
		f.Table = append(f.Table, []string{strconv.Itoa(k), oneDecimal(fixed[k-1]), oneDecimal(valid[k-1])})
	}
	curve := func(values []float64) (out []chart.XY) {
		for i, v := range values {
			out = append(out, chart.XY{X: float64(i + 1), Y: v})
		}
		return out
	}
	err = f.lines(chart.Lines{
		Title: "False alarms by the number of looks", Desc: f.Caption, XName: "looks", YName: "false alarms",
		XTicks: []chart.Tick{{At: 1, Text: "1"}, {At: 2, Text: "2"}, {At: 5, Text: "5"}, {At: 14, Text: "14"}, {At: 28, Text: "28"}, {At: 100, Text: "100"}}, LogX: true,
		YTicks: pctTicks(0, 0.1, 0.2, 0.3, 0.4), Rule: &chart.Tick{At: learnAlpha, Text: "5 %: what is promised"},
		Curves: []chart.Curve{{Name: "ordinary test", Class: "line-b", Points: curve(fixed)}, {Name: "sequence", Class: "line-a", Points: curve(valid)}},
	})
	return f, err
}

// unitFigure shows what it costs to count views when viewers are randomised: the
// variance of a mean of m views of one viewer is 1+(m-1)rho times that of m
// independent ones (Kish's design effect), which a test of views does not see.
func unitFigure() (learnFigure, error) {
	const most = 50
	z := stats.Normal{}.Quantile(1 - learnAlpha/2)
	alarms := func(views, rho float64) float64 {
		effect := 1 + (views-1)*rho
		return math.Erfc(z / math.Sqrt(effect) / math.Sqrt2)
	}
	f := learnFigure{
		Caption: "False alarms of a test at 5 % that counts views as if each were another viewer, by how much the views of one viewer resemble each other.",
		Head:    []string{"Views of a viewer", "A little alike (correlation 0.05)", "Much alike (0.3)"},
	}
	curves := []chart.Curve{{Name: "a little alike", Class: "line-a"}, {Name: "much alike", Class: "line-b"}}
	for i, rho := range []float64{0.05, 0.3} {
		for m := 1.0; m <= most; m++ {
			curves[i].Points = append(curves[i].Points, chart.XY{X: m, Y: alarms(m, rho)})
		}
	}
	for _, m := range []int{1, 5, 20, most} {
		f.Table = append(f.Table, []string{strconv.Itoa(m), oneDecimal(curves[0].Points[m-1].Y), oneDecimal(curves[1].Points[m-1].Y)})
	}
	err := f.lines(chart.Lines{
		Title: "False alarms of counting views", Desc: f.Caption, XName: "views of one viewer", YName: "false alarms",
		XTicks: []chart.Tick{{At: 1, Text: "1"}, {At: 10, Text: "10"}, {At: 20, Text: "20"}, {At: 30, Text: "30"}, {At: 40, Text: "40"}, {At: most, Text: "50"}},
		YTicks: pctTicks(0, 0.2, 0.4, 0.6, 0.8), Rule: &chart.Tick{At: learnAlpha, Text: "5 %: what is promised"}, Curves: curves,
	})
	return f, err
}

// interferenceFigure is a link that is full and shared fairly between
// connections: treatment opens two where control opens one. With a share p of
// treatment, a connection gets 1/(1+p) of what it had, and treatment two of them.
func interferenceFigure() (learnFigure, error) {
	treatment := func(p float64) float64 { return 2/(1+p) - 1 }
	control := func(p float64) float64 { return 1/(1+p) - 1 }
	f := learnFigure{
		Caption: "A full link, shared fairly between connections; treatment opens two connections where control opens one. Throughput against what all had before. The A/B test shows +100 % at every share; when everybody has it, nobody gains.",
		Head:    []string{"Share with treatment", "Treatment, against before", "Control, against before", "What the A/B test shows"},
	}
	curves := []chart.Curve{{Name: "treatment", Class: "line-a"}, {Name: "control", Class: "line-b"}}
	for i := range 101 {
		p := float64(i) / 100
		curves[0].Points = append(curves[0].Points, chart.XY{X: p, Y: treatment(p)})
		curves[1].Points = append(curves[1].Points, chart.XY{X: p, Y: control(p)})
	}
	for _, p := range []float64{0.01, 0.5, 0.99} {
		f.Table = append(f.Table, []string{
			share(p), signedPct(treatment(p), 0), signedPct(control(p), 0), signedPct((1+treatment(p))/(1+control(p))-1, 0),
		})
	}
	err := f.lines(chart.Lines{
		Title: "Throughput on a shared link by the share of treatment", Desc: f.Caption, XName: "share of viewers with treatment", YName: "throughput against before",
		XTicks: pctTicks(0, 0.25, 0.5, 0.75, 1),
		YTicks: []chart.Tick{{At: -0.5, Text: "−50 %"}, {At: 0, Text: "0"}, {At: 0.5, Text: "+50 %"}, {At: 1, Text: "+100 %"}},
		Rule:   &chart.Tick{At: 0, Text: ""}, Curves: curves,
	})
	return f, err
}

// intervalFigure is one lift measured with more and more units: per-unit
// deviation 2 of the mean's size, both arms alike.
func intervalFigure() (learnFigure, error) {
	const lift, deviation, nOpt = 0.01, 2.0, 1_000_000
	f := learnFigure{Caption: "The same lift of +1 % measured with more and more viewers. Whiskers: valid at every look. Bar: valid at one look only."}
	sequence := stats.AsympCS{Alpha: learnAlpha, NOpt: nOpt}
	z := stats.Normal{}.Quantile(1 - learnAlpha/2)
	var rows []chart.Row
	for _, n := range []int64{100_000, 400_000, 1_600_000, 6_400_000} {
		se := deviation * 2 / math.Sqrt(float64(n)) // sd sqrt(1/(n/2) + 1/(n/2))
		s, err := sequence.TwoSided(stats.Effect{Estimate: lift, Variance: se * se, DF: math.Inf(1), N: n, Scale: stats.Absolute})
		if err != nil {
			return f, err
		}
		state, word := chart.NotProven, "not proven"
		if s.Lower > 0 {
			state, word = chart.Better, "better"
		}
		rows = append(rows, chart.Row{
			State: state, Estimate: new(lift), Anytime: &chart.Interval{Lo: s.Lower, Hi: s.Upper}, Fixed: &chart.Interval{Lo: lift - z*se, Hi: lift + z*se},
			Words: fmt.Sprintf("%s viewers: +1 %%, between %s and %s at any look; %s", count(n), signedPct(s.Lower, 2), signedPct(s.Upper, 2), word),
		})
	}
	err := f.forest(rows)
	return f, err
}

// guardrailFigure is three ways to stand to a margin of 1 %.
func guardrailFigure() (learnFigure, error) {
	const margin = -0.01
	f := learnFigure{Caption: "Three guardrails with a margin of 1 %, drawn as a wall. Only the first has been shown to be safe."}
	row := func(lo, hi float64, state chart.State, words string) chart.Row {
		e := (lo + hi) / 2
		return chart.Row{
			Words: words, State: state, Estimate: &e, Margin: new(margin), Anytime: &chart.Interval{Lo: lo, Hi: hi},
			Fixed: &chart.Interval{Lo: e - (hi-lo)/3, Hi: e + (hi-lo)/3},
		}
	}
	err := f.forest([]chart.Row{
		row(-0.006, 0.002, chart.Better, "Safe: at worst 0.6 % is lost, less than the margin, though it may well be a little worse"),
		row(-0.016, 0.012, chart.NotProven, "Not yet proven safe: a loss of 1.6 % is still possible; nothing was found, but nothing was excluded either"),
		row(-0.024, -0.012, chart.Worse, "Breached: at best 1.2 % is lost, more than the margin"),
	})
	return f, err
}

// forest draws the rows with their words beside them.
func (f *learnFigure) forest(rows []chart.Row) error {
	drawn, err := chart.NewForest(rows)
	if err != nil {
		return err
	}
	f.Chart = template.HTML(drawn.Axis()) //nolint:gosec // drawn by package chart, which escapes every text
	for i := range rows {
		name, rest, _ := strings.Cut(rows[i].Words, ": ")
		f.Rows = append(f.Rows, learnRow{
			Name: tight(name), Words: tight(rest), Chart: template.HTML(drawn.Row(i)), //nolint:gosec // as above
		})
	}
	return nil
}

// pctTicks are ticks at fractions.
func pctTicks(values ...float64) (out []chart.Tick) {
	for _, v := range values {
		out = append(out, chart.Tick{At: v, Text: share(v)})
	}
	return out
}

// oneDecimal formats a probability as a percentage with one decimal.
func oneDecimal(v float64) string {
	if v < 0.0005 {
		return "below 0.1\u00a0%"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + "\u00a0%"
}
