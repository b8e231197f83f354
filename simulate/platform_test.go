package simulate

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// epoch is a Monday.
var epoch = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

const testToken = "token-of-the-test"

// platform is a server that keeps what it is sent. It assigns by its own hash,
// speaks real HTTP, and refuses a share of requests when asked to.
type platform struct {
	url string
	doc experiment.Document

	mu         sync.Mutex
	busy       int // refuse every busy-th request; 0: none
	requests   int
	refused    int
	faults     []string
	bulks      int
	exposures  []experiment.Exposure
	heartbeats map[string]map[int64]string // session, seq: record
	beats      int
	cmcd       map[string]map[int64]string // sid, sn: record
	lines      int
}

func newPlatform(t testing.TB) *platform {
	t.Helper()
	p := &platform{doc: Document(), heartbeats: map[string]map[int64]string{}, cmcd: map[string]map[int64]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ofrep/v1/evaluate/flags", p.evaluate)
	mux.HandleFunc("POST /v1/exposures", p.takeExposures)
	mux.HandleFunc("POST /v1/heartbeats", p.takeHeartbeats)
	mux.HandleFunc("POST /v1/cmcd/{key}", p.takeCMCD)
	s := httptest.NewServer(p.gate(mux))
	t.Cleanup(s.Close)
	p.url = s.URL
	return p
}

// gate checks who asks and refuses some with 429 or 503.
func (p *platform) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests++
		refuse := p.busy > 0 && p.requests%p.busy == 0
		if refuse {
			p.refused++
		}
		status := http.StatusTooManyRequests
		if p.refused%2 == 0 {
			status = http.StatusServiceUnavailable
		}
		p.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer "+testToken:
			w.WriteHeader(http.StatusUnauthorized)
		case refuse:
			w.WriteHeader(status)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (p *platform) fault(format string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, format)
}

// arm is the test's own assignment: by layer, then by experiment.
func (p *platform) arm(e *experiment.Spec, unit string) (arm int, in bool) {
	h := func(salt string) uint64 {
		x := purposeArm
		for _, c := range []byte(salt + ":" + unit) {
			x = mix(x, uint64(c))
		}
		return x
	}
	slot := int(h(e.LayerKey()) % experiment.TotalSlots)
	from := 0
	if e.Key == KeyLowLatency {
		from = slotsABRBuffer
	}
	return int(h(e.Key) % 2), slot >= from && slot < from+e.Slots
}

func (p *platform) evaluate(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Context map[string]string `json:"context"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || req.Context["targetingKey"] == "" {
		p.fault("evaluation without a targetingKey")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	type flag struct {
		Key      string          `json:"key"`
		Value    json.RawMessage `json:"value"`
		Variant  string          `json:"variant"`
		Reason   string          `json:"reason"`
		Metadata map[string]any  `json:"metadata"`
	}
	var flags []flag
	for i := range p.doc.Experiments {
		e := &p.doc.Experiments[i]
		arm, in := p.arm(e, req.Context["targetingKey"])
		if e.Key == KeyTVAppRewrite && req.Context["device_class"] != "tv" {
			in = false
		}
		f := flag{Key: e.Key, Value: e.Arms[0].Value, Variant: e.Arms[0].Key, Reason: "DEFAULT", Metadata: map[string]any{"assigned": in}}
		if in {
			f.Value, f.Variant, f.Reason = e.Arms[arm].Value, e.Arms[arm].Key, "SPLIT"
		}
		flags = append(flags, f)
	}
	p.mu.Lock()
	p.bulks++
	p.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"flags": flags})
}

func (p *platform) takeExposures(w http.ResponseWriter, r *http.Request) {
	var batch []experiment.Exposure
	if err := json.NewDecoder(r.Body).Decode(&batch); err != nil {
		p.fault("exposures: " + err.Error())
	}
	if len(batch) == 0 || len(batch) > experiment.MaxExposureBatch {
		p.fault("exposures: an empty or too large batch")
	}
	for i := range batch {
		if err := batch[i].Validate(); err != nil {
			p.fault("exposure: " + err.Error())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exposures = append(p.exposures, batch...)
	w.WriteHeader(http.StatusAccepted)
}

func (p *platform) takeHeartbeats(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Content-Type") != "application/x-ndjson" || len(body) > 1<<20 {
		p.fault("heartbeats: content type or size")
	}
	for line := range bytes.Lines(body) {
		var hb struct {
			SessionID string `json:"session_id"`
			Seq       int64  `json:"seq"`
		}
		if err := json.Unmarshal(line, &hb); err != nil {
			p.fault("heartbeat: " + err.Error())
			continue
		}
		p.mu.Lock()
		p.beats++
		p.mu.Unlock()
		p.keep(p.heartbeats, hb.SessionID, hb.Seq, string(line))
	}
	w.WriteHeader(http.StatusAccepted)
}

func (p *platform) takeCMCD(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if r.Header.Get("Content-Type") != "application/cmcd" || r.PathValue("key") != testToken {
		p.fault("cmcd: content type or key")
	}
	for line := range strings.Lines(string(body)) {
		rec, err := parseCMCD(strings.TrimSuffix(line, "\n"))
		if err != nil {
			p.fault("cmcd: " + err.Error())
			continue
		}
		p.mu.Lock()
		p.lines++
		p.mu.Unlock()
		p.keep(p.cmcd, rec.text("sid"), rec.number("sn"), line)
	}
	w.WriteHeader(http.StatusNoContent)
}

// keep stores a record; the same number with other content is a fault.
func (p *platform) keep(into map[string]map[int64]string, session string, seq int64, record string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if into[session] == nil {
		into[session] = map[int64]string{}
	}
	if old, seen := into[session][seq]; seen && old != record {
		p.faults = append(p.faults, "two records of one number: "+old+record)
	}
	into[session][seq] = record
}

// sessions returns the number of sessions heard of.
func (p *platform) sessions() int { return len(p.heartbeats) + len(p.cmcd) }

// units returns the arms by experiment and unit, as the exposures say.
func (p *platform) units() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, x := range p.exposures {
		if out[x.Experiment] == nil {
			out[x.Experiment] = map[string]string{}
		}
		out[x.Experiment][x.Unit] = x.Arm
	}
	return out
}

// perArm counts units by experiment and arm.
func (p *platform) perArm() map[string]map[string]int64 {
	out := map[string]map[string]int64{}
	for key, units := range p.units() {
		out[key] = map[string]int64{}
		for arm := range maps.Values(units) {
			out[key][arm]++
		}
	}
	return out
}
