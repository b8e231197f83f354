package server

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// liveState is one configuration, compiled. The experiments as they were read
// are not kept: of 5,000 they would take ten times the room of all of this.
type liveState struct {
	snapshot *assignment.Snapshot
	document *packed                       // the configuration as services read it
	chunks   []packedChunk                 // of the experiments in it
	keys     map[string]*experiment.APIKey // by hash
	revoked  map[string]struct{}           // hashes of ingest keys
	since    time.Time
}

// buildState compiles a configuration while it is read, one experiment at a
// time, and packs its document on the way.
//
// Of before, the state in force, it takes what did not change. It returns
// errReadAll when the stream leaves out an experiment that cannot be taken.
func buildState(cfg experiment.ConfigStream, before *liveState, sets *packedSets, now time.Time) (*liveState, error) {
	var snapshot *assignment.Snapshot
	var chunks []packedChunk
	if before != nil {
		snapshot, chunks = before.snapshot, before.chunks
	}
	compiler, err := assignment.NewCompiler(cfg.Head, snapshot)
	if err != nil {
		return nil, err
	}
	doc := newPacker()
	if err := sets.pack(doc, &cfg.Head); err != nil {
		return nil, err
	}
	packer := newChunkPacker(doc, chunks)
	if err := packer.experiments(cfg, compiler); err != nil {
		return nil, err
	}
	st := &liveState{
		chunks:  packer.done,
		keys:    make(map[string]*experiment.APIKey, len(cfg.Head.Keys)),
		revoked: make(map[string]struct{}, len(cfg.Head.RevokedKeys)),
		since:   now,
	}
	if st.snapshot, err = compiler.Snapshot(); err != nil {
		return nil, err
	}
	sum := st.snapshot.Fingerprint()
	st.document = &packed{doc.members, strconv.FormatInt(cfg.Head.Version, 10) + "-" + hex.EncodeToString(sum[:16])}
	for i := range cfg.Head.Keys {
		st.keys[cfg.Head.Keys[i].Hash] = &cfg.Head.Keys[i]
	}
	for _, hash := range cfg.Head.RevokedKeys {
		st.revoked[hash] = struct{}{}
	}
	return st, nil
}

// packedSets packs what precedes the experiments, and remembers lists and kept
// units, which are long and seldom change, by the sets themselves: storage reads
// each once.
type packedSets struct {
	lists map[listPart][]byte
	kept  map[keptPart][]byte
}

// listPart and keptPart tell apart what is packed of a set.
type (
	listPart struct {
		key  string
		unit experiment.UnitType
		ids  *experiment.IDSet
	}
	keptPart struct {
		experiment string
		version    int
		units      *experiment.UnitSet
	}
)

// pack writes the document up to the field of experiments. The hashes of keys
// never leave.
func (s *packedSets) pack(p *packer, head *experiment.Config) error {
	small := []struct {
		text  string
		value any
	}{{`{"version":`, head.Version}, {`,"layers":`, head.Layers}, {`,"holdouts":`, head.Holdouts}}
	for _, field := range small {
		if _, err := io.WriteString(p, field.text); err != nil {
			return err
		}
		if err := json.NewEncoder(p).Encode(field.value); err != nil {
			return fmt.Errorf("pack the configuration: %w", err)
		}
	}
	var err error
	s.lists, err = packSets(p, "lists", head.Lists, s.lists, func(l *experiment.List) listPart { return listPart{l.Key, l.Unit, l.IDs} })
	if err != nil {
		return err
	}
	s.kept, err = packSets(p, "kept", head.Kept, s.kept, func(k *experiment.Kept) keptPart { return keptPart{k.Experiment, k.Version, k.Units} })
	return err
}

// packSets writes a field with an array of sets: those known as they were packed
// before. It returns all.
func packSets[S any, K comparable](p *packer, field string, sets []S, known map[K][]byte, key func(*S) K) (map[K][]byte, error) {
	next := map[K][]byte{}
	if len(sets) == 0 {
		return next, nil
	}
	separator := `,"` + field + `":[`
	for i := range sets {
		if _, err := io.WriteString(p, separator); err != nil {
			return nil, err
		}
		k := key(&sets[i])
		var err error
		if next[k], err = p.part(known[k], func(w io.Writer) error { return json.NewEncoder(w).Encode(&sets[i]) }); err != nil {
			return nil, fmt.Errorf("pack %s: %w", field, err)
		}
		separator = ","
	}
	_, err := io.WriteString(p, "]")
	return next, err
}
