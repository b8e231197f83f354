package experiment

import (
	"maps"
	"slices"
)

// KeepVersions takes over the versions of metrics that the plan before had
// fixed, where this one names none: who applies a document again must not have to
// know what was fixed at launch.
func (p *Plan) KeepVersions(before *Plan) {
	kept := map[string]int{}
	for _, metric := range p.Metrics() {
		if version, fixed := before.Versions[metric]; fixed {
			kept[metric] = version
		}
	}
	maps.Copy(kept, p.Versions)
	if len(kept) > 0 {
		p.Versions = kept
	}
}

// PinVersions fixes the metrics of which no version is fixed yet at the newest
// one, and returns them. Metrics that newest does not know stay open.
func (p *Plan) PinVersions(newest func(metric string) (version int, ok bool)) (pinned []string) {
	versions := maps.Clone(p.Versions)
	for _, metric := range p.Metrics() {
		if _, fixed := versions[metric]; fixed {
			continue
		}
		if version, ok := newest(metric); ok {
			if versions == nil {
				versions = map[string]int{}
			}
			versions[metric] = version
			pinned = append(pinned, metric)
		}
	}
	p.Versions = versions
	return pinned
}

func (p *Plan) validateVersions(f *faultList) {
	planned := p.Metrics()
	for _, metric := range slices.Sorted(maps.Keys(p.Versions)) {
		switch {
		case !slices.Contains(planned, metric):
			f.addf("plan.versions."+metric, "is no metric of the plan")
		case p.Versions[metric] < 1:
			f.addf("plan.versions."+metric, "must be at least 1")
		}
	}
}
