package postgres

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

// as are the options of a person who signed in.
func as(person string) ApplyOptions {
	return ApplyOptions{Actor: person, Person: person, Now: testNow, KnownMetric: anyMetric}
}

// byKeyOf are the options of a key that a person made; empty: nobody did.
func byKeyOf(person string) ApplyOptions {
	opts := as(person)
	opts.Actor = experiment.KeyActor("ci")
	return opts
}

// draftOf is specOf as a draft.
func draftOf(key string) experiment.Spec {
	s := specOf(key, "page", 100)
	s.Status = experiment.StatusDraft
	return s
}

// reviewing returns a database in which launches need a second person, with a draft
// of ana.
func reviewing(t *testing.T) *DB {
	t.Helper()
	db := open(t)
	if changed, err := db.ChangeSettings(t.Context(), Settings{ReviewLaunches: true}, as("ana")); err != nil || !changed {
		t.Fatalf("ChangeSettings = %v, %v", changed, err)
	}
	applyAs(t, db, as("ana"), draftOf("e"))
	return db
}

func applyAs(t *testing.T, db *DB, opts ApplyOptions, spec experiment.Spec) {
	t.Helper()
	if _, err := db.Apply(t.Context(), []experiment.Spec{spec}, opts); err != nil {
		t.Fatalf("Apply by %s: %v", opts.Actor, err)
	}
}

func ask(t *testing.T, db *DB, opts ApplyOptions, p experiment.Proposal) experiment.Review {
	t.Helper()
	r, err := db.AskReview(t.Context(), AskedReview{Experiment: "e", Proposal: p, Note: "please", Reviewer: "bob"}, opts)
	if err != nil {
		t.Fatalf("AskReview: %v", err)
	}
	return r
}

func decide(t *testing.T, db *DB, opts ApplyOptions, id int64, approve bool) (experiment.Review, error) {
	t.Helper()
	return db.DecideReview(t.Context(), DecidedReview{Experiment: "e", ID: id, Approve: approve, Comment: "so be it"}, opts)
}

// approved asks as ana and approves as bob.
func approved(t *testing.T, db *DB, p experiment.Proposal) experiment.Review {
	t.Helper()
	r, err := decide(t, db, as("bob"), ask(t, db, as("ana"), p).ID, true)
	if err != nil || r.State != experiment.ReviewApproved || r.DecidedBy != "bob" {
		t.Fatalf("approval = %+v, %v", r, err)
	}
	return r
}

var launching = experiment.Proposal{Action: experiment.ReviewLaunch}

// stateOf returns the state of the newest review.
func stateOf(t *testing.T, db *DB) experiment.ReviewState {
	t.Helper()
	all, err := db.Reviews(t.Context(), "e")
	if err != nil || len(all) == 0 {
		t.Fatalf("Reviews = %d, %v", len(all), err)
	}
	return all[0].State
}

func TestLaunchNeedsASecondPerson(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	running := specOf("e", "page", 100)
	launches := map[string]func(ApplyOptions) error{
		"by status": func(o ApplyOptions) error {
			_, err := db.SetStatus(t.Context(), "e", experiment.StatusRunning, o)
			return err
		},
		"by document": func(o ApplyOptions) error { _, err := db.Apply(t.Context(), []experiment.Spec{running}, o); return err },
		"new by document": func(o ApplyOptions) error {
			_, err := db.Apply(t.Context(), []experiment.Spec{specOf("new", "page", 100)}, o)
			return err
		},
	}
	refused := func(when string) {
		t.Helper()
		for how, launch := range launches {
			for who, opts := range map[string]ApplyOptions{"ana": as("ana"), "bob": as("bob"), "a key": byKeyOf("bob"), "nobody's key": byKeyOf("")} {
				wantCode(t, when+": launch "+how+" as "+who, launch(opts), experiment.CodeApprovalRequired)
			}
		}
	}
	refused("unasked")
	r := ask(t, db, as("ana"), launching)
	if r.Author != "ana" || len(r.Digest) != 64 || r.Target.Status != experiment.StatusRunning {
		t.Errorf("asked %+v", r)
	}
	refused("waiting")
	for who, opts := range map[string]ApplyOptions{"herself": as("ana"), "in capitals": as(" ANA"), "by her key": byKeyOf("ana"), "by nobody's key": byKeyOf("")} {
		_, err := decide(t, db, opts, r.ID, true)
		wantCode(t, "approval "+who, err, experiment.CodeForbidden)
	}
	if _, err := decide(t, db, as("bob"), r.ID, true); err != nil {
		t.Fatal(err)
	}
	_, err := decide(t, db, as("cy"), r.ID, false)
	wantCode(t, "a decision after the decision", err, experiment.CodeConflict)
	if err := launches["by document"](byKeyOf("ana")); err != nil {
		t.Fatalf("launch after the approval: %v", err)
	}
	if got := stateOf(t, db); got != experiment.ReviewDone {
		t.Errorf("after the launch the review is %s", got)
	}
	if n := count(t, db, `select count(*) from audit_log where action in ('settings.update', 'review.ask', 'review.approve') or detail->>'review' = $1 and action = 'experiment.update'`, "1"); n != 4 {
		t.Errorf("%d entries in the audit log, want 4", n)
	}
}

