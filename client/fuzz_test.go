package client

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/assignment"
)

// FuzzState: whatever a server sends is refused or can be evaluated; an
// experiment that is left out gives no value.
func FuzzState(f *testing.F) {
	vectors, err := os.ReadFile(filepath.Join("..", "assignment", "testdata", "vectors.json"))
	if err != nil {
		f.Fatal(err)
	}
	var v struct {
		Config json.RawMessage `json:"config"`
	}
	if err := json.Unmarshal(vectors, &v); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(v.Config))
	f.Add([]byte(`{"version":1,"layers":[{"key":"a","unit":"viewer","salt":"l"}],"experiments":[{"key":"a","unit":"viewer","design":"ab","status":"running",
		"arms":[{"key":"c","weight":1,"value":5.0},{"key":"t","weight":1,"value":1e3}],"salt":"s","version":1,"slot_ranges":[{"from":0,"to":10000}]}]}`))
	f.Add([]byte(`{"version":1,"experiments":[{"key":"a","unknown":1},{"key":"b","requires":[{"experiment":"a","arms":["x"]}]}]}`))
	f.Add([]byte(`{"experiments":[null]}`))
	f.Add([]byte(`null`))
	seen := newSeenSet()
	who := assignment.NewContext("viewer-1")
	f.Fuzz(func(t *testing.T, text []byte) {
		st, err := newState(text, `"1"`, seen)
		if err != nil {
			return
		}
		c := &Client{}
		c.state.Store(st)
		for key, e := range st.entries {
			v, d := c.look(key, who, kindAny)
			if (v == nil) != (d.Err != nil) || e.why != "" && v != nil {
				t.Errorf("%q, left out because of %q: value %v, %+v", key, e.why, v, d)
			}
		}
		if keys := changed(st, st); len(keys) > 0 {
			t.Errorf("%v differ from themselves", keys)
		}
	})
}

// FuzzCopy: a file is refused, or is what was written.
func FuzzCopy(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "good")
	if err := writeCopy(path, []byte(`{"version":1}`), `"1-a"`); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte("splitcast-config-1 a\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		text, etag, err := readCopy(path)
		if err != nil {
			return
		}
		again := filepath.Join(t.TempDir(), "again")
		if err := writeCopy(again, text, etag); err != nil {
			t.Fatal(err)
		}
		sameText, sameTag, err := readCopy(again)
		if err != nil || !bytes.Equal(text, sameText) || etag != sameTag {
			t.Errorf("%q %q came back as %q %q, %v", text, etag, sameText, sameTag, err)
		}
	})
}

// FuzzEvents: any stream of bytes is read to its end, and what is heard are
// versions of notices.
func FuzzEvents(f *testing.F) {
	f.Add("retry: 5000\n\nid: 6\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"6\"}\n\n")
	f.Add(": alive\n\ndata:{\"type\":\"refetchEvaluation\"}\n\n")
	f.Add("data: {\"type\":\"other\"}\n\n\r\ndata\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := &Client{heard: make(chan int64, 1)}
		lines := 0
		err := c.readEvents(strings.NewReader(text), func() { lines++ })
		if err == nil && lines < strings.Count(text, "\n") {
			t.Errorf("%d lines of %d were read", lines, strings.Count(text, "\n"))
		}
		if len(c.heard) > 0 && !strings.Contains(text, "refetchEvaluation") {
			t.Errorf("version %d was heard in %q", <-c.heard, text)
		}
	})
}
