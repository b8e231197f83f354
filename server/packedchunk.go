package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
)

// packedChunk is a run of experiments of the document that services read, packed
// as one member: a change packs its chunk, not all 5,000 experiments.
type packedChunk struct {
	entries []chunkEntry
	first   bool // of the document; the others begin with chunkSeparator
	member  []byte
}

// chunkEntry is what stays known of an experiment that was read.
type chunkEntry struct {
	key    string
	mark   experiment.Mark
	digest [sha256.Size]byte // of its text
	served bool              // it is in the snapshot
}

const (
	// chunkSeparator stands between experiments, and nowhere in their texts: JSON
	// has no line breaks within strings.
	chunkSeparator = ",\n"
	// chunkEvery is how many keys there are to one that begins a chunk. More make the
	// packing of a change slower, fewer make the document longer: at 64 it takes less
	// than a millisecond.
	chunkEvery = 64
)

// beginsChunk reports whether a chunk begins with the key. That depends on the key
// alone, so that a new experiment changes one chunk and moves no others.
func beginsChunk(key string) bool {
	h := fnv.New32a()
	_, _ = io.WriteString(h, key) // never fails
	return h.Sum32()%chunkEvery == 0
}

// errReadAll asks for all experiments: what the stream left out cannot be taken
// from the state before.
var errReadAll = errors.New("an experiment that was left out has to be read")

// chunkPacker writes the experiments of a document and takes from the one before
// what did not change.
type chunkPacker struct {
	packer *packer
	before map[string]*packedChunk // by each key in it
	texts  map[*packedChunk][][]byte
	done   []packedChunk

	// The chunk that is being read.
	entries []chunkEntry
	fresh   [][]byte // text of each entry; nil: as it was before
}

func newChunkPacker(p *packer, before []packedChunk) *chunkPacker {
	c := &chunkPacker{packer: p, before: map[string]*packedChunk{}, texts: map[*packedChunk][][]byte{}}
	for i := range before {
		for j := range before[i].entries {
			c.before[before[i].entries[j].key] = &before[i]
		}
	}
	return c
}

// experiments compiles the experiments and writes the last field of the document.
func (c *chunkPacker) experiments(cfg experiment.ConfigStream, compiler *assignment.Compiler) error {
	if _, err := io.WriteString(c.packer, `,"experiments":[`); err != nil {
		return err
	}
	for e, err := range cfg.Experiments {
		if err != nil {
			return err
		}
		if beginsChunk(e.Key) {
			if err := c.flush(); err != nil {
				return err
			}
		}
		if e.Experiment == nil {
			err = c.same(e, compiler)
		} else {
			err = c.add(e, compiler)
		}
		if err != nil {
			return err
		}
	}
	if err := c.flush(); err != nil {
		return err
	}
	if _, err := io.WriteString(c.packer, "]}\n"); err != nil {
		return err
	}
	return c.packer.cut()
}

// add takes an experiment that was read.
func (c *chunkPacker) add(e experiment.Streamed, compiler *assignment.Compiler) error {
	text, err := json.Marshal(e.Experiment)
	if err != nil {
		return fmt.Errorf("experiment %s: %w", e.Key, err)
	}
	if err := compiler.Add(e.Experiment, text); err != nil {
		return err
	}
	served := e.Status != experiment.StatusDraft && e.Status != experiment.StatusArchived
	c.entries = append(c.entries, chunkEntry{e.Key, e.Mark, sha256.Sum256(text), served})
	c.fresh = append(c.fresh, text)
	return nil
}

// same takes an experiment that did not change.
func (c *chunkPacker) same(e experiment.Streamed, compiler *assignment.Compiler) error {
	old := c.entryBefore(e.Key)
	if old == nil || !compiler.Again(e.Key, old.digest, old.served) {
		return errReadAll
	}
	c.entries = append(c.entries, chunkEntry{old.key, e.Mark, old.digest, old.served})
	c.fresh = append(c.fresh, nil)
	return nil
}

func (c *chunkPacker) entryBefore(key string) *chunkEntry {
	chunk := c.before[key]
	if chunk == nil {
		return nil
	}
	for i := range chunk.entries {
		if chunk.entries[i].key == key {
			return &chunk.entries[i]
		}
	}
	return nil
}

// flush ends a chunk.
func (c *chunkPacker) flush() error {
	if len(c.entries) == 0 {
		return nil
	}
	chunk := packedChunk{entries: slices.Clone(c.entries), first: len(c.done) == 0}
	known := c.unchanged(&chunk)
	var err error
	chunk.member, err = c.packer.part(known, func(w io.Writer) error { return c.write(w, chunk.first) })
	if err != nil {
		return err
	}
	c.done = append(c.done, chunk)
	c.entries, c.fresh = c.entries[:0], c.fresh[:0]
	return nil
}

// unchanged returns the member of the chunk before that has the same experiments in
// the same place; nil when there is none.
func (c *chunkPacker) unchanged(chunk *packedChunk) []byte {
	old := c.before[chunk.entries[0].key]
	if old == nil || old.first != chunk.first || len(old.entries) != len(chunk.entries) {
		return nil
	}
	for i := range old.entries {
		if old.entries[i].key != chunk.entries[i].key || old.entries[i].digest != chunk.entries[i].digest {
			return nil
		}
	}
	return old.member
}

func (c *chunkPacker) write(w io.Writer, first bool) error {
	for i := range c.entries {
		text := c.fresh[i]
		if text == nil {
			var err error
			if text, err = c.textBefore(c.entries[i].key); err != nil {
				return err
			}
		}
		if i > 0 || !first {
			if _, err := io.WriteString(w, chunkSeparator); err != nil {
				return err
			}
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// textBefore returns the text of an experiment as it was packed before.
func (c *chunkPacker) textBefore(key string) ([]byte, error) {
	chunk := c.before[key]
	texts := c.texts[chunk]
	if texts == nil {
		var err error
		if texts, err = chunk.unpack(); err != nil {
			return nil, fmt.Errorf("unpack experiment %s: %w", key, err)
		}
		c.texts[chunk] = texts
	}
	for i := range chunk.entries {
		if chunk.entries[i].key == key {
			return texts[i], nil
		}
	}
	return nil, errReadAll
}

// unpack returns the texts of the experiments.
func (c *packedChunk) unpack() ([][]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(c.member))
	if err != nil {
		return nil, err
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	texts := bytes.Split(bytes.TrimPrefix(all, []byte(chunkSeparator)), []byte(chunkSeparator))
	if len(texts) != len(c.entries) {
		return nil, fmt.Errorf("there are %d experiments in a chunk of %d", len(texts), len(c.entries))
	}
	return texts, nil
}

// marksOf returns the marks by which a stream may leave experiments out.
func marksOf(chunks []packedChunk) map[string]experiment.Mark {
	out := map[string]experiment.Mark{}
	for i := range chunks {
		for j := range chunks[i].entries {
			if e := &chunks[i].entries[j]; e.mark != 0 {
				out[e.key] = e.mark
			}
		}
	}
	return out
}
