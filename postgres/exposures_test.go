package postgres

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// storedExposure is a row of exposures, its moments in UTC.
type storedExposure struct {
	Unit        string     `db:"unit_id"`
	Arm         int        `db:"arm"`
	At          time.Time  `db:"at"`
	Recorded    time.Time  `db:"recorded_at"`
	Override    bool       `db:"override"`
	Crossed     *time.Time `db:"crossed_at"`
	Attributes  string     `db:"attributes"`
	FirstCloses time.Time  `db:"first_closes_at"`
}

func storedExposures(t testing.TB, db *DB) []storedExposure {
	t.Helper()
	var out []storedExposure
	err := db.sql.SelectContext(t.Context(), &out, `
		select unit_id, arm, at, recorded_at, override, crossed_at, attributes, first_closes_at
		from exposures order by experiment_id, version, unit_id`)
	if err != nil {
		t.Fatal(err)
	}
	for i := range out {
		for _, at := range []*time.Time{&out[i].At, &out[i].Recorded, out[i].Crossed, &out[i].FirstCloses} {
			if at != nil {
				*at = at.UTC()
			}
		}
	}
	return out
}

// expose records rows at a moment.
func expose(t testing.TB, db *DB, recordedAt time.Time, rows ...ExposureRow) {
	t.Helper()
	if err := db.InsertExposures(t.Context(), func() time.Time { return recordedAt }, rows); err != nil {
		t.Fatalf("InsertExposures: %v", err)
	}
}

func exposure(unit string, arm int, at time.Time) ExposureRow {
	return ExposureRow{ExperimentID: 1, Version: 1, UnitType: experiment.UnitViewer, Unit: unit, Arm: arm, At: at}
}

// minute is a moment so many minutes after testNow.
func minute(minutes float64) time.Time {
	return testNow.Add(time.Duration(minutes * float64(time.Minute)))
}

// The rules by which a row changes. Each case is a series of calls on an empty
// table, and the row that is left of unit u.
func TestInsertExposuresRules(t *testing.T) {
	t.Parallel()
	type call struct {
		recorded float64
		rows     []ExposureRow
	}
	type row struct {
		arm          int
		at, recorded float64
		crossed      float64 // -1: never
		first        float64
		override     bool
	}
	const span, grace = 30, 2 // minutes of the first window
	x := func(arm int, at float64) ExposureRow { return exposure("u", arm, minute(at)) }
	forced := x(0, 1)
	forced.Override = true
	for name, tc := range map[string]struct {
		calls []call
		want  row
	}{
		"at once": {
			[]call{{1, []ExposureRow{x(1, 1)}}},
			row{arm: 1, at: 1, recorded: 1, crossed: -1, first: 1 + span + grace},
		},
		"recorded after the first window ended": {
			[]call{{45, []ExposureRow{x(0, 1)}}},
			row{at: 1, recorded: 45, crossed: -1, first: 45 + grace},
		},
		"recorded after all windows ended": {
			[]call{{2000, []ExposureRow{x(0, 1)}}},
			row{at: 1, recorded: 2000, crossed: -1, first: 2000 + grace},
		},
		"of the future": {
			[]call{{1, []ExposureRow{x(0, 500)}}},
			row{at: 1, recorded: 1, crossed: -1, first: 1 + span + grace},
		},
		"replayed": {
			[]call{{1, []ExposureRow{x(0, 1)}}, {20, []ExposureRow{x(0, 1)}}},
			row{at: 1, recorded: 1, crossed: -1, first: 1 + span + grace},
		},
		"later": {
			[]call{{1, []ExposureRow{x(0, 1)}}, {20, []ExposureRow{x(0, 19)}}},
			row{at: 1, recorded: 1, crossed: -1, first: 1 + span + grace},
		},
		"earlier": {
			[]call{{5, []ExposureRow{x(0, 5)}}, {20, []ExposureRow{x(0, 1)}}},
			row{at: 1, recorded: 20, crossed: -1, first: 1 + span + grace},
		},
		"earlier, and its window ended before it came": {
			[]call{{30, []ExposureRow{x(0, 30)}}, {50, []ExposureRow{x(0, 1)}}},
			row{at: 1, recorded: 50, crossed: -1, first: 50 + grace},
		},
		"earlier, just before the window closed": {
			[]call{{5, []ExposureRow{x(0, 5)}}, {36.99, []ExposureRow{x(0, 1)}}},
			row{at: 1, recorded: 36.99, crossed: -1, first: 36.99 + grace},
		},
		"earlier, when the window closed": {
			[]call{{5, []ExposureRow{x(0, 5)}}, {5 + span + grace, []ExposureRow{x(0, 1)}}},
			row{at: 5, recorded: 5, crossed: -1, first: 5 + span + grace},
		},
		"crossed, and the row is otherwise as it was": {
			[]call{{5, []ExposureRow{x(0, 5)}}, {20, []ExposureRow{x(1, 1)}}},
			row{at: 5, recorded: 5, crossed: 20, first: 5 + span + grace},
		},
		"crossed after the windows closed": {
			[]call{{5, []ExposureRow{x(0, 5)}}, {3000, []ExposureRow{x(1, 2999)}}, {4000, []ExposureRow{x(1, 2999)}}},
			row{at: 5, recorded: 5, crossed: 3000, first: 5 + span + grace},
		},
		"crossed within a batch": {
			[]call{{9, []ExposureRow{x(1, 7), x(0, 5), x(1, 6)}}},
			row{at: 5, recorded: 9, crossed: 9, first: 5 + span + grace},
		},
		"earlier within a batch": {
			[]call{{9, []ExposureRow{x(1, 7), x(1, 5), x(1, 6)}}},
			row{arm: 1, at: 5, recorded: 9, crossed: -1, first: 5 + span + grace},
		},
		"forced later": {
			[]call{{1, []ExposureRow{x(0, 1)}}, {20, []ExposureRow{forced}}},
			row{at: 1, recorded: 1, crossed: -1, first: 1 + span + grace, override: true},
		},
		"forced after the window closed": {
			[]call{{1, []ExposureRow{x(0, 1)}}, {1 + span + grace, []ExposureRow{forced}}},
			row{at: 1, recorded: 1, crossed: -1, first: 1 + span + grace},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			for _, c := range tc.calls {
				expose(t, db, minute(c.recorded), c.rows...)
			}
			want := storedExposure{
				Unit: "u", Arm: tc.want.arm, At: minute(tc.want.at), Recorded: minute(tc.want.recorded),
				Override: tc.want.override, Attributes: "{}",
				FirstCloses: minute(tc.want.first),
			}
			if tc.want.crossed >= 0 {
				crossed := minute(tc.want.crossed)
				want.Crossed = &crossed
			}
			if diff := gocmp.Diff([]storedExposure{want}, storedExposures(t, db)); diff != "" {
				t.Errorf("exposures differ (-want +got):\n%s", diff)
			}
			checkCounts(t, db)
		})
	}
}