// Who edited last is no second person, even if somebody else asks.
func TestLastEditorIsNoSecondPerson(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	edited := draftOf("e")
	edited.Slots = 200
	applyAs(t, db, byKeyOf("bob"), edited)
	r := ask(t, db, as("ana"), launching)
	_, err := decide(t, db, as("bob"), r.ID, true)
	wantCode(t, "approval by the last editor", err, experiment.CodeForbidden)
	if _, err := decide(t, db, byKeyOf("cy"), r.ID, true); err != nil {
		t.Errorf("approval by the key of a third person: %v", err)
	}
	_, err = db.AskReview(t.Context(), AskedReview{Experiment: "e", Proposal: launching}, byKeyOf(""))
	wantCode(t, "asking by nobody's key", err, experiment.CodeForbidden)
}

// Whatever is edited after the approval, by whomever, voids it; also when it is
// edited back.
func TestEditVoidsTheApproval(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*experiment.Spec){
		"words": func(s *experiment.Spec) { s.Hypothesis = "another" }, "plan": func(s *experiment.Spec) { s.Plan.MDE = 0.1 },
		"arms": func(s *experiment.Spec) { s.Arms[1].Value = []byte("1"); s.Arms[0].Value = []byte("0") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := reviewing(t)
			approved(t, db, launching)
			edited := draftOf("e")
			edit(&edited)
			_, err := db.Apply(t.Context(), []experiment.Spec{withStatus(edited, experiment.StatusRunning)}, as("bob"))
			wantCode(t, "edit and launch at once", err, experiment.CodeApprovalRequired)
			if got := stateOf(t, db); got != experiment.ReviewApproved {
				t.Errorf("after what was refused the review is %s", got)
			}
			applyAs(t, db, as("ana"), edited)
			if got := stateOf(t, db); got != experiment.ReviewVoided {
				t.Errorf("after the edit the review is %s", got)
			}
			applyAs(t, db, as("ana"), draftOf("e"))
			_, err = db.SetStatus(t.Context(), "e", experiment.StatusRunning, as("bob"))
			wantCode(t, "launch after it was edited back", err, experiment.CodeApprovalRequired)
			if n := count(t, db, `select count(*) from audit_log where action = 'review.void'`); n != 1 {
				t.Errorf("%d entries of voided reviews, want 1", n)
			}
		})
	}
}

func withStatus(s experiment.Spec, status experiment.Status) experiment.Spec {
	s.Status = status
	return s
}

// A launch that waits for an edit which is under way sees the edit.
func TestEditBeatsTheLaunch(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	approved(t, db, launching)
	tx, err := db.sql.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := lockConfig(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	launched := make(chan error, 1)
	go func() {
		_, err := db.SetStatus(t.Context(), "e", experiment.StatusRunning, as("ana"))
		launched <- err
	}()
	awaitLock(t, db)
	edited := draftOf("e")
	edited.Normalize()
	edited.Slots = 200
	opts := as("ana")
	p := &publication{tx: tx, opts: &opts, at: testNow}
	if _, err := p.applySpec(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "the launch that waited", <-launched, experiment.CodeApprovalRequired)
}

// awaitLock waits until some transaction waits for another one's row.
func awaitLock(t *testing.T, db *DB) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if count(t, db, `select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`) > 0 {
			return
		}
	}
	t.Fatal("nobody waits")
}

