// Package assignment decides which arm a unit is in. A configuration is
// compiled once into an immutable Snapshot; evaluating it is a pure function
// of (configuration, unit, attributes), so that every replica, the Go client
// and the exported flagd document give the same arm.
//
// It does no I/O, reads no clock, draws no random number, starts no goroutine
// and allocates nothing while evaluating.
//
//	snap, err := assignment.Compile(cfg)
//	if err != nil {
//		return fmt.Errorf("compile configuration %d: %w", cfg.Version, err)
//	}
//	ctx := assignment.NewContext("viewer-1")
//	ctx.SetString("country", "DE")
//	if r, ok := snap.Evaluate("abr-safety-75", ctx); ok {
//		serve(r.Value)
//	}
package assignment

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Snapshot is a compiled configuration. It never changes, so any number of
// goroutines may use it; a new version is a new Snapshot.
type Snapshot struct {
	version     int64
	fingerprint [sha256.Size]byte // of the content: a version number alone repeats when a database is restored
	shared      [sha256.Size]byte // of the holdouts, lists and kept units
	experiments []compiled        // by key
	index       map[string]int
	attributes  []string // names that audiences read, sorted
	layers      []experiment.Layer
	holdouts    [unitCount][]holdout
}

// Info is what there is to know about an experiment without evaluating it.
type Info struct {
	Key     string
	ID      int64 // of storage; 0 where that is not known
	Version int
	Unit    experiment.UnitType
	Layer   string
	Status  experiment.Status
	Arms    []string // keys; the first is control
}

// ArmIndex returns the position of the arm with the given key, or -1.
func (i *Info) ArmIndex(key string) int { return slices.Index(i.Arms, key) }

// Version returns the version of the configuration.
func (s *Snapshot) Version() int64 { return s.version }

// Fingerprint returns the SHA-256 of everything that decides an answer: a version
// number alone repeats when a database is restored.
func (s *Snapshot) Fingerprint() [sha256.Size]byte { return s.fingerprint }

// Len returns the number of experiments.
func (s *Snapshot) Len() int { return len(s.experiments) }

// At describes experiment i of Len, in the order of keys. The caller must not
// change Info.Arms.
func (s *Snapshot) At(i int) Info { return s.experiments[i].Info }

// Index returns the place of the experiment with the given key in the order of
// keys; false when it is unknown, a draft or archived.
func (s *Snapshot) Index(key string) (int, bool) {
	i, ok := s.index[key]
	return i, ok
}

// Value returns what arm of experiment i gives services. The caller must not
// change it.
func (s *Snapshot) Value(i, arm int) json.RawMessage { return s.experiments[i].arms[arm].value }

// Find describes the experiment with the given key; false when it is unknown,
// a draft or archived.
func (s *Snapshot) Find(key string) (Info, bool) {
	i, ok := s.index[key]
	if !ok {
		return Info{}, false
	}
	return s.experiments[i].Info, true
}

// parts are what experiments share while they are compiled.
type parts struct {
	audiences audienceCompiler
	holdouts  [unitCount][]holdout
	kept      map[string]*experiment.UnitSet // by experiment
}

func newParts(cfg *experiment.Config) (*parts, error) {
	lists := make(map[string]*experiment.IDSet, len(cfg.Lists))
	for i := range cfg.Lists {
		if l := &cfg.Lists[i]; l.IDs != nil { // a nil would count as not known
			lists[l.Key] = l.IDs
		}
	}
	p := &parts{audiences: newAudienceCompiler(lists), kept: map[string]*experiment.UnitSet{}}
	for i := range cfg.Kept {
		p.kept[cfg.Kept[i].Experiment] = cfg.Kept[i].Units
	}
	var err error
	p.holdouts, err = compileHoldouts(cfg.Holdouts)
	return p, err
}

// usedLayers returns the layers that live experiments are in, by key.
func usedLayers(es []compiled, layers map[string]*experiment.Layer) []experiment.Layer {
	var out []experiment.Layer
	seen := map[string]bool{}
	for i := range es {
		if key := es[i].Layer; !seen[key] {
			seen[key] = true
			out = append(out, *layers[key])
		}
	}
	slices.SortFunc(out, func(a, b experiment.Layer) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// checkExclusive refuses slots of one layer that two experiments own.
func checkExclusive(owned map[string][]experiment.SlotRange) error {
	for layer, ranges := range owned {
		slices.SortFunc(ranges, func(a, b experiment.SlotRange) int { return a.From - b.From })
		for i := 1; i < len(ranges); i++ {
			if ranges[i].From < ranges[i-1].To {
				return experiment.Invalidf("slot_ranges", "two experiments of layer %s own slot %d", layer, ranges[i].From)
			}
		}
	}
	return nil
}
