package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/metrics"
)

// CatalogueView is the catalogue of metrics.
type CatalogueView struct {
	Chrome
	Define  string // path of the page that defines one; empty: there is none
	Metrics []metrics.Definition
	// Conclusions are those of which the metrics tell: who moved them, and how
	// narrow their intervals were.
	Conclusions []Conclusion
}

// cataloguePage is the catalogue ready for the template.
type cataloguePage struct {
	Chrome
	Define string
	Groups []catalogueGroup
}

type catalogueGroup struct {
	Title, Lead string
	Metrics     []catalogueMetric
}

type catalogueMetric struct {
	Key, Name, Description string
	Better                 string
	Facts                  []catalogueFact
	Moved                  []catalogueMove // experiments that moved it, the last stopped first
	Sensitivity            string          // how narrow its intervals were; empty: not known
}

// catalogueMove is an experiment that was proven to move a metric.
type catalogueMove struct {
	Name, URL, Text string
	State           wording
}

// maxCatalogueMoves bounds what one metric shows; the library has all.
const maxCatalogueMoves = 5

type catalogueFact struct{ Name, Text string }

// The roles in the order of the page.
var catalogueRoles = []struct {
	role        metrics.Role
	title, lead string
}{
	{metrics.RoleGoal, "Goals", "What an experiment may be launched for"},
	{metrics.RoleGuardrail, "Guardrails", "What must not get worse by more than a margin"},
	{metrics.RoleTrust, "Trust", "Measured in every experiment: whether the others can be believed"},
	{metrics.RoleDiagnostic, "Diagnostics", "They explain; no decision rests on them"},
}

func newCataloguePage(v CatalogueView) cataloguePage {
	p := cataloguePage{Chrome: v.Chrome, Define: v.Define}
	sorted := slices.Clone(v.Metrics)
	slices.SortFunc(sorted, func(a, b metrics.Definition) int { return cmp.Compare(a.Name, b.Name) })
	for _, r := range catalogueRoles {
		g := catalogueGroup{Title: r.title, Lead: r.lead}
		for i := range sorted {
			if sorted[i].Role == r.role {
				m := newCatalogueMetric(&sorted[i])
				m.history(v.Conclusions)
				g.Metrics = append(g.Metrics, m)
			}
		}
		if len(g.Metrics) > 0 {
			p.Groups = append(p.Groups, g)
		}
	}
	return p
}

func newCatalogueMetric(d *metrics.Definition) catalogueMetric {
	m := catalogueMetric{Key: d.Key, Name: d.Name, Description: d.Description, Better: "neither is better"}
	switch {
	case d.Direction > 0:
		m.Better = "higher is better"
	case d.Direction < 0:
		m.Better = "lower is better"
	}
	fact := func(name, text string) {
		if text != "" {
			m.Facts = append(m.Facts, catalogueFact{name, text})
		}
	}
	fact("Computed as", computedAs(d))
	fact("Cap", d.Cap)
	if d.Of != "" {
		fact("Units", "only where units of type "+string(d.Of)+" are randomised")
	}
	fact("Window", string(d.Window))
	fact("Telemetry", "tiers "+strings.Join(strings.Split(d.Tiers, ""), ", "))
	fact("Mind", d.Pitfalls)
	return m
}

// history says what experiments that are over had to do with the metric.
func (m *catalogueMetric) history(all []Conclusion) {
	var half []float64
	for i := range all {
		c := &all[i]
		if !c.trusted() {
			continue
		}
		for j := range c.Findings {
			f := &c.Findings[j]
			if f.Metric != m.Key {
				continue
			}
			if f.Known {
				half = append(half, (f.Upper-f.Lower)/2)
			}
			if f.moved() && len(m.Moved) < maxCatalogueMoves {
				m.Moved = append(m.Moved, catalogueMove{cmp.Or(c.Name, c.Key), c.URL, tight(f.Text), rowWording(f.State, f.Role)})
			}
		}
	}
	if len(half) > 0 {
		slices.Sort(half)
		m.Sensitivity = "±" + share(half[(len(half)-1)/2]) + " half the time when experiments were stopped, ±" + share(half[0]) + " at best (" +
			plural(len(half), "comparison", "comparisons") + ")"
	}
}

// computedAs words the quotient of a definition.
func computedAs(d *metrics.Definition) string {
	return strings.ReplaceAll(string(d.Kind), "_", " ") + " of " + d.Numerator.String() + " over " + d.Denominator.String()
}