// What runs grows, changes, ships and restarts by approval; it stops without.
func TestRunningChangesNeedASecondPerson(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	approved(t, db, launching)
	if _, err := db.PublishReview(t.Context(), "e", 1, as("ana")); err != nil {
		t.Fatal(err)
	}
	_, err := db.PublishReview(t.Context(), "e", 1, as("ana"))
	wantCode(t, "publishing it again", err, experiment.CodeConflict)
	grown := specOf("e", "page", 500)
	tomorrow := testNow.Add(24 * time.Hour)
	later := specOf("e", "page", 100)
	later.Ramp = []experiment.RampStep{{At: tomorrow, Slots: 10_000}}
	plan := specOf("e", "page", 100)
	plan.Plan.MDE = 0.2
	for name, spec := range map[string]experiment.Spec{"more traffic": grown, "a ramp to more": later, "another plan": plan} {
		_, err := db.Apply(t.Context(), []experiment.Spec{spec}, as("bob"))
		wantCode(t, name, err, experiment.CodeApprovalRequired)
	}
	_, err = db.Ship(t.Context(), "e", "treatment", as("bob"))
	wantCode(t, "Ship", err, experiment.CodeApprovalRequired)
	_, err = db.Restart(t.Context(), "e", as("bob"))
	wantCode(t, "Restart", err, experiment.CodeApprovalRequired)

	r := approved(t, db, experiment.Proposal{Action: experiment.ReviewChange, Spec: &grown})
	want := []experiment.Change{{Path: "slots", From: []byte("100"), To: []byte("500")}}
	if diff := cmp.Diff(want, r.Changes); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	other := specOf("e", "page", 600)
	_, err = db.Apply(t.Context(), []experiment.Spec{other}, as("ana"))
	wantCode(t, "growing to more than was approved", err, experiment.CodeApprovalRequired)
	applyAs(t, db, byKeyOf("ana"), grown)

	for _, status := range []experiment.Status{experiment.StatusPaused, experiment.StatusRunning} {
		if _, err := db.SetStatus(t.Context(), "e", status, byKeyOf("")); err != nil {
			t.Errorf("going to %s: %v", status, err)
		}
	}
	applyAs(t, db, as("ana"), specOf("e", "page", 50))
	approved(t, db, experiment.Proposal{Action: experiment.ReviewShip, Arm: "treatment"})
	_, err = db.Ship(t.Context(), "e", "control", as("ana"))
	wantCode(t, "shipping another arm", err, experiment.CodeApprovalRequired)
	if _, err := db.Ship(t.Context(), "e", "treatment", as("ana")); err != nil {
		t.Errorf("Ship: %v", err)
	}
	if _, err := db.Unship(t.Context(), "e", byKeyOf("")); err != nil {
		t.Errorf("Unship: %v", err)
	}
	approved(t, db, experiment.Proposal{Action: experiment.ReviewRestart})
	if _, err := db.Restart(t.Context(), "e", as("ana")); err != nil {
		t.Errorf("Restart: %v", err)
	}
	if _, err := db.SetStatus(t.Context(), "e", experiment.StatusStopped, byKeyOf("")); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if broken, err := db.VerifyAudit(t.Context()); err != nil || broken != 0 {
		t.Errorf("VerifyAudit = %d, %v", broken, err)
	}
}

// A schedule starts what was approved, and takes the steps that were seen.
func TestScheduleWaitsForTheApproval(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	at := testNow.Add(time.Hour)
	scheduled := draftOf("e")
	scheduled.StartAt, scheduled.Ramp = &at, []experiment.RampStep{{At: at.Add(time.Hour), Slots: 1_000}}
	applyAs(t, db, as("ana"), scheduled)
	done, err := db.RunSchedule(t.Context(), at)
	wantCode(t, "starting unapproved", err, experiment.CodeApprovalRequired)
	if len(done) > 0 {
		t.Errorf("started %v", done)
	}
	approved(t, db, launching)
	for _, now := range []time.Time{at, at.Add(time.Hour)} {
		if done, err := db.RunSchedule(t.Context(), now); err != nil || len(done) != 1 {
			t.Errorf("at %s: %d steps, %v", now, len(done), err)
		}
	}
	if e, err := db.Get(t.Context(), "e"); err != nil || e.TargetSlots() != 1_000 || stateOf(t, db) != experiment.ReviewDone {
		t.Errorf("it has %d slots, its review is %s, %v", e.TargetSlots(), stateOf(t, db), err)
	}
}

// Requested changes close a review; asking again voids the one that waits.
func TestRequestedChanges(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	first := ask(t, db, as("ana"), launching)
	second := ask(t, db, as("ana"), launching)
	_, err := decide(t, db, as("bob"), first.ID, true)
	wantCode(t, "approving what was asked before", err, experiment.CodeConflict)
	_, err = db.DecideReview(t.Context(), DecidedReview{Experiment: "e", ID: second.ID}, as("bob"))
	wantCode(t, "requesting changes without a word", err, experiment.CodeInvalid)
	if r, err := decide(t, db, as("bob"), second.ID, false); err != nil || r.State != experiment.ReviewRefused {
		t.Errorf("requesting changes = %s, %v", r.State, err)
	}
	open, err := db.OpenReviews(t.Context())
	if err != nil || len(open) > 0 {
		t.Errorf("open reviews: %v, %v", open, err)
	}
	_, err = db.DecideReview(t.Context(), DecidedReview{Experiment: "other", ID: second.ID, Approve: true}, as("bob"))
	wantCode(t, "deciding a review of another experiment", err, experiment.CodeNotFound)
}

// Switched off, nothing needs a second person, and what was approved does not stay.
func TestReviewsOff(t *testing.T) {
	t.Parallel()
	db := reviewing(t)
	ask(t, db, as("ana"), launching)
	for _, want := range []bool{true, false} {
		if changed, err := db.ChangeSettings(t.Context(), Settings{}, as("cy")); err != nil || changed != want {
			t.Errorf("ChangeSettings = %v, %v, want %v", changed, err, want)
		}
	}
	applyAs(t, db, byKeyOf(""), specOf("e", "page", 100))
	if got := stateOf(t, db); got != experiment.ReviewVoided {
		t.Errorf("the review is %s", got)
	}
}
