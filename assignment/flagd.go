package assignment

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// logic is a node of JSONLogic, flagd's targeting language.
type logic = map[string]any

// Names in the document.
const (
	flagdSchema = "https://flagd.dev/schema/v0/flags.json"
	flagSetID   = "splitcast"
	// layerRef prefixes the shared evaluators that map a unit to the
	// experiment that owns its slot.
	layerRef = "layer."
	// holdoutRef prefixes those that say whether a unit is held out.
	holdoutRef = "holdout."
	heldOut    = "out"
	// nobody stands for free slots. It is not a key, so no experiment has it.
	nobody = "-"
	// remoteOnly prefixes the metadata that say why an experiment is left out.
	remoteOnly = "remote-only."
	// maxFlagdListIDs bounds the lists that are repeated in the document for each
	// experiment that uses them: as many as an audience may spell out.
	maxFlagdListIDs = experiment.MaxAudienceValues
)

// FlagdDocument returns the configuration as a flagd flag document
// (flagd.dev/schema/v0/flags.json), for flagd and its in-process providers
// with fractional since April 2026. It is written from the compiled form and
// gives each unit with a valid id the arm that Evaluate gives it. Layers are
// shared $evaluators. An experiment that the targeting language cannot express
// exactly is left out, and the document's metadata say why under
// "remote-only." and its key: OFREP serves it.
//
// Providers differ from us, and from each other, in versions that lack a minor
// or patch number ("5.2"): attributes that rules compare as versions should be
// complete.
func (s *Snapshot) FlagdDocument() []byte {
	var b bytes.Buffer
	if err := s.WriteFlagd(&b, nil); err != nil {
		panic("a buffer takes everything: " + err.Error())
	}
	return b.Bytes()
}

// WriteFlagd writes FlagdDocument without the flags named, for the reasons
// given. It goes one flag at a time: the trees of 5,000 flags take a hundred
// times the room of the compiled form.
func (s *Snapshot) WriteFlagd(to io.Writer, excluded map[string]string) error {
	w := bufio.NewWriter(to)
	metadata := map[string]any{"flagSetId": flagSetID, "version": strconv.FormatInt(s.version, 10)}
	fmt.Fprintf(w, `{"$evaluators":%s,"$schema":%q,"flags":{`, mustJSON(s.flagdEvaluators()), flagdSchema)
	separator := ""
	for i := range s.experiments {
		c := &s.experiments[i]
		flag, err := c.flagd()
		why := excluded[c.Key]
		if err != nil {
			why = err.Error()
		}
		if why != "" {
			metadata[remoteOnly+c.Key] = why
			continue
		}
		fmt.Fprintf(w, "%s%q:%s", separator, c.Key, mustJSON(flag)) // a key needs no escapes: ValidKey
		separator = ","
	}
	fmt.Fprintf(w, `},"metadata":%s}`, mustJSON(metadata))
	return w.Flush() // tells of every write that failed
}

// mustJSON writes what Compile accepted, which always has a JSON form.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("what Compile accepted always marshals: " + err.Error())
	}
	return b
}

// RemoteOnly returns why the flagd document leaves an experiment out; empty
// when it does not, or the experiment is unknown.
func (s *Snapshot) RemoteOnly(key string) string {
	i, ok := s.index[key]
	if !ok {
		return ""
	}
	if _, err := s.experiments[i].flagd(); err != nil {
		return err.Error()
	}
	return ""
}

// flagdEvaluators returns the logic that flags share: that of layers, and of
// holdouts, whose fractional yields heldOut.
func (s *Snapshot) flagdEvaluators() map[string]any {
	shared := s.flagdLayers()
	for u := range s.holdouts {
		for _, h := range s.holdouts[u] {
			salted := logic{"cat": []any{h.salt, unitLogic(unitIndex(u))}}
			shared[holdoutRef+h.key] = logic{"fractional": []any{salted, []any{heldOut, h.below}, []any{nobody, experiment.TotalSlots - h.below}}}
		}
	}
	return shared
}

// flagdHoldouts returns condition and variant of units that are held out.
func (c *compiled) flagdHoldouts() []any {
	if c.more == nil {
		return nil
	}
	var steps []any
	for _, h := range c.more.holdouts {
		steps = append(steps, logic{"===": []any{logic{"$ref": holdoutRef + h.key}, heldOut}}, c.arms[0].key)
	}
	return steps
}

