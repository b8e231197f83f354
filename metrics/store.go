package metrics

import (
	"context"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// Store is what the job needs of an event store. PostgreSQL implements it in
// package postgres; the interface stands here because imports point this way.
type Store interface {
	// Look runs do in one transaction that holds the lock of the
	// experiment's version, and commits when do returns nil. It returns
	// false without running do when another process holds the lock.
	Look(ctx context.Context, exp *experiment.Experiment, do func(LookTx) error) (ran bool, err error)
	// FoldSessions turns event records of sessions that closed before now
	// into sessions and returns how many it folded.
	FoldSessions(ctx context.Context, now time.Time) (int, error)
}

// LookTx is the event store within the transaction of one look.
type LookTx interface {
	// Last returns the newest look of the experiment's version with its
	// cells, and false before the first one.
	Last(ctx context.Context) (Look, bool, error)
	// Closed calls each for every exposure whose window closed as asked, in the
	// order (closes_at, unit). The value is valid during the call only. each may
	// call AppendOutcomes, so that a long backlog needs little memory: an
	// implementation reads in pages and holds no open result meanwhile.
	Closed(ctx context.Context, ask Reading, each func(*Closed) error) error
	// EventSums returns, for each window of at most MaxUnitWindows, of which a unit
	// has one, what the events of its unit by these names add up to. Units without
	// such events have no row.
	EventSums(ctx context.Context, names []string, windows []UnitWindow) ([]UnitSum, error)
	// FirstEvents returns, for each window of at most MaxUnitWindows, of which a unit
	// has one, when the first event of its unit by this name happened in it. Units
	// without one have no row.
	FirstEvents(ctx context.Context, name string, windows []UnitWindow) ([]UnitMoment, error)
	// Imported calls each for every imported outcome of the window that came in
	// (After, UpTo], in the order (closes_at, unit), as Closed does. It closes when
	// it comes; its unit has no exposure that Closed returns.
	Imported(ctx context.Context, ask Reading, each func(*Outcome) error) error
	// AppendOutcomes stores outcomes of window w, fixed at look number look.
	// The slice is valid during the call only. A unit that has an outcome of
	// the window is an error: it would be counted twice.
	AppendOutcomes(ctx context.Context, w Window, look int, outcomes []Outcome) error
	// AppendRestated stores outcomes of window w that take the place, from look
	// number look on, of those of the same units. A unit without an outcome of the
	// window is an error. The slice is valid during the call only.
	AppendRestated(ctx context.Context, w Window, look int, outcomes []Outcome) error
	// Outcomes calls each for the outcomes of window w that are valid at look number
	// look, those of this transaction included, each unit once. The value is valid
	// during the call only.
	Outcomes(ctx context.Context, w Window, look int, each func(*Outcome) error) error
	// AppendLook stores the next look with its cells. A number that is not
	// the last one plus 1 is an error.
	AppendLook(ctx context.Context, l Look) error
	// Aftermath returns per arm, in order and every arm, what came of the units
	// whose day closed in (after, upTo], by what is known now. A zero after means
	// from the beginning. Events by these names count beside sessions. Of units that are
	// no viewers, devices or sessions nothing is counted.
	Aftermath(ctx context.Context, after, upTo time.Time, events []string) ([]Aftermath, error)
	// Counts returns per arm, in order and every arm, the exposed, crossed
	// and overridden units recorded up to upTo, and the outcomes fixed so far,
	// those of this transaction included.
	Counts(ctx context.Context, upTo time.Time) ([]ArmCounts, error)
}

// Reading says which closed windows are read.
type Reading struct {
	Window Window
	// After and UpTo bound when the window closed, (After, UpTo]. A zero After
	// means from the beginning.
	After, UpTo time.Time
	// HistoryDays, when above 0, asks for sessions of that many days before the
	// exposure, too: those that InHistory approves, of more than
	// MaxHistorySessions the newest at least.
	HistoryDays int
}

// Closed is an exposure whose window closed, with the sessions observed in it.
type Closed struct {
	Unit      string
	Arm       int // index into the experiment's arms
	ExposedAt time.Time
	ClosesAt  time.Time // see Window.ClosesAt: the order in which the job reads
	Crossed   bool      // seen in two arms
	Override  bool
	Dims      map[string]string // attributes at exposure
	// Sessions are those of the window and those of the past, if asked for.
	Sessions []telemetry.Session
	// Broadcaster says that the unit is one: Sessions are those of its viewers,
	// and Broadcasts the parts of its broadcasts that began in the window, in any
	// order.
	Broadcaster bool
	Broadcasts  []telemetry.Broadcast
}

// AssignedUnits is about how many units evaluation has given an arm, exposed or
// not.
type AssignedUnits struct {
	Arm      int     `json:"arm"`
	About    int64   `json:"about"`
	ErrorPct float64 `json:"error_pct"` // standard error, in per cent of About
}

// ArmCounts are the units of one arm.
type ArmCounts struct {
	Arm        int   `json:"arm"`
	Exposed    int64 `json:"exposed"`    // neither crossed nor overridden
	Crossed    int64 `json:"crossed"`    // seen in two arms, excluded
	Overridden int64 `json:"overridden"` // forced, excluded
	// ClosedFirst and ClosedDay count the outcomes fixed so far by window.
	ClosedFirst int64 `json:"closed_first"`
	ClosedDay   int64 `json:"closed_day"`
	// Health is filled in looks alone.
	Health Health `json:"health,omitzero"`
	// Imported counts the units whose outcomes were imported, by now.
	Imported int64 `json:"imported,omitempty"`
}
