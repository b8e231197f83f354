package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/telemetry"
)

// TestMain plays a process of the crash test when it is told to, and runs the
// tests otherwise.
func TestMain(m *testing.M) {
	if role := os.Getenv(crashRoleEnv); role != "" {
		os.Exit(crashProcess(role))
	}
	pgtest.Main(m)
}

// beacon is one request that a real player sent to its collector.
type beacon struct {
	Endpoint string            `json:"endpoint"`
	RecvMs   int64             `json:"recv_ms"`
	Method   string            `json:"method"`
	Headers  map[string]string `json:"headers"`
	Body     string            `json:"body"`
}

// beaconTruth is what was measured on the video element of a session.
type beaconTruth struct {
	SID       string `json:"sid"`
	Player    string `json:"player"`
	EventMode bool   `json:"event_mode"`
	Truth     struct {
		StalledMs float64 `json:"stalled_ms"`
	} `json:"truth"`
}

// readBeacons returns the captured requests to collectors in the order of
// their receipt, and the truth of each session.
func readBeacons(t *testing.T) (requests []beacon, truths []beaconTruth) {
	t.Helper()
	f, err := os.Open("telemetry/testdata/beacons.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(h.Name) != ".jsonl" {
			continue
		}
		for lines := json.NewDecoder(files); ; {
			var b beacon
			var truth beaconTruth
			into := any(&b)
			if h.Name == "sessions.jsonl" {
				into = &truth
			}
			if err := lines.Decode(into); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", h.Name, err)
			}
			if h.Name == "sessions.jsonl" {
				truths = append(truths, truth)
			} else if b.Endpoint == "collector" {
				requests = append(requests, b)
			}
		}
	}
	slices.SortStableFunc(requests, func(a, b beacon) int { return int(a.RecvMs - b.RecvMs) })
	return requests, truths
}

// TestBeaconsOverHTTP replays what real players sent against the collector:
// every record is stored once or counted with its reason, and the sessions
// folded of them tell the truth.
func TestBeaconsOverHTTP(t *testing.T) {
	t.Parallel()
	requests, truths := readBeacons(t)
	clock := newDemoClock(time.UnixMilli(requests[0].RecvMs))
	rt, _ := testRuntime(t, t.Context())
	dsn := pgtest.New(t)
	p, err := startPlatform(t.Context(), platformConfig{
		storage: storage{Data: t.TempDir(), DatabaseURL: dsn}, Addr: "127.0.0.1:0",
		BootstrapToken: "sk_of_the_beacon_test", Now: clock.Now, Log: rt.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	rejections := 0
	for _, b := range requests {
		clock.Set(time.UnixMilli(b.RecvMs))
		send(t, p, &b)
		if b.Method == http.MethodPost {
			_, rejected := decode(t, &b)
			rejections += len(rejected)
		}
	}
	db := openSQL(t, dsn)
	stored := countRows(t, db, `select count(*) from cmcd_records`)
	if distinct := distinctRecords(t, requests); stored != distinct {
		t.Errorf("%d records are stored, the players sent %d different ones", stored, distinct)
	}
	src := rand.New(rand.NewPCG(1, 0))
	src.Shuffle(len(requests), func(i, j int) { requests[i], requests[j] = requests[j], requests[i] })
	for _, b := range requests {
		if b.Method == http.MethodPost {
			_, rejected := decode(t, &b)
			rejections += len(rejected)
		}
		send(t, p, &b)
	}
	if again := countRows(t, db, `select count(*) from cmcd_records`); again != stored {
		t.Errorf("%d records are stored after everything was sent again, want the same %d", again, stored)
	}
	clock.Set(clock.Now().Add(time.Hour))
	if _, err := p.job.RunOnce(t.Context(), clock.Now()); err != nil {
		t.Fatal(err)
	}
	checkFolded(t, db, truths)
	if err := p.close(); err != nil { // writes the last counts
		t.Error(err)
	}
	if counted := countRows(t, db, `select coalesce(sum(count), 0) from rejections where source = 'cmcd'`); counted != rejections {
		t.Errorf("%d rejections are counted, the decoder gave %d", counted, rejections)
	}
}

// send repeats a request as the player sent it.
func send(t *testing.T, p *platform, b *beacon) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), b.Method, p.url()+"/v1/cmcd/sk_of_the_beacon_test", bytes.NewBufferString(b.Body))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"content-type", "access-control-request-method", "access-control-request-headers"} {
		if v := b.Headers[name]; v != "" {
			req.Header.Set(name, v)
		}
	}
	req.Header.Set("Origin", "https://page.example")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Fatalf("%s with %q: status %d, want 204 and leave for the origin", b.Method, b.Body, res.StatusCode)
	}
}

func decode(t *testing.T, b *beacon) ([]telemetry.Record, []telemetry.Rejection) {
	t.Helper()
	records, rejected, err := telemetry.DecodeCMCD([]byte(b.Body))
	if err != nil {
		t.Fatal(err)
	}
	return records, rejected
}

// distinctRecords counts the records by session and number.
func distinctRecords(t *testing.T, requests []beacon) int {
	t.Helper()
	type id struct {
		sid string
		sn  int64
	}
	seen := map[id]bool{}
	for i := range requests {
		if requests[i].Method != http.MethodPost {
			continue
		}
		records, _ := decode(t, &requests[i])
		for _, r := range records {
			seen[id{r.SID, r.SN}] = true
		}
	}
	return len(seen)
}

func openSQL(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func countRows(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// maxStallError is the bar on the captured corpus: the stall time of hls.js
// and dash.js within 5 % of what was measured on the video element.
const maxStallError = 0.05

func checkFolded(t *testing.T, db *sql.DB, truths []beaconTruth) {
	t.Helper()
	var stalled, truth float64
	for _, s := range truths {
		if !s.EventMode {
			continue
		}
		var stallMs sql.NullFloat64
		var observed int
		err := db.QueryRowContext(t.Context(), `select stall_ms, observed from sessions where session_id = $1`, s.SID).Scan(&stallMs, &observed)
		if err != nil {
			t.Errorf("session %s of %s was not folded: %v", s.SID, s.Player, err)
			continue
		}
		stalls := telemetry.Observed(observed).Has(telemetry.ObservedStalls)
		if s.Player == "shaka" {
			if stalls {
				t.Errorf("session %s: stalls of Shaka count as observed", s.SID)
			}
			continue
		}
		if stalls {
			stalled += stallMs.Float64
			truth += s.Truth.StalledMs
		}
	}
	if miss := math.Abs(stalled-truth) / truth; truth == 0 || miss > maxStallError {
		t.Errorf("stall time is %.1f s, in truth %.1f s", stalled/1000, truth/1000)
	}
}