// flagdLayers returns for each layer that more than one may share the
// fractional that yields the key of the experiment in whose slots a unit is.
func (s *Snapshot) flagdLayers() map[string]any {
	type owned struct {
		experiment.SlotRange
		by string
	}
	ranges := map[string][]owned{}
	for i := range s.experiments {
		c := &s.experiments[i]
		if c.state != stateSplit || c.ownsAll() {
			continue
		}
		for _, r := range c.slots {
			ranges[c.Layer] = append(ranges[c.Layer], owned{r, c.Key})
		}
	}
	out := map[string]any{}
	for _, l := range s.layers {
		rs, ok := ranges[l.Key]
		if !ok {
			continue
		}
		slices.SortFunc(rs, func(a, b owned) int { return a.From - b.From })
		args := []any{logic{"cat": []any{l.Salt + ":", unitLogic(unitIndexOf(l.Unit))}}}
		at := 0
		for _, r := range rs {
			if r.From > at {
				args = append(args, []any{nobody, r.From - at})
			}
			args = append(args, []any{r.by, r.Len()})
			at = r.To
		}
		if at < experiment.TotalSlots {
			args = append(args, []any{nobody, experiment.TotalSlots - at})
		}
		out[layerRef+l.Key] = logic{"fractional": args}
	}
	return out
}

func (c *compiled) ownsAll() bool { return experiment.CountSlots(c.slots) == experiment.TotalSlots }

// unitLogic is the id of the unit: the attribute of its type, else the
// targeting key.
func unitLogic(u unitIndex) logic {
	id := logic{"var": unitAttr(u)}
	return logic{"if": []any{id, id, logic{"var": TargetingKey}}}
}

// flagd returns the experiment as a flag, or why it cannot be one.
func (c *compiled) flagd() (map[string]any, error) {
	variants := map[string]any{}
	for i := range c.arms {
		variants[c.arms[i].key] = c.arms[i].value
	}
	flag := map[string]any{
		"state": "ENABLED", "variants": variants, "defaultVariant": c.arms[0].key,
		"metadata": map[string]any{"version": c.Version, "layer": c.Layer, "unit": c.Unit},
	}
	steps := c.flagdOverrides()
	switch c.state {
	case stateKept:
		return nil, errors.New("the experiment is paused and units that were exposed keep their arms, which are too many to list")
	case stateShipped:
		steps = append(steps, c.flagdHoldouts()...)
		steps = append(steps, true, c.arms[c.more.shippedArm].key)
	case stateSplit:
		if c.more != nil && len(c.more.requires) > 0 {
			return nil, errors.New("the experiment requires arms of another, which the targeting language can only repeat, not refer to")
		}
		steps = append(steps, c.flagdHoldouts()...)
		audience, err := audienceLogic(c.audience)
		if err != nil {
			return nil, err
		}
		steps = append(steps, c.flagdOpen(audience), c.flagdSplit())
	}
	if len(steps) > 0 {
		flag["targeting"] = logic{"if": steps} // else null, which means the default variant
	}
	return flag, nil
}

// flagdOverrides returns condition and variant of each arm with overrides.
func (c *compiled) flagdOverrides() []any {
	var steps []any
	for i := range c.arms {
		var units []any
		for _, unit := range slices.Sorted(maps.Keys(c.overrides)) {
			if int(c.overrides[unit]) == i {
				units = append(units, unit)
			}
		}
		if units != nil {
			steps = append(steps, logic{"in": []any{unitLogic(c.unit), units}}, c.arms[i].key)
		}
	}
	return steps
}

// flagdOpen returns the condition that the unit is in audience and slots.
func (c *compiled) flagdOpen(audience any) any {
	switch {
	case len(c.slots) == 0:
		return false
	case c.ownsAll():
		return audience
	}
	inSlots := logic{"===": []any{logic{"$ref": layerRef + c.Layer}, c.Key}}
	if audience == true {
		return inSlots
	}
	return logic{"and": []any{audience, inSlots}}
}

// flagdSplit returns the fractional that yields the arm.
func (c *compiled) flagdSplit() any {
	args := []any{logic{"cat": []any{c.armSalt, unitLogic(c.unit)}}}
	below := uint32(0)
	for i := range c.arms {
		variant := c.arms[i].key
		if c.more != nil && c.more.dropped&(1<<i) != 0 {
			variant = c.arms[0].key
		}
		args = append(args, []any{variant, c.arms[i].below - below})
		below = c.arms[i].below
	}
	return logic{"fractional": args}
}

