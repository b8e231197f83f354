package server

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// copyHead precedes the configuration in the copy on disk: what only the server
// may know.
type copyHead struct {
	Keys        []experiment.APIKey `json:"keys"`
	RevokedKeys []string            `json:"revoked_keys,omitempty"`
}

// writeCopy replaces the copy on disk: gzip of a copyHead and of the document that
// services read. It does so by rename, so that a crash leaves the old one or the
// new one. Only this user may read it: it holds the hashes of keys.
func (l *Live) writeCopy(st *liveState, head copyHead) error {
	if l.path == "" {
		return nil
	}
	p := newPacker()
	if err := json.NewEncoder(p).Encode(head); err != nil {
		return err
	}
	if err := p.cut(); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(l.path), filepath.Base(l.path)+".*") // mode 0600
	if err != nil {
		return err
	}
	whole := packed{members: append(p.members, st.document.members...)}
	_, err = io.Copy(f, whole.gzip())
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Remove(oldCopy(l.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// oldCopy is where earlier programs kept the copy, as plain JSON.
func oldCopy(path string) string { return strings.TrimSuffix(path, ".gz") + ".json" }

// readCopy puts the copy on disk in force.
func (l *Live) readCopy() error {
	if l.path == "" {
		return nil
	}
	f, err := os.Open(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l.readOldCopy()
	}
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(z)
	var head copyHead
	if err := dec.Decode(&head); err != nil {
		return err
	}
	cfg, err := decodeConfig(dec)
	if err != nil {
		return err
	}
	cfg.Head.Keys, cfg.Head.RevokedKeys = head.Keys, head.RevokedKeys
	_, err = l.use(cfg)
	return err
}

func (l *Live) readOldCopy() error {
	text, err := os.ReadFile(oldCopy(l.path))
	if err != nil {
		return err
	}
	var cfg experiment.Config
	if err := json.Unmarshal(text, &cfg); err != nil {
		return err
	}
	_, err = l.use(cfg.Stream())
	return err
}

// decodeConfig reads the document of a configuration whose experiments come
// last, as buildState writes it.
func decodeConfig(dec *json.Decoder) (experiment.ConfigStream, error) {
	var cfg experiment.ConfigStream
	fields := map[string]any{
		"version": &cfg.Head.Version, "layers": &cfg.Head.Layers, "holdouts": &cfg.Head.Holdouts, "lists": &cfg.Head.Lists, "kept": &cfg.Head.Kept,
	}
	if err := expect(dec, json.Delim('{')); err != nil {
		return cfg, err
	}
	for {
		name, err := dec.Token()
		if err != nil {
			return cfg, err
		}
		if name == "experiments" {
			break
		}
		text, _ := name.(string)
		into := fields[text]
		if into == nil {
			return cfg, fmt.Errorf("%v stands where a field of the configuration should", name)
		}
		if err := dec.Decode(into); err != nil {
			return cfg, err
		}
	}
	cfg.Experiments = func(yield func(experiment.Streamed, error) bool) {
		if err := decodeExperiments(dec, yield); err != nil {
			yield(experiment.Streamed{}, err)
		}
	}
	return cfg, nil
}

// decodeExperiments yields the experiments up to the end of the document. It
// returns an error unless yield wants no more.
func decodeExperiments(dec *json.Decoder, yield func(experiment.Streamed, error) bool) error {
	if err := expect(dec, json.Delim('[')); err != nil {
		return err
	}
	for dec.More() {
		e := &experiment.Experiment{}
		if err := dec.Decode(e); err != nil {
			return err
		}
		if !yield(experiment.Streamed{Experiment: e, Key: e.Key}, nil) {
			return nil
		}
	}
	if err := errors.Join(expect(dec, json.Delim(']')), expect(dec, json.Delim('}'))); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) { // not before the end is the checksum looked at
		return errors.Join(errors.New("the configuration has no end"), err)
	}
	return nil
}

func expect(dec *json.Decoder, want json.Delim) error {
	got, err := dec.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v stands where %v should", got, want)
	}
	return nil
}
