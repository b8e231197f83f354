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
	"fmt"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Snapshot is a compiled configuration. It never changes, so any number of
// goroutines may use it; a new version is a new Snapshot.
type Snapshot struct {
	version     int64
	fingerprint [sha256.Size]byte // of the content: a version number alone repeats when a database is restored
	experiments []compiled        // by key
	index       map[string]int
	attributes  []string // names that audiences read, sorted
	layers      []experiment.Layer
	holdouts    [unitCount][]holdout
}

// Info is what there is to know about an experiment without evaluating it.
type Info struct {
	Key     string
	Version int
	Unit    experiment.UnitType
	Layer   string
	Status  experiment.Status
	Arms    []string // keys; the first is control
}

// Version returns the version of the configuration.
func (s *Snapshot) Version() int64 { return s.version }

// Len returns the number of experiments.
func (s *Snapshot) Len() int { return len(s.experiments) }

// At describes experiment i of Len, in the order of keys. The caller must not
// change Info.Arms.
func (s *Snapshot) At(i int) Info { return s.experiments[i].Info }

// Find describes the experiment with the given key; false when it is unknown,
// a draft or archived.
func (s *Snapshot) Find(key string) (Info, bool) {
	i, ok := s.index[key]
	if !ok {
		return Info{}, false
	}
	return s.experiments[i].Info, true
}

// Compile builds the Snapshot of a configuration. Drafts and archived
// experiments are left out. It checks again what storage must guarantee and
// returns an experiment.Error of CodeInvalid that names the experiment: a
// faulty configuration is refused as a whole, and the last good one stays.
func Compile(cfg experiment.Config) (*Snapshot, error) {
	s := &Snapshot{version: cfg.Version, index: map[string]int{}}
	fp, err := fingerprint(&cfg)
	if err != nil {
		return nil, err
	}
	s.fingerprint = fp
	layers := make(map[string]*experiment.Layer, len(cfg.Layers))
	for i := range cfg.Layers {
		layers[cfg.Layers[i].Key] = &cfg.Layers[i]
	}
	parts, err := newParts(&cfg)
	if err != nil {
		return nil, err
	}
	s.holdouts = parts.holdouts
	owned := map[string][]experiment.SlotRange{}
	specs := make(map[string]*experiment.Experiment, len(cfg.Experiments))
	for i := range cfg.Experiments {
		e := &cfg.Experiments[i]
		if e.Status == experiment.StatusDraft || e.Status == experiment.StatusArchived {
			continue
		}
		layer := layers[e.LayerKey()]
		c, err := compileExperiment(e, layer, parts)
		if err != nil {
			return nil, fmt.Errorf("experiment %s: %w", e.Key, err)
		}
		if e.Status != experiment.StatusStopped {
			owned[layer.Key] = append(owned[layer.Key], e.SlotRanges...)
		}
		s.experiments = append(s.experiments, c)
		specs[e.Key] = e
	}
	if err := checkExclusive(owned); err != nil {
		return nil, err
	}
	slices.SortFunc(s.experiments, func(a, b compiled) int { return strings.Compare(a.Key, b.Key) })
	for i := range s.experiments {
		key := s.experiments[i].Key
		if _, twice := s.index[key]; twice {
			return nil, experiment.Invalidf("key", "%q is used twice", key)
		}
		s.index[key] = i
	}
	if err := s.linkRequires(specs); err != nil {
		return nil, err
	}
	s.attributes = parts.audiences.names()
	s.layers = usedLayers(s.experiments, layers)
	return s, nil
}

// parts are what experiments share while they are compiled.
type parts struct {
	audiences audienceCompiler
	holdouts  [unitCount][]holdout
	kept      map[string]*experiment.UnitSet // by experiment
}

func newParts(cfg *experiment.Config) (*parts, error) {
	p := &parts{
		audiences: audienceCompiler{known: map[audienceKey]*rule{}, attributes: map[string]bool{}, lists: map[string]*experiment.IDSet{}},
		kept:      map[string]*experiment.UnitSet{},
	}
	for i := range cfg.Lists {
		p.audiences.lists[cfg.Lists[i].Key] = cfg.Lists[i].IDs
	}
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

// fingerprint returns the SHA-256 of all that decides an answer.
func fingerprint(cfg *experiment.Config) ([sha256.Size]byte, error) {
	h := sha256.New()
	enc := json.NewEncoder(h)
	if err := enc.Encode(cfg.Layers); err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode layers: %w", err)
	}
	for i := range cfg.Experiments {
		if err := enc.Encode(&cfg.Experiments[i]); err != nil {
			return [sha256.Size]byte{}, fmt.Errorf("experiment %s: %w", cfg.Experiments[i].Key, err)
		}
	}
	for i := range cfg.Holdouts {
		if err := enc.Encode(&cfg.Holdouts[i]); err != nil {
			return [sha256.Size]byte{}, fmt.Errorf("holdout %s: %w", cfg.Holdouts[i].Key, err)
		}
	}
	for i := range cfg.Lists {
		fmt.Fprintf(h, "list %s %s\n", cfg.Lists[i].Key, cfg.Lists[i].IDs.Digest())
	}
	for i := range cfg.Kept {
		units, err := cfg.Kept[i].Units.AppendBinary(nil)
		if err != nil {
			return [sha256.Size]byte{}, fmt.Errorf("kept units of %s: %w", cfg.Kept[i].Experiment, err)
		}
		fmt.Fprintf(h, "kept %s %x\n", cfg.Kept[i].Experiment, sha256.Sum256(units))
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
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