// checkCounts compares the counts kept by triggers with the rows.
func checkCounts(t testing.TB, db *DB) {
	t.Helper()
	exp := experiment.Experiment{ID: 1, Version: 1}
	exp.Arms = make([]experiment.Arm, 2)
	got, err := db.ArmCounts(t.Context(), &exp)
	if err != nil {
		t.Fatalf("ArmCounts: %v", err)
	}
	want := []metrics.ArmCounts{{Arm: 0}, {Arm: 1}}
	for _, x := range storedExposures(t, db) {
		switch c := &want[x.Arm]; {
		case x.Override:
			c.Overridden++
		case x.Crossed != nil:
			c.Crossed++
		default:
			c.Exposed++
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("ArmCounts differ from the rows (-rows +counts):\n%s", diff)
	}
}

func TestInsertExposuresAttributes(t *testing.T) {
	t.Parallel()
	db := open(t)
	first, earlierOne := exposure("u", 0, minute(5)), exposure("u", 0, minute(1))
	first.Attributes = map[string]string{"country": "DE"}
	earlierOne.Attributes = map[string]string{"country": `F"R,{}\`, "isp": "é\n"}
	expose(t, db, minute(5), first)
	expose(t, db, minute(6), earlierOne)
	if got, want := storedExposures(t, db)[0].Attributes, `{"country":"F\"R,{}\\","isp":"é\n"}`; got != want {
		t.Errorf("attributes = %s, want those of the earliest, %s", got, want)
	}
}

func TestInsertExposuresLinksSessions(t *testing.T) {
	t.Parallel()
	db := open(t)
	a, b := exposure("a", 0, testNow), exposure("b", 1, testNow)
	a.Session, b.Session = "s1", "s2"
	expose(t, db, testNow, b, exposure("c", 0, testNow), a, a)
	b.Session = "s1" // a link that is there stays
	expose(t, db, minute(1), b)
	var got []string
	err := db.sql.SelectContext(t.Context(), &got, `
		select concat_ws(' ', session_id, unit_type, unit_id, linked_at = $1) from session_links order by session_id`, testNow)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"s1 viewer a t", "s2 viewer b t"}, got); diff != "" {
		t.Errorf("session_links differ (-want +got):\n%s", diff)
	}
}

// Writers with the same units in different orders meet in every way that could
// deadlock; the earliest exposure of each unit must be left, whoever wins.
func TestInsertExposuresConcurrently(t *testing.T) {
	t.Parallel()
	db := open(t)
	const writers, batches, units = 6, 15, 200
	r := rand.New(rand.NewPCG(3, 4))
	earliest := map[string]time.Time{}
	work := make([][][]ExposureRow, writers)
	for w := range work {
		for range batches {
			var rows []ExposureRow
			for range units {
				unit := fmt.Sprintf("u%03d", r.IntN(units))
				x := exposure(unit, int(unit[3]-'0')%2, testNow.Add(time.Duration(r.IntN(60_000))*time.Millisecond))
				x.Session = fmt.Sprintf("s%03d", r.IntN(units))
				if at, ok := earliest[unit]; !ok || x.At.Before(at) {
					earliest[unit] = x.At
				}
				rows = append(rows, x)
			}
			work[w] = append(work[w], rows)
		}
	}
	failed := make(chan error, writers)
	for _, mine := range work {
		go func() {
			var err error
			for _, rows := range mine {
				if err == nil {
					err = db.InsertExposures(t.Context(), func() time.Time { return minute(2) }, rows)
				}
			}
			failed <- err
		}()
	}
	for range writers {
		if err := <-failed; err != nil {
			t.Errorf("InsertExposures: %v", err)
		}
	}
	stored := storedExposures(t, db)
	if len(stored) != len(earliest) {
		t.Errorf("%d units are stored, want %d", len(stored), len(earliest))
	}
	for _, x := range stored {
		if !x.At.Equal(earliest[x.Unit]) || x.Crossed != nil {
			t.Errorf("%s is exposed at %v crossed %v, want %v and never", x.Unit, x.At, x.Crossed, earliest[x.Unit])
		}
	}
	checkCounts(t, db)
}

func TestInsertExposuresLimit(t *testing.T) {
	t.Parallel()
	db := open(t)
	rows := make([]ExposureRow, experiment.MaxExposureBatch+1)
	for i := range rows {
		rows[i] = exposure(fmt.Sprint(i), i%2, testNow)
	}
	wantCode(t, "a batch above the limit", db.InsertExposures(t.Context(), time.Now, rows), experiment.CodeTooLarge)
	expose(t, db, testNow, rows[1:]...)
	expose(t, db, testNow) // nothing
	if got := count(t, db, `select count(*) from exposures`); got != experiment.MaxExposureBatch {
		t.Errorf("%d rows are stored, want %d", got, experiment.MaxExposureBatch)
	}
	checkCounts(t, db)
}

func TestInsertExposuresLeavesItsArgument(t *testing.T) {
	t.Parallel()
	db := open(t)
	rows := []ExposureRow{exposure("b", 0, minute(9)), exposure("a", 1, minute(1))}
	before := slices.Clone(rows)
	expose(t, db, testNow, rows...)
	if diff := gocmp.Diff(before, rows); diff != "" {
		t.Errorf("the rows were changed (-before +after):\n%s", diff)
	}
}

func TestResolveExposure(t *testing.T) {
	t.Parallel()
	exp := assignment.Info{Key: "a", ID: 7, Version: 3, Unit: experiment.UnitViewer, Arms: []string{"control", "treatment"}}
	for name, tc := range map[string]struct {
		arm     string
		version int
		code    experiment.Code // empty: accepted
		want    int             // version
	}{
		"newest":         {"treatment", 0, "", 3},
		"older":          {"treatment", 2, "", 2},
		"of the future":  {"treatment", 4, experiment.CodeConflict, 0},
		"below all":      {"treatment", -1, experiment.CodeConflict, 0},
		"of another arm": {"third", 0, experiment.CodeInvalid, 0},
	} {
		row, err := ResolveExposure(&exp, &experiment.Exposure{Experiment: "a", Unit: "u", Arm: tc.arm, Version: tc.version, At: testNow})
		if code, _ := experiment.CodeOf(err); code != tc.code || row.Version != tc.want {
			t.Errorf("%s: ResolveExposure = %+v, %v, want version %d, code %q", name, row, err, tc.want, tc.code)
		}
		if tc.code == "" && (row.ExperimentID != 7 || row.Arm != 1 || row.UnitType != experiment.UnitViewer) {
			t.Errorf("%s: ResolveExposure = %+v, want experiment 7, arm 1", name, row)
		}
	}
}
