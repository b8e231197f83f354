package assignment

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// Compile builds the Snapshot of a configuration. Drafts and archived
// experiments are left out. It checks again what storage must guarantee and
// returns an experiment.Error of CodeInvalid that names the experiment: a
// faulty configuration is refused as a whole, and the last good one stays.
func Compile(cfg experiment.Config) (*Snapshot, error) {
	c, err := NewCompiler(cfg, nil)
	if err != nil {
		return nil, err
	}
	for i := range cfg.Experiments {
		text, err := json.Marshal(&cfg.Experiments[i])
		if err != nil {
			return nil, fmt.Errorf("experiment %s: %w", cfg.Experiments[i].Key, err)
		}
		if err := c.Add(&cfg.Experiments[i], text); err != nil {
			return nil, err
		}
	}
	return c.Snapshot()
}

// Compiler is Compile for experiments that come one at a time: it keeps the
// compiled form alone, which takes a tenth of the room.
type Compiler struct {
	snap   *Snapshot
	parts  *parts
	layers map[string]*experiment.Layer
	owned  map[string][]experiment.SlotRange // by layer
	digest hash.Hash
	before *Snapshot // whose experiments serve again when they are the same; nil: none does
}

// NewCompiler returns the Compiler of a configuration, whose own experiments are
// not looked at. An earlier snapshot, which may be nil, saves time and room: its
// experiments that did not change since are parts of the new one, too. It
// returns an experiment.Error of CodeInvalid.
func NewCompiler(head experiment.Config, before *Snapshot) (*Compiler, error) {
	c := &Compiler{
		snap:   &Snapshot{version: head.Version, index: map[string]int{}},
		layers: make(map[string]*experiment.Layer, len(head.Layers)),
		owned:  map[string][]experiment.SlotRange{},
		digest: sha256.New(),
	}
	for i := range head.Layers {
		c.layers[head.Layers[i].Key] = &head.Layers[i]
	}
	var err error
	if c.parts, err = newParts(&head); err != nil {
		return nil, err
	}
	c.snap.holdouts = c.parts.holdouts
	if err := c.printHead(&head); err != nil {
		return nil, err
	}
	if before != nil {
		// Most often as many as before, or one more.
		c.snap.experiments = make([]compiled, 0, len(before.experiments)+1)
		c.snap.index = make(map[string]int, len(before.experiments)+1)
		if before.shared == c.snap.shared {
			c.before = before
		}
	}
	return c, nil
}

// printHead makes all but the experiments a part of the fingerprint, and digests
// what experiments share. Of layers each experiment reads its own, and not all
// experiments are compiled anew because one more has come with another.
func (c *Compiler) printHead(head *experiment.Config) error {
	shared := sha256.New()
	enc := json.NewEncoder(shared)
	for i := range head.Holdouts {
		if err := enc.Encode(&head.Holdouts[i]); err != nil {
			return fmt.Errorf("holdout %s: %w", head.Holdouts[i].Key, err)
		}
	}
	for i := range head.Lists {
		fmt.Fprintf(shared, "list %s %s\n", head.Lists[i].Key, head.Lists[i].IDs.Digest())
	}
	for i := range head.Kept {
		units, err := head.Kept[i].Units.AppendBinary(nil)
		if err != nil {
			return fmt.Errorf("kept units of %s: %w", head.Kept[i].Experiment, err)
		}
		fmt.Fprintf(shared, "kept %s %x\n", head.Kept[i].Experiment, sha256.Sum256(units))
	}
	shared.Sum(c.snap.shared[:0])
	_, _ = c.digest.Write(c.snap.shared[:]) // a hash never fails
	if err := json.NewEncoder(c.digest).Encode(head.Layers); err != nil {
		return fmt.Errorf("encode layers: %w", err)
	}
	return nil
}

// Add compiles an experiment. text is its JSON, which decides the fingerprint.
// Nothing of either is kept. It returns an experiment.Error of CodeInvalid that
// names the experiment.
func (c *Compiler) Add(e *experiment.Experiment, text []byte) error {
	sum := sha256.Sum256(text)
	_, _ = c.digest.Write(sum[:]) // a hash never fails
	if e.Status == experiment.StatusDraft || e.Status == experiment.StatusArchived {
		return nil
	}
	layer := c.layers[e.LayerKey()]
	one, same := c.again(e.Key, sum)
	if !same {
		var err error
		if one, err = compileExperiment(e, layer, c.parts); err != nil {
			return fmt.Errorf("experiment %s: %w", e.Key, err)
		}
		one.digest = sum
	}
	if e.Status != experiment.StatusStopped {
		c.owned[layer.Key] = append(c.owned[layer.Key], e.SlotRanges...)
	}
	c.snap.experiments = append(c.snap.experiments, one)
	return nil
}

// Again is Add for an experiment whose text, of which digest is the SHA-256, has
// not changed since the snapshot before, and whether it was served then. It
// reports whether that can serve again; else it must be added.
func (c *Compiler) Again(key string, digest [sha256.Size]byte, served bool) bool {
	if served {
		one, same := c.again(key, digest)
		if !same {
			return false
		}
		if one.Status != experiment.StatusStopped {
			c.owned[one.Layer] = append(c.owned[one.Layer], one.slots...)
		}
		c.snap.experiments = append(c.snap.experiments, one)
	}
	_, _ = c.digest.Write(digest[:]) // a hash never fails
	return true
}

// again returns the experiment as it was compiled before from the same text, if
// its layer is the same, too. Its prerequisites are linked anew, for they may have
// changed.
func (c *Compiler) again(key string, sum [sha256.Size]byte) (compiled, bool) {
	if c.before == nil {
		return compiled{}, false
	}
	i, ok := c.before.index[key]
	if !ok || c.before.experiments[i].digest != sum {
		return compiled{}, false
	}
	one := c.before.experiments[i]
	if layer := c.layers[one.Layer]; layer == nil || layer.Unit != one.Unit || layer.Salt+":" != one.layerSalt {
		return compiled{}, false
	}
	if one.more != nil && len(one.more.wanted) > 0 {
		unlinked := *one.more
		unlinked.requires = nil
		one.more = &unlinked
	}
	return one, true
}

// Snapshot returns what was compiled; the Compiler must not be used again. It
// returns an experiment.Error of CodeInvalid when experiments contradict each
// other.
func (c *Compiler) Snapshot() (*Snapshot, error) {
	s := c.snap
	c.digest.Sum(s.fingerprint[:0])
	if err := checkExclusive(c.owned); err != nil {
		return nil, err
	}
	if spare := cap(s.experiments) - len(s.experiments); spare > 1 { // what growing left
		s.experiments = slices.Clone(s.experiments)
	}
	slices.SortFunc(s.experiments, func(a, b compiled) int { return strings.Compare(a.Key, b.Key) })
	for i := range s.experiments {
		key := s.experiments[i].Key
		if _, twice := s.index[key]; twice {
			return nil, experiment.Invalidf("key", "%q is used twice", key)
		}
		s.index[key] = i
	}
	if err := s.linkRequires(); err != nil {
		return nil, err
	}
	s.attributes = s.audienceAttributes()
	s.layers = usedLayers(s.experiments, c.layers)
	return s, nil
}
