package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/telemetry"
)

// maxImportBody is the largest body of an import: a full batch with all quantities.
const maxImportBody = 8 << 20

// ImportRecord is a unit that somebody else exposed, and what it did.
type ImportRecord struct {
	Unit string    `json:"unit"`
	Arm  string    `json:"arm"`
	At   time.Time `json:"at,omitzero" doc:"when it was exposed; absent, with outcomes: now"`
	// Session joins the sessions of players that carry no viewer id.
	Session    string            `json:"session,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty" doc:"dimensions at exposure: country, device_class, ..."`
	Crossed    bool              `json:"crossed,omitempty" doc:"it is known to have been in another arm, too: counted, and in no outcome"`

	metrics.Imported
}

type importInput struct {
	KeyInPath
	With    string `query:"with" enum:"outcomes,sessions" default:"outcomes" doc:"whether what units did comes with them, or is made of sessions by closing the import"`
	RawBody []byte
}

type importOutput struct {
	Body struct {
		Accepted int             `json:"accepted"`
		Repeated int             `json:"repeated" doc:"records of which all was there"`
		Rejected []rejectedEntry `json:"rejected"`
	}
}

type closeImportOutput struct {
	Body struct {
		Outcomes int `json:"outcomes" doc:"made now"`
		Pending  int `json:"pending" doc:"windows that are not over yet"`
	}
}

type importSessionsInput struct{ RawBody []byte }

type importEventsInput struct {
	KeyInPath
	RawBody []byte
}

// importedEvent is an event of the past, as of DecodeImportedEvents.
type importedEvent struct {
	UnitType string    `json:"unit_type,omitempty" doc:"absent: that of the experiment"`
	Unit     string    `json:"unit"`
	Name     string    `json:"name"`
	ID       string    `json:"id" doc:"what makes it count once among those of the unit and the name"`
	At       time.Time `json:"at"`
	Value    *float64  `json:"value,omitempty"`
}

// importAPI takes what others measured. Unlike telemetry, which is of now, it may be
// of any time in the past: hence the scope write, and an entry in the audit log.
func (s *Server) importAPI(api huma.API) {
	units := operation(http.MethodPost, "/experiments/{key}/imports", "import-units", "Import units that somebody else exposed, with their outcomes or for their sessions; repeating a batch changes nothing", experiment.ScopeWrite)
	describeImport(api, &units, reflect.TypeFor[[]ImportRecord](), fmt.Sprintf("At most %d records.", postgres.MaxImportBatch))
	serve(s, api, units, experiment.ScopeWrite, s.importUnits)
	closing := operation(http.MethodPost, "/experiments/{key}/imports/close", "close-import", "Make the outcomes of units imported for their sessions, of every window that is over", experiment.ScopeWrite)
	serve(s, api, closing, experiment.ScopeWrite, s.closeImport)
	sessions := operation(http.MethodPost, "/imports/sessions", "import-sessions", "Import sessions: heartbeats, each with the time at which its session began", experiment.ScopeWrite)
	describeImport(api, &sessions, reflect.TypeFor[[]importedHeartbeat](), "Each record holds the fields of a heartbeat besides.")
	serve(s, api, sessions, experiment.ScopeWrite, s.importSessions)
	events := operation(http.MethodPost, "/experiments/{key}/imports/events", "import-events", "Import named events of units, of up to 400 days ago; repeating a batch changes nothing", experiment.ScopeWrite)
	describeImport(api, &events, reflect.TypeFor[[]importedEvent](), "At most 1 MiB.")
	serve(s, api, events, experiment.ScopeWrite, s.importEvents)
}

func describeImport(api huma.API, op *huma.Operation, body reflect.Type, description string) {
	op.MaxBodyBytes = maxImportBody + 1 // huma refuses what has as many
	op.SkipValidateBody = true          // records are judged one by one
	op.RequestBody = &huma.RequestBody{
		Required: true, Description: description,
		Content: map[string]*huma.MediaType{"application/json": {Schema: api.OpenAPI().Components.Schemas.Schema(body, true, "ImportRecords")}},
	}
}

// importable returns an experiment that takes imports.
func (s *Server) importable(ctx context.Context, key string) (experiment.Experiment, error) {
	exp, err := s.db.Get(ctx, key)
	if err == nil && !metrics.Due(&exp, s.now()) {
		err = experiment.Errorf(experiment.CodeConflict, "key", "experiment %s is %s; only one that runs takes imports, so that its plan comes first", key, exp.Status)
	}
	return exp, err
}

func (s *Server) importUnits(ctx context.Context, who string, in *importInput) (*importOutput, error) {
	exp, err := s.importable(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	var records []json.RawMessage
	if err := json.Unmarshal(in.RawBody, &records); err != nil {
		return nil, experiment.Invalidf("", "the body must be a JSON array of units: %v", err)
	}
	if len(records) > postgres.MaxImportBatch {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "", "at most %d records in one batch, this one has %d", postgres.MaxImportBatch, len(records))
	}
	catalogue, err := s.db.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	r := importReader{
		exp: &exp, info: infoOf(&exp), definitions: metrics.PlanDefinitions(&exp.Plan, catalogue), kind: postgres.ImportKind(in.With), now: s.now(),
	}
	out := &importOutput{}
	out.Body.Rejected = []rejectedEntry{}
	var units []postgres.ImportedUnit
	var index []int // of each unit among the records
	for i, record := range records {
		u, err := r.read(record)
		if err == nil {
			units, index = append(units, u), append(index, i)
			continue
		}
		for _, f := range experiment.Faults(err) {
			out.Body.Rejected = append(out.Body.Rejected, rejectedEntry{i, f.Field, f.Message})
		}
	}
	fates, err := s.db.ImportUnits(ctx, s.now, who, &exp, units)
	if err != nil {
		return nil, err
	}
	for i, f := range fates {
		switch {
		case f.Refused != "":
			out.Body.Rejected = append(out.Body.Rejected, rejectedEntry{index[i], "unit", f.Refused})
		case f.Repeated:
			out.Body.Repeated++
		default:
			out.Body.Accepted++
		}
	}
	return out, nil
}

