package server

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

// maxExposureBody is the largest body of POST /v1/exposures: a full batch of
// exposures with some attributes each.
const maxExposureBody = 8 << 20

// ingestAnswer tells a sender what became of its batch.
type ingestAnswer struct {
	Accepted int             `json:"accepted"`
	Rejected []rejectedEntry `json:"rejected,omitempty"`
}

// rejectedEntry is one record that was not taken, or one value of a record
// that was.
type rejectedEntry struct {
	Index   int    `json:"index"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// postExposures is POST /v1/exposures: a JSON array of exposures, answered
// after they are committed. Bad records are reported by index; the others are
// kept. An exposure without a time, or with one in the future, is of now.
//
// A key with the scope evaluate suffices. Of that, and of any key that is public,
// is taken what an evaluation could have said: see checkPublic.
func (s *Server) postExposures(w http.ResponseWriter, r *http.Request) {
	key, err := s.authorize(r, cmp.Or(chi.URLParam(r, "key"), secretOf(r)), experiment.ScopeIngest, experiment.ScopeEvaluate)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	body, err := readBody(r, maxExposureBody)
	if err != nil {
		s.problem(w, r, err)
		return
	}
	var records []json.RawMessage
	if err := json.Unmarshal(body, &records); err != nil {
		s.problem(w, r, experiment.Invalidf("", "the body must be a JSON array of exposures: %v", err))
		return
	}
	if len(records) > experiment.MaxExposureBatch {
		s.problem(w, r, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d exposures in one batch, this one has %d", experiment.MaxExposureBatch, len(records)))
		return
	}
	rows := make([]postgres.ExposureRow, 0, len(records))
	var rejected []rejectedEntry
	for i, rec := range records {
		row, err := s.readExposure(rec, key.Public || !key.Allows(experiment.ScopeIngest))
		if err == nil {
			rows = append(rows, row)
			continue
		}
		faults := experiment.Faults(err)
		if code, _ := experiment.CodeOf(err); len(faults) == 0 || code == experiment.CodeUnavailable {
			s.problem(w, r, err)
			return
		}
		for _, f := range faults {
			rejected = append(rejected, rejectedEntry{i, f.Field, f.Message})
		}
	}
	if len(rows) > 0 {
		if err := s.exposures.store(r.Context(), rows); err != nil {
			s.problem(w, r, err)
			return
		}
	}
	writeIngest(w, len(rows), rejected)
}

func (s *Server) readExposure(rec json.RawMessage, public bool) (postgres.ExposureRow, error) {
	var x experiment.Exposure
	if err := json.Unmarshal(rec, &x); err != nil {
		return postgres.ExposureRow{}, experiment.Invalidf("", "%v", err)
	}
	if err := x.Validate(); err != nil {
		return postgres.ExposureRow{}, err
	}
	if now := s.now(); x.At.IsZero() || x.At.After(now) {
		x.At = now
	}
	exp, err := s.live.resolve(x.Experiment)
	if err != nil {
		return postgres.ExposureRow{}, err
	}
	if public {
		if err := s.checkPublic(exp, &x); err != nil {
			return postgres.ExposureRow{}, err
		}
	}
	return postgres.ResolveExposure(exp, &x)
}

// maxPublicDelay is how late a page may tell of an exposure: one that was hidden
// over night sends what waits when it is seen again. Earlier times would let anyone
// move the windows of others.
const maxPublicDelay = 24 * time.Hour

// checkPublic holds an exposure from a public page to what an evaluation with the
// same key could have made: anyone may say that a unit was exposed, but not long
// ago, nor to an arm that is not its own, which would count as crossing, nor that
// it was forced there. Arms of earlier versions cannot be checked; they are not
// analysed any more.
func (s *Server) checkPublic(exp *assignment.Info, x *experiment.Exposure) error {
	if x.At.Before(s.now().Add(-maxPublicDelay)) {
		return experiment.Invalidf("at", "a public key may tell of the last %.0f hours", maxPublicDelay.Hours())
	}
	if x.Version != 0 && x.Version != exp.Version {
		return nil
	}
	arm, override, ok := s.live.Snapshot().ArmOf(x.Experiment, x.Unit)
	if !ok || arm != x.Arm {
		return experiment.Invalidf("arm", "the unit is not in this arm")
	}
	x.Override = override
	return nil
}

// writeIngest answers a batch: 200 when anything was kept, 400 when nothing was,
// and either way each fault with the index of its record: a sender must be able
// to tell which records to mend. Batches are bounded, so the list is.
func writeIngest(w http.ResponseWriter, accepted int, rejected []rejectedEntry) {
	if accepted == 0 && len(rejected) > 0 {
		p := &Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf("none of the records could be taken: %d faults", len(rejected))}
		for _, e := range rejected {
			location := fmt.Sprintf("[%d]", e.Index)
			if e.Field != "" {
				location += "." + e.Field
			}
			p.Errors = append(p.Errors, ProblemFault{location, e.Message})
		}
		writeProblem(w, p)
		return
	}
	b, err := json.Marshal(ingestAnswer{accepted, rejected})
	if err != nil {
		panic("strings and numbers always marshal: " + err.Error())
	}
	writeJSONBytes(w, http.StatusOK, b)
}
