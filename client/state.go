package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// state is one configuration, compiled. It never changes.
type state struct {
	version  int64
	etag     string
	snapshot *assignment.Snapshot
	entries  map[string]*entry
	layers   uint64 // hash of all that is not an experiment
}

// entry is one experiment.
type entry struct {
	index  int // in the snapshot
	unit   experiment.UnitType
	values []value
	sum    uint64 // hash of its JSON: tells whether it changed
	why    string // not empty: it is left out, because this client does not understand it
}

func (e *entry) valueOf(arm string) *value {
	for i := range e.values {
		if e.values[i].arm == arm {
			return &e.values[i]
		}
	}
	return nil
}

// wireConfig is a configuration whose experiments are still JSON.
type wireConfig struct {
	experiment.Config

	Experiments []json.RawMessage `json:"experiments"`
}

// wireExperiment is an experiment without what evaluation does not need, so
// that a new kind of plan or of metric does not matter here.
type wireExperiment struct {
	experiment.Experiment

	Plan json.RawMessage `json:"plan"`
}

// newState compiles the text of a configuration. Each experiment with anything
// that this client does not know is left out and says so: to ignore a condition
// would put units into arms where they do not belong. A part of the
// configuration itself that is not known could concern every experiment, so
// the whole is refused then.
func newState(text []byte, etag string, seen *seenSet) (*state, error) {
	var wire wireConfig
	if err := strictly(text, &wire); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	st := &state{version: wire.Version, etag: etag, entries: make(map[string]*entry, len(wire.Experiments))}
	cfg := wire.Config
	cfg.Experiments = make([]experiment.Experiment, 0, len(wire.Experiments))
	for _, raw := range wire.Experiments {
		e, why, err := readExperiment(raw)
		if err != nil {
			return nil, err
		}
		if !evaluable(e.Status) {
			continue
		}
		st.entries[e.Key] = &entry{sum: maphash.Bytes(seen.seed, raw), why: why}
		if why == "" {
			cfg.Experiments = append(cfg.Experiments, e)
		}
	}
	if err := st.compile(cfg); err != nil {
		return nil, err
	}
	for i := range cfg.Experiments {
		if err := st.decodeValues(&cfg.Experiments[i], seen); err != nil {
			return nil, err
		}
	}
	rest := wire.Config
	rest.Version = 0
	b, err := json.Marshal(rest)
	if err != nil {
		return nil, fmt.Errorf("write the layers: %w", err)
	}
	st.layers = maphash.Bytes(seen.seed, b)
	return st, nil
}

// strictly decodes one JSON value without unknown fields.
func strictly(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is text after the end")
	}
	return nil
}

// evaluable reports whether units can meet an experiment of the status; of a
// status that this client does not know they might.
func evaluable(s experiment.Status) bool {
	return s != experiment.StatusDraft && s != experiment.StatusArchived
}

// hashedDesigns are those whose arms the hash of the unit alone decides: they
// differ in what is measured of whom.
var hashedDesigns = []experiment.Design{"", experiment.DesignAB, experiment.DesignRelease, experiment.DesignCluster}

// readExperiment decodes an experiment. why says what this client does not
// know of it; then only its key and status are read.
func readExperiment(raw json.RawMessage) (e experiment.Experiment, why string, err error) {
	var wire wireExperiment
	if err := strictly(raw, &wire); err != nil {
		var head struct {
			Key    string            `json:"key"`
			Status experiment.Status `json:"status"`
		}
		if json.Unmarshal(raw, &head) != nil || head.Key == "" {
			return e, "", fmt.Errorf("read an experiment: %w", err)
		}
		e.Key, e.Status = head.Key, head.Status
		return e, "this client is too old for it: " + err.Error(), nil
	}
	e = wire.Experiment
	switch {
	case !experiment.ValidStatus(e.Status):
		why = fmt.Sprintf("this client is too old for the status %q", e.Status)
	case e.Design == experiment.DesignSwitchback:
		why = "its arms depend on the time, which the configuration does not tell: evaluate it over HTTP"
	case !slices.Contains(hashedDesigns, e.Design):
		why = fmt.Sprintf("this client is too old for the design %q", e.Design)
	}
	return e, why, nil
}

// compile compiles what is understood. When the whole does not compile, each
// experiment is tried alone, and those that fail are left out.
func (st *state) compile(cfg experiment.Config) error {
	cfg.Experiments = st.dropDependants(cfg.Experiments)
	var err error
	if st.snapshot, err = assignment.Compile(cfg); err != nil {
		whole := cfg.Experiments
		cfg.Experiments = slices.DeleteFunc(slices.Clone(whole), func(e experiment.Experiment) bool {
			alone := cfg
			alone.Experiments = []experiment.Experiment{e}
			_, fault := assignment.Compile(alone)
			if fault != nil {
				st.entries[e.Key].why = "this client cannot evaluate it: " + fault.Error()
			}
			return fault != nil
		})
		if len(cfg.Experiments) == len(whole) { // the fault is between them
			return fmt.Errorf("compile configuration %d: %w", cfg.Version, err)
		}
		cfg.Experiments = st.dropDependants(cfg.Experiments)
		if st.snapshot, err = assignment.Compile(cfg); err != nil {
			return fmt.Errorf("compile configuration %d: %w", cfg.Version, err)
		}
	}
	for i := range st.snapshot.Len() {
		info := st.snapshot.At(i)
		e := st.entries[info.Key]
		e.index, e.unit = i, info.Unit
	}
	return nil
}

// dropDependants leaves out what requires an arm of an experiment that is left
// out: evaluation would take the prerequisite for one that nobody fulfils.
func (st *state) dropDependants(es []experiment.Experiment) []experiment.Experiment {
	for {
		rest := slices.DeleteFunc(slices.Clone(es), func(e experiment.Experiment) bool {
			for _, r := range e.Requires {
				if other := st.entries[r.Experiment]; other != nil && other.why != "" {
					st.entries[e.Key].why = "it requires " + r.Experiment + ", which is left out"
					return true
				}
			}
			return false
		})
		if len(rest) == len(es) {
			return rest
		}
		es = rest
	}
}

// decodeValues decodes the values of the arms.
func (st *state) decodeValues(e *experiment.Experiment, seen *seenSet) error {
	into := st.entries[e.Key]
	if into.why != "" {
		return nil
	}
	for i := range e.Arms {
		v, err := newValue(e.Arms[i].Key, e.Arms[i].Value)
		if err != nil {
			return fmt.Errorf("experiment %s: %w", e.Key, err)
		}
		v.tag = seen.armTag(e.Key, e.Version, v.arm)
		into.values = append(into.values, v)
	}
	return nil
}

// changed returns the keys of the experiments that differ between two
// configurations, sorted.
func changed(before, after *state) []string {
	keys := map[string]bool{}
	for key, e := range after.entries {
		if before == nil || before.layers != after.layers || before.entries[key] == nil || before.entries[key].sum != e.sum {
			keys[key] = true
		}
	}
	if before != nil {
		for key := range before.entries {
			if after.entries[key] == nil {
				keys[key] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(keys))
}

// leftOut returns why experiments are left out, by key.
func (st *state) leftOut() map[string]string {
	out := map[string]string{}
	for key, e := range st.entries {
		if e.why != "" {
			out[key] = e.why
		}
	}
	return out
}
