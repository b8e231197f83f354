package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// documentMetric is a definition with its place in a document.
type documentMetric struct {
	metrics.Definition
	place int
}

func (m *documentMetric) field() string { return fmt.Sprintf("metrics[%d]", m.place) }

// documentMetrics reads the definitions of a document, by key.
func documentMetrics(doc *experiment.Document) (map[string]*documentMetric, experiment.Errors) {
	out := map[string]*documentMetric{}
	var faults experiment.Errors
	for i, text := range doc.Metrics {
		m := &documentMetric{place: i}
		var err error
		if m.Definition, err = metrics.ParseDefinition(text); err == nil && out[m.Key] != nil {
			err = experiment.Invalidf("key", "%q is in the document twice", m.Key)
		}
		if err != nil {
			faults = append(faults, experiment.Faults(experiment.Within(m.field(), err))...)
			continue
		}
		out[m.Key] = m
	}
	return out, faults
}

// metrics applies definitions, in the order of the document.
func (p *publication) metrics(ctx context.Context, definitions map[string]*documentMetric) ([]DefinedMetric, error) {
	var out []DefinedMetric
	ordered := slices.SortedFunc(maps.Values(definitions), func(a, b *documentMetric) int { return cmp.Compare(a.place, b.place) })
	for _, m := range ordered {
		defined, err := p.defineMetric(ctx, m.Definition)
		if err != nil {
			return nil, experiment.Within(m.field(), err)
		}
		out = append(out, defined)
	}
	return out, nil
}
