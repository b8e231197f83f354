package assignment

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// FlagdFlag is one flag of a flagd document.
type FlagdFlag struct {
	Key  string
	Text json.RawMessage
	// Digest is the SHA-256 of the text and, when the flag refers to any, of the
	// evaluators that flags share: while it stays, so does what the flag serves.
	Digest [sha256.Size]byte

	evaluators map[string]any
}

// ReadFlagd reads a document as FlagdDocument writes it, and calls each for its
// flags, one at a time. It returns the error of each, and an error for what is no
// such document.
func ReadFlagd(document io.Reader, each func(*FlagdFlag) error) error {
	dec := json.NewDecoder(document)
	var shared json.RawMessage
	var evaluators map[string]any
	flags := false
	err := eachField(dec, func(name string) error {
		switch name {
		case "$evaluators":
			if err := dec.Decode(&shared); err != nil {
				return err
			}
			return json.Unmarshal(shared, &evaluators)
		case "flags":
			flags = true
			return eachField(dec, func(key string) error {
				f := &FlagdFlag{Key: key, evaluators: evaluators}
				if err := dec.Decode(&f.Text); err != nil {
					return err
				}
				f.digest(shared)
				return each(f)
			})
		}
		var other json.RawMessage
		return dec.Decode(&other)
	})
	if err == nil && !flags {
		err = errors.New("there are no flags")
	}
	if err != nil {
		return fmt.Errorf("read the flagd document: %w", err)
	}
	return nil
}

func (f *FlagdFlag) digest(shared []byte) {
	h := sha256.New()
	if bytes.Contains(f.Text, []byte(`"$ref"`)) {
		_, _ = h.Write(shared) // a hash never fails
	}
	_, _ = h.Write(f.Text)
	h.Sum(f.Digest[:0])
}

// eachField reads an object and calls field for each name; it must read the
// value.
func eachField(dec *json.Decoder, field func(name string) error) error {
	open, err := dec.Token()
	if err != nil {
		return err
	}
	if open != json.Delim('{') {
		return fmt.Errorf("%v stands where an object should", open)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if err := field(name.(string)); err != nil { //nolint:errcheck,forcetypeassert // names are strings: the decoder checks
			return err
		}
	}
	_, err = dec.Token()
	return err
}
