package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// crashExperiment is the key of the experiment of the crash test.
const crashExperiment = "crash"

// crashWorld is what the senders of a crash test know to be true.
type crashWorld struct {
	exposures [][]experiment.Exposure
	beats     [][]telemetry.Heartbeat
	records   [][]byte // bodies of CMCD requests

	sessions map[string]telemetry.Heartbeat // the last heartbeat of each session
	units    map[string]crashUnit
	cmcd     map[string]int // records by session
}

// crashUnit is what an outcome must say of a viewer.
type crashUnit struct {
	arm              int
	playMs, stallMs  int64
	stalls, sessions int64
}

// newCrashWorld makes viewers with sessions of a few heartbeats each, in
// requests that mix them at random, and a CMCD session for every tenth.
func newCrashWorld(r *rand.Rand, viewers int, at time.Time) *crashWorld {
	w := &crashWorld{
		sessions: map[string]telemetry.Heartbeat{}, units: map[string]crashUnit{}, cmcd: map[string]int{},
	}
	var exposures []experiment.Exposure
	var beats []telemetry.Heartbeat
	for i := range viewers {
		viewer := fmt.Sprintf("viewer-%06d", i)
		unit := crashUnit{arm: i % 2}
		exposures = append(exposures, experiment.Exposure{
			Experiment: crashExperiment, Unit: viewer, Arm: []string{"control", "treatment"}[unit.arm], At: at,
		})
		for s := range 1 + r.IntN(3) {
			last := telemetry.Heartbeat{SessionID: fmt.Sprintf("s-%06d-%d", i, s), Tier: telemetry.TierA, PlayRequested: true}
			last.ViewerID = viewer
			frame := int64(200 + r.IntN(3000))
			n := int64(2 + r.IntN(6))
			for seq := range n {
				last.Seq, last.Kind = seq, telemetry.KindBeat
				last.MonoMs += 10_000
				last.FirstFrameMs = &frame
				last.PlayMs += 9_000 + r.Int64N(1000)
				if r.IntN(4) == 0 {
					last.StallMs += r.Int64N(900)
					last.StallN++
				}
				if seq == n-1 {
					last.Kind, last.EndReason = telemetry.KindEnd, telemetry.EndUser
				}
				beats = append(beats, last)
			}
			w.sessions[last.SessionID] = last
			unit.playMs, unit.stallMs = unit.playMs+last.PlayMs, unit.stallMs+last.StallMs
			unit.stalls, unit.sessions = unit.stalls+last.StallN, unit.sessions+1
		}
		w.units[viewer] = unit
		if i%10 == 0 {
			w.addCMCD(r, fmt.Sprintf("c-%06d", i))
		}
	}
	w.exposures = requestsOf(r, exposures)
	w.beats = requestsOf(r, beats)
	return w
}

// addCMCD adds a session of CMCD events, in requests of a few.
func (w *crashWorld) addCMCD(r *rand.Rand, id string) {
	var body bytes.Buffer
	for sn := range 4 + r.IntN(4) {
		fmt.Fprintf(&body, "e=t,sid=%q,sn=%d,sta=p,ts=%d,v=2\n", id, sn, 1_800_000_000_000+10_000*sn)
		w.cmcd[id]++
		if r.IntN(3) == 0 {
			w.records = append(w.records, bytes.Clone(body.Bytes()))
			body.Reset()
		}
	}
	w.records = append(w.records, body.Bytes())
}

// requestsOf shuffles records into requests of different sizes.
func requestsOf[T any](r *rand.Rand, records []T) [][]T {
	r.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	var out [][]T
	for len(records) > 0 {
		n := min(len(records), 1+r.IntN(60))
		out = append(out, records[:n])
		records = records[n:]
	}
	return out
}

// crashSender sends requests until each has been acknowledged. It is as
// unreliable as a player: it hangs up in the middle and sends again, and sends
// twice what was taken.
type crashSender struct {
	url      string
	client   *http.Client
	attempts atomic.Int64
}

// crashRequest is one POST.
type crashRequest struct {
	path, mediaType string
	body            []byte
}

func jsonRequest(path string, records any) crashRequest {
	body, err := json.Marshal(records)
	if err != nil {
		panic(err) // heartbeats and exposures always marshal
	}
	return crashRequest{path, "application/json", body}
}

// deliver sends a request until it is acknowledged, and sometimes once more. A
// record that is refused is an error.
func (s *crashSender) deliver(ctx context.Context, r *rand.Rand, req crashRequest) error {
	again := r.IntN(5) == 0
	for {
		patience := 10 * time.Second
		if r.IntN(5) == 0 {
			patience = time.Duration(r.Int64N(int64(20 * time.Millisecond)))
		}
		done, err := s.send(ctx, req, patience)
		if err != nil {
			return err
		}
		if done && !again {
			return nil
		}
		if done {
			again = false
			continue
		}
		if err := sleep(ctx, time.Duration(r.Int64N(int64(50*time.Millisecond)))); err != nil {
			return fmt.Errorf("%s was never acknowledged: %w", req.path, err)
		}
	}
}

// send makes one attempt. It returns an error for an answer that says that the
// request, or a record of it, is bad.
func (s *crashSender) send(ctx context.Context, r crashRequest, patience time.Duration) (done bool, err error) {
	s.attempts.Add(1)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+r.path, bytes.NewReader(r.body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", r.mediaType)
	req.Header.Set("Authorization", "Bearer "+testToken)
	resp, err := s.client.Do(req)
	if err != nil {
		return false, nil // killed, or hung up
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode/100 == 5:
		return false, nil // not now
	case resp.StatusCode/100 != 2:
		return false, fmt.Errorf("%s: %s: %s", r.path, resp.Status, answer)
	case bytes.Contains(answer, []byte(`"rejected"`)):
		return false, fmt.Errorf("%s: %s", r.path, answer)
	}
	return err == nil, nil
}
