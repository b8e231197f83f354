package postgres

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/telemetry"
)

// An imported outcome is what was given first: the same again is a repetition, also
// of custom quantities and the past, and anything else is refused.
func TestImportUnitsOnce(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "elsewhere", experiment.UnitViewer)
	measured := func(tips, past float64) *metrics.Measured {
		m := &metrics.Measured{}
		m.Quantities[metrics.Units] = 1
		if tips > 0 {
			m.Custom = []metrics.CustomValue{{Name: "event:tip", Value: tips}}
		}
		if past > 0 {
			m.Covariates = metrics.Covariates{Known: true, History: true}
			m.Covariates.Quantities[metrics.WatchMs] = past
		}
		return m
	}
	for _, test := range []struct {
		name string
		unit string
		m    *metrics.Measured
		want string // "new", "repeated" or "refused"
	}{
		{"first", "u", measured(2, 1e7), "new"},
		{"again", "u", measured(2, 1e7), "repeated"},
		{"other event", "u", measured(3, 1e7), "refused"},
		{"no event", "u", measured(0, 1e7), "refused"},
		{"other past", "u", measured(2, 1e7+1), "refused"},
		{"no past", "u", measured(2, 0), "refused"},
		{"neither", "w", measured(0, 0), "new"},
		{"neither again", "w", measured(0, 0), "repeated"},
		{"a past now", "w", measured(0, 5), "refused"},
		{"an event now", "w", measured(1, 0), "refused"},
	} {
		fates, err := s.ImportUnits(t.Context(), func() time.Time { return testNow }, "ana", &exp, []ImportedUnit{{
			ExposureRow: ExposureRow{ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: test.unit, At: testNow, Imported: ImportOutcomes},
			Outcomes:    map[metrics.Window]*metrics.Measured{metrics.WindowDay: test.m},
		}})
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		got := "new"
		switch {
		case fates[0].Refused != "":
			got = "refused"
		case fates[0].Repeated:
			got = "repeated"
		}
		if got != test.want {
			t.Errorf("%s: %+v, want it %s", test.name, fates[0], test.want)
		}
	}
}

