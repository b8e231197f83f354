package telemetry_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/telemetry"
)

// beaconSession is one captured session with what was measured on the video
// element meanwhile.
type beaconSession struct {
	ID        string `json:"id"`
	Player    string `json:"player"` // hls, dash, shaka
	Live      bool   `json:"live"`
	Scenario  string `json:"scenario"`
	SID       string `json:"sid"`
	CID       string `json:"cid"`
	EventMode bool   `json:"event_mode"`
	Truth     struct {
		FirstFrameMs *float64           `json:"first_frame_ms"`
		StalledMs    float64            `json:"stalled_ms"`
		WatchedMs    float64            `json:"watched_ms"`
		HeightMs     map[string]float64 `json:"height_ms"`
	} `json:"truth"`

	requests []beaconRequest
}

// beaconRequest is one HTTP request as captured.
type beaconRequest struct {
	Endpoint string            `json:"endpoint"` // cdn, collector
	RecvMs   int64             `json:"recv_ms"`
	Method   string            `json:"method"`
	Query    string            `json:"query"`
	Headers  map[string]string `json:"headers"`
	Status   int               `json:"status"` // 0: connection reset
	Body     string            `json:"body"`
}

// beaconCorpus reads BEACONS_DIR, a folder with sessions.jsonl and one file per
// session, or the captures that are kept with the tests.
func beaconCorpus(t testing.TB) []beaconSession {
	t.Helper()
	files := map[string][]byte{}
	if dir := os.Getenv("BEACONS_DIR"); dir != "" {
		names, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	} else {
		files = untar(t, "testdata/beacons.tar.gz")
	}
	sessions := jsonLines[beaconSession](t, files["sessions.jsonl"])
	if len(sessions) == 0 {
		t.Fatal("no sessions in the corpus")
	}
	for i := range sessions {
		s := &sessions[i]
		if s.requests = jsonLines[beaconRequest](t, files[s.ID+".jsonl"]); len(s.requests) == 0 {
			t.Fatalf("no requests of session %s", s.ID)
		}
	}
	return sessions
}

// untar returns the files of a compressed archive.
func untar(t testing.TB, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(unzipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
}

func jsonLines[T any](t testing.TB, text []byte) []T {
	t.Helper()
	var out []T
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var v T
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
}

// header looks a header up as http.Header.Get would.
func (r *beaconRequest) header(name string) string { return r.Headers[strings.ToLower(name)] }

// carries reports whether the request carries CMCD.
func (r *beaconRequest) carries() bool {
	if r.Endpoint == "collector" {
		return r.Body != ""
	}
	return strings.Contains(r.Query, "CMCD=") || r.header("CMCD-Session") != "" || r.header("CMCD-Request") != "" ||
		r.header("CMCD-Object") != "" || r.header("CMCD-Status") != ""
}

// decode returns the records of one request.
func (r *beaconRequest) decode(t testing.TB) ([]telemetry.Record, []telemetry.Rejection) {
	t.Helper()
	if !r.carries() {
		return nil, nil
	}
	if r.Endpoint != "collector" {
		rec, rejected, ok := telemetry.DecodeCMCDRequest(r.Query, r.header)
		if !ok {
			return nil, rejected
		}
		rec.RecvMs = r.RecvMs
		return []telemetry.Record{rec}, rejected
	}
	records, rejected, err := telemetry.DecodeCMCD([]byte(r.Body))
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		records[i].RecvMs = r.RecvMs
	}
	return records, rejected
}

// records returns all records of one mode that the server acknowledged, and
// what was rejected of them.
func (s *beaconSession) records(t testing.TB, mode telemetry.Mode) ([]telemetry.Record, []telemetry.Rejection) {
	t.Helper()
	var records []telemetry.Record
	var rejected []telemetry.Rejection
	for i := range s.requests {
		r := &s.requests[i]
		if r.Endpoint == "collector" && r.Status != 204 {
			continue
		}
		got, bad := r.decode(t)
		rejected = append(rejected, bad...)
		for j := range got {
			if got[j].Mode == mode {
				records = append(records, got[j])
			}
		}
	}
	return records, rejected
}
