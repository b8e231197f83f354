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
	Metrics []metrics.Definition
}

// cataloguePage is the catalogue ready for the template.
type cataloguePage struct {
	Chrome
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
}

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
	p := cataloguePage{Chrome: v.Chrome}
	sorted := slices.Clone(v.Metrics)
	slices.SortFunc(sorted, func(a, b metrics.Definition) int { return cmp.Compare(a.Name, b.Name) })
	for _, r := range catalogueRoles {
		g := catalogueGroup{Title: r.title, Lead: r.lead}
		for i := range sorted {
			if sorted[i].Role == r.role {
				g.Metrics = append(g.Metrics, newCatalogueMetric(&sorted[i]))
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

// computedAs words the quotient of a definition.
func computedAs(d *metrics.Definition) string {
	return strings.ReplaceAll(string(d.Kind), "_", " ") + " of " + d.Numerator.String() + " over " + d.Denominator.String()
}