// Looking for imported outcomes where there are none takes no room for a page of
// them: the job looks at every experiment every minute. Other tests would count,
// so this one runs alone.
func TestNoImportsTakeNoMemory(t *testing.T) {
	s := openJobStore(t)
	exp := s.launch(t, "plain", experiment.UnitViewer)
	const times, most = 20, 100 << 10 // bytes a time; a page takes 8 MB
	var before, after runtime.MemStats
	_, err := s.Look(t.Context(), &exp, func(tx metrics.LookTx) error {
		runtime.ReadMemStats(&before)
		for range times {
			ask := metrics.Reading{Window: metrics.WindowDay, UpTo: testNow}
			if err := tx.Imported(t.Context(), ask, func(*metrics.Outcome) error { return nil }); err != nil {
				return err
			}
		}
		runtime.ReadMemStats(&after)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := (after.TotalAlloc - before.TotalAlloc) / times; n > most {
		t.Errorf("reading no imported outcome allocates %d bytes, want at most %d", n, most)
	}
}

// Imported sessions tell custom counters, the past and, with events, how far a unit
// came; in return windows of people's own, too.
func TestCloseImports(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	var definitions []metrics.Definition
	var keys []string
	for _, text := range []string{
		`{"key":"chats","name":"n","description":"d","kind":"mean","numerator":"measure:chat","denominator":"units","unit":"n"}`,
		`{"key":"path","name":"n","description":"d","kind":"funnel","steps":["starts","event:tip","measure:chat"],"unit":"%"}`,
		`{"key":"second_week","name":"n","description":"d","kind":"retention","numerator":"returned","denominator":"units","window":"return_7_13","unit":"%"}`,
	} {
		d, err := metrics.ParseDefinition([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		definitions, keys = append(definitions, d), append(keys, d.Key)
	}
	spec := specOf("elsewhere", "", 10_000)
	spec.Plan = experiment.Plan{Primary: []string{"watch_hours_per_viewer"}, Secondary: keys, Covariates: "14d"}
	applySpecs(t, s.DB, spec)
	exp := get(t, s.DB, "elsewhere")
	exposed := testNow.AddDate(0, 0, -30).UTC()
	fates, err := s.ImportUnits(t.Context(), func() time.Time { return testNow }, "ana", &exp, []ImportedUnit{{ExposureRow: ExposureRow{
		ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: "v", At: exposed, Imported: ImportSessions,
	}}})
	if err != nil || fates[0].Refused != "" {
		t.Fatalf("ImportUnits = %+v, %v", fates, err)
	}
	watch := func(hours, playMs float64, measures telemetry.Measures) {
		hb := telemetry.Heartbeat{
			SessionID: fmt.Sprint("s", hours), Kind: telemetry.KindEnd, MonoMs: 600_000, PlayRequested: true, PlayMs: int64(playMs),
			Identity: telemetry.Identity{ViewerID: "v"}, Measures: measures, Observed: telemetry.ObservedPlay,
		}
		at := exposed.Add(time.Duration(hours * float64(time.Hour)))
		if err := s.MergeSessions(t.Context(), []telemetry.Session{hb.Imported(at.UnixMilli())}); err != nil {
			t.Fatal(err)
		}
	}
	watch(-48, 500_000, `{"chat":9}`)
	watch(1, 300_000, `{"chat":2}`)
	watch(3, 100_000, `{"chat":1}`)
	watch(24*9, 1, `{"chat":4}`)
	at := exposed.Add(2 * time.Hour).UnixMilli()
	if err := s.InsertUnitEvents(t.Context(), []ReceivedEvent{{RecvMs: testNow.UnixMilli(), UnitEvent: telemetry.UnitEvent{
		UnitType: experiment.UnitViewer, Unit: "v", Name: "tip", ID: "1", AtMs: at,
	}}}); err != nil {
		t.Fatal(err)
	}
	catalogue := metrics.Builtin().With(definitions)
	for i, want := range []ImportProgress{{Outcomes: 3}, {}} { // first, day and return_7_13
		if got, err := s.CloseImports(t.Context(), func() time.Time { return testNow }, "ana", &exp, catalogue); err != nil || got != want {
			t.Fatalf("CloseImports, time %d = %+v, %v; want %+v", i+1, got, err, want)
		}
	}
	job := metrics.Job{Store: s, Experiments: s.Page, Catalogue: func(context.Context) (*metrics.Catalogue, error) { return catalogue, nil }}
	if sum, err := job.RunOnce(t.Context(), testNow.Add(time.Minute)); err != nil || sum.First+sum.Day+sum.Return != 3 {
		t.Fatalf("RunOnce = %+v, %v; want 3 outcomes", sum, err)
	}
	for _, w := range []metrics.Window{metrics.WindowDay, "return_7_13"} {
		outcomes, err := s.Outcomes(t.Context(), &exp, w)
		if err != nil || len(outcomes) != 1 {
			t.Fatalf("Outcomes of %s = %d, %v; want 1", w, len(outcomes), err)
		}
		o := outcomes[0]
		if w != metrics.WindowDay {
			if o.Quantities[metrics.Returned] != 1 {
				t.Errorf("the unit has not returned in %s", w)
			}
			continue
		}
		want := []metrics.CustomValue{{Name: "measure:chat", Value: 3}, {Name: "funnel:path", Value: 3}}
		if diff := gocmp.Diff(want, o.Custom); diff != "" {
			t.Errorf("custom quantities differ (-want +got):\n%s", diff)
		}
		if o.Quantities[metrics.WatchMs] != 400_000 || !o.Covariates.History || o.Covariates.Quantities[metrics.WatchMs] != 500_000 {
			t.Errorf("watched %v ms, before %+v; want 400000 and 500000", o.Quantities[metrics.WatchMs], o.Covariates)
		}
	}
}

// An import that cannot be written into the audit log changes nothing.
func TestImportsAreAuditedOrNotDone(t *testing.T) {
	t.Parallel()
	s := openJobStore(t)
	exp := s.launch(t, "elsewhere", experiment.UnitViewer)
	unit := ImportedUnit{ExposureRow: ExposureRow{
		ExperimentID: exp.ID, Version: exp.Version, UnitType: exp.Unit, Unit: "u", At: testNow, Imported: ImportSessions,
	}}
	hb := telemetry.Heartbeat{SessionID: "s", Kind: telemetry.KindEnd, MonoMs: 1, PlayRequested: true}
	steps := map[string]func() error{
		"exposures": func() error {
			_, err := s.ImportUnits(t.Context(), func() time.Time { return testNow }, "ana", &exp, []ImportedUnit{unit})
			return err
		},
		"sessions": func() error {
			return s.ImportSessions(t.Context(), testNow, "ana", []telemetry.Session{hb.Imported(testNow.UnixMilli())})
		},
	}
	before := count(t, s.DB, `select count(*) from audit_log`)
	mustExec(t, s.DB, `
		create function refuse_entry() returns trigger language plpgsql as $$ begin raise 'the disk is full'; end $$;
		create trigger no_entries before insert on audit_log execute function refuse_entry()`)
	for table, step := range steps {
		if err := step(); err == nil {
			t.Errorf("%s were imported without an entry", table)
		}
		if n := count(t, s.DB, `select count(*) from `+table); n != 0 {
			t.Errorf("%d rows of %s are there of an import that failed", n, table)
		}
	}
	mustExec(t, s.DB, `drop trigger no_entries on audit_log`)
	for table, step := range steps {
		if err := step(); err != nil {
			t.Errorf("import %s: %v", table, err)
		}
	}
	if n := count(t, s.DB, `select count(*) from audit_log where actor = 'ana' and action = 'import'`); n != len(steps) {
		t.Errorf("%d entries in the audit log, want %d", n, len(steps))
	}
	if n := count(t, s.DB, `select count(*) from audit_log`); n != before+len(steps) {
		t.Errorf("%d entries, want %d", n, before+len(steps))
	}
	if bad, err := s.VerifyAudit(t.Context()); err != nil || bad != 0 {
		t.Errorf("VerifyAudit = %d, %v", bad, err)
	}
}