// audienceLogic returns the condition that the audience holds.
func audienceLogic(r *rule) (any, error) {
	if r == nil {
		return true, nil
	}
	switch r.op {
	case opAll, opAny, opNot:
		return r.groupLogic()
	case opInList, opNotInList:
		if n := r.list.Len(); n > maxFlagdListIDs {
			return nil, fmt.Errorf("its audience looks ids up in a list of %d; the document repeats lists of at most %d", n, maxFlagdListIDs)
		}
		if r.attr == "" {
			return r.comparisonLogic(unitLogic(r.unit)), nil
		}
	}
	if strings.Contains(r.attr, ".") {
		return nil, fmt.Errorf("the name of attribute %q holds a dot, which flagd reads as a path", r.attr)
	}
	return r.comparisonLogic(logic{"var": r.attr}), nil
}

func (r *rule) groupLogic() (any, error) {
	kids := make([]any, len(r.kids))
	for i := range r.kids {
		k, err := audienceLogic(&r.kids[i])
		if err != nil {
			return nil, err
		}
		kids[i] = k
	}
	switch {
	case r.op == opNot:
		return logic{"!": kids}, nil
	case len(kids) == 0:
		return r.op == opAll, nil // all of nothing holds, any of nothing does not
	case r.op == opAll:
		return logic{"and": kids}, nil
	}
	return logic{"or": kids}, nil
}

// comparisonLogic returns the comparison of attribute v. JSONLogic converts
// types where we do not ("5000" >= 5000, null < 1), and some engines fail on
// what cannot be converted. So each comparison is behind a test of the type: a
// string is what equals its own text, a number is what is neither absent nor a
// string nor a boolean. (An array or object has no test; whoever sends one
// where a rule compares numbers gets that engine's error.)
func (r *rule) comparisonLogic(v logic) any {
	switch r.op {
	case opInList:
		return logic{"in": []any{v, r.list.IDs()}}
	case opNotInList:
		return logic{"!": []any{logic{"in": []any{v, r.list.IDs()}}}}
	}
	present := logic{"!==": []any{v, nil}}
	orEmpty := logic{"var": []any{r.attr, ""}} // engines fail on the text of null
	isText := logic{"===": []any{logic{"cat": []any{orEmpty}}, orEmpty}}
	ofString := func(comparison logic) any { return logic{"and": []any{present, isText, comparison}} }
	text := r.value.str
	switch r.op {
	case opPresent:
		return present
	case opAbsent:
		return logic{"===": []any{v, nil}}
	case opEq:
		return logic{"===": []any{v, r.value.any()}}
	case opNe:
		return logic{"!==": []any{v, r.value.any()}}
	case opIn:
		return logic{"in": []any{v, r.set.list()}}
	case opNotIn:
		return logic{"!": []any{logic{"in": []any{v, r.set.list()}}}}
	case opContains:
		return ofString(logic{"in": []any{text, v}})
	case opStartsWith:
		return ofString(logic{"starts_with": []any{v, text}})
	case opEndsWith:
		return ofString(logic{"ends_with": []any{v, text}})
	case opLt, opLe, opGt, opGe:
		return logic{"and": []any{
			present,
			logic{"!": []any{isText}},
			logic{"!==": []any{v, true}},
			logic{"!==": []any{v, false}},
			logic{r.op.sign(): []any{v, r.value.num}},
		}}
	}
	return ofString(logic{"sem_ver": []any{v, r.op.sign(), versionText(*r.version)}})
}

// sign returns the operator as flagd writes it.
func (o opcode) sign() string {
	switch o {
	case opLt, opSemverLt:
		return "<"
	case opLe, opSemverLe:
		return "<="
	case opGt, opSemverGt:
		return ">"
	case opGe, opSemverGe:
		return ">="
	}
	return "="
}

// versionText writes a version in full, as every provider reads it.
func versionText(v experiment.Semver) string {
	text := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		text += "-" + v.Pre
	}
	return text
}

// any returns the value as JSON has it.
func (a *attr) any() any {
	switch a.kind {
	case kindNumber:
		return a.num
	case kindBool:
		return a.num != 0
	}
	return a.str
}

// list returns the values in a fixed order.
func (s *valueSet) list() []any {
	values := slices.Clone(s.few)
	for v := range s.many {
		values = append(values, v)
	}
	slices.SortFunc(values, func(a, b attr) int {
		return strings.Compare(fmt.Sprint(a.kind, a.text()), fmt.Sprint(b.kind, b.text()))
	})
	out := make([]any, len(values))
	for i := range values {
		out[i] = values[i].any()
	}
	return out
}