// infoOf is what the snapshot knows of an experiment, of the database's newest state.
func infoOf(e *experiment.Experiment) assignment.Info {
	arms := make([]string, len(e.Arms))
	for i := range e.Arms {
		arms[i] = e.Arms[i].Key
	}
	return assignment.Info{Key: e.Key, ID: e.ID, Version: e.Version, Unit: e.Unit, Layer: e.Layer, Status: e.Status, Arms: arms}
}

// importReader reads records of one batch.
type importReader struct {
	exp         *experiment.Experiment
	info        assignment.Info // of exp
	definitions []metrics.Definition
	kind        postgres.ImportKind
	now         time.Time
}

// read returns experiment.Errors for a record that cannot be taken.
func (r *importReader) read(text json.RawMessage) (postgres.ImportedUnit, error) {
	var u postgres.ImportedUnit
	var record ImportRecord
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&record); err != nil {
		return u, experiment.Invalidf("", "%v", err)
	}
	if record.At.IsZero() && r.kind == postgres.ImportOutcomes {
		record.At = r.now
	}
	if err := r.checkTime(record.At); err != nil {
		return u, err
	}
	x := experiment.Exposure{
		Experiment: r.exp.Key, Unit: record.Unit, Arm: record.Arm, At: record.At, Session: record.Session, Attributes: record.Attributes,
	}
	if err := x.Validate(); err != nil {
		return u, err
	}
	var err error
	if u.ExposureRow, err = postgres.ResolveExposure(&r.info, &x); err != nil {
		return u, err
	}
	u.Imported, u.Crossed = r.kind, record.Crossed
	switch {
	case r.kind == postgres.ImportSessions:
		if len(record.Quantities)+len(record.Values)+len(record.Custom)+len(record.Past) > 0 {
			return u, experiment.Invalidf("quantities", "what the unit did is made of its sessions")
		}
	case !record.Crossed:
		u.Outcomes, err = record.Outcomes(r.definitions, r.exp)
	}
	return u, err
}

func (r *importReader) checkTime(at time.Time) error {
	switch {
	case at.IsZero():
		return experiment.Invalidf("at", "is required: windows begin then")
	case at.Year() < experiment.MinExposureYear:
		return experiment.Invalidf("at", "%s is before %d", at.Format(time.RFC3339), experiment.MinExposureYear)
	case at.After(r.now):
		return experiment.Invalidf("at", "%s lies in the future", at.Format(time.RFC3339))
	}
	return nil
}

func (s *Server) closeImport(ctx context.Context, who string, in *KeyInPath) (*closeImportOutput, error) {
	exp, err := s.importable(ctx, in.Key)
	if err != nil {
		return nil, err
	}
	catalogue, err := s.db.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	p, err := s.db.CloseImports(ctx, s.now, who, &exp, catalogue)
	if err != nil {
		return nil, err
	}
	out := &closeImportOutput{}
	out.Body.Outcomes, out.Body.Pending = p.Outcomes, p.Pending
	return out, nil
}

// importedHeartbeat is what an imported session has besides the fields of a
// heartbeat.
type importedHeartbeat struct {
	At time.Time `json:"at" doc:"when the session began"`
}

// importSessions takes heartbeats of sessions that are over: each is as if it had
// been received when the session that it sums up had lasted as long as it says.
func (s *Server) importSessions(ctx context.Context, who string, in *importSessionsInput) (*importOutput, error) {
	var times []importedHeartbeat
	if err := json.Unmarshal(in.RawBody, &times); err != nil {
		return nil, experiment.Invalidf("", "the body must be a JSON array of sessions, each with the time `at`: %v", err)
	}
	hbs, rejected, err := telemetry.DecodeHeartbeats(in.RawBody, "application/json")
	if err != nil {
		return nil, err
	}
	r := importReader{now: s.now()}
	out := &importOutput{}
	out.Body.Rejected = []rejectedEntry{}
	var sessions []telemetry.Session
	for i := range hbs {
		hb := &hbs[i]
		at := times[hb.Index].At
		err := r.checkTime(at)
		if err == nil {
			err = r.checkTime(at.Add(time.Duration(hb.MonoMs) * time.Millisecond))
		}
		if err != nil {
			for _, f := range experiment.Faults(err) {
				out.Body.Rejected = append(out.Body.Rejected, rejectedEntry{hb.Index, f.Field, f.Message})
			}
			continue
		}
		sessions = append(sessions, hb.Imported(at.UnixMilli()))
	}
	if err := s.db.ImportSessions(ctx, s.now(), who, sessions); err != nil {
		return nil, err
	}
	s.count(sourceHeartbeat, len(sessions), rejected)
	out.Body.Accepted = len(sessions)
	out.Body.Rejected = append(out.Body.Rejected, entriesOf(rejected)...)
	return out, nil
}
