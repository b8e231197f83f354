package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// Finding is one metric of one arm as a conclusion keeps it: what the report
// said at the look of the stop. Numbers are fractions of control, as the metric
// counts: less of a metric is below zero.
type Finding struct {
	Metric    string  `json:"metric"`
	Name      string  `json:"name"`
	Role      string  `json:"role"` // primary, secondary or guardrail
	Direction int     `json:"direction"`
	Arm       string  `json:"arm"`
	ArmName   string  `json:"arm_name,omitempty"`
	State     string  `json:"state"` // as of report.State
	Margin    float64 `json:"margin,omitempty"`
	Known     bool    `json:"known"` // the numbers below are there
	Estimate  float64 `json:"estimate,omitempty"`
	Lower     float64 `json:"lower,omitempty"` // valid at every look
	Upper     float64 `json:"upper,omitempty"`
	SE        float64 `json:"se,omitempty"` // of the logarithm of the ratio
	Text      string  `json:"text,omitempty"`
	Range     string  `json:"range,omitempty"`
	Units     int64   `json:"units,omitempty"`
}

// NewConclusion is what a version was found to do when it was stopped.
type NewConclusion struct {
	ExperimentID int64
	Version      int
	StoppedAt    time.Time
	Look         int // 0: it was stopped before the first
	LookedAt     *time.Time
	Verdict      string // as of report.VerdictState
	Sentence     string
	Findings     []Finding
	Learnt       string // metrics and what became of them, in words to search
}

// Conclusion is a stored NewConclusion with what people decided.
type Conclusion struct {
	NewConclusion

	Key, Name, Hypothesis, Owner string
	Unit                         experiment.UnitType
	Design                       experiment.Design
	Status                       experiment.Status
	// Current says that no later version runs or ran: the report shows this one.
	Current bool
	// Shipped is the arm that was shipped; Removed, that it was taken back.
	Shipped   string
	Removed   bool
	DecidedAt time.Time // the last decision: the stop, or what followed
	DecidedBy string
	Reasons   []string // given by people, oldest first
}

// Unconcluded is a version that was stopped and of which no conclusion is kept.
type Unconcluded struct {
	Key       string    `db:"key"`
	Version   int       `db:"version"`
	StoppedAt time.Time `db:"stopped_at"`
	Look      int       `db:"look"` // the newest at that moment; 0: there was none
}

// Unconcluded returns at most limit versions that were stopped and have no
// conclusion, the newest first.
func (db *DB) Unconcluded(ctx context.Context, limit int) ([]Unconcluded, error) {
	var out []Unconcluded
	err := db.sql.SelectContext(ctx, &out, `
		select e.key, e.version, e.stopped_at, coalesce((
			select max(number) from looks l
			where l.experiment_id = e.id and l.version = e.version and l.at <= e.stopped_at), 0) as look
		from experiments e
		where e.status in ('stopped', 'archived') and e.stopped_at is not null
		  and not exists (select from conclusions c where c.experiment_id = e.id and c.version = e.version)
		order by e.stopped_at desc, e.key limit $1`, limit)
	for i := range out {
		out[i].StoppedAt = out[i].StoppedAt.UTC()
	}
	return out, wrap("read stopped experiments", err)
}

// Conclude keeps a conclusion. One that is kept already stays as it is.
func (db *DB) Conclude(ctx context.Context, c NewConclusion) error {
	if c.Findings == nil {
		c.Findings = []Finding{}
	}
	_, err := db.sql.ExecContext(ctx, `
		insert into conclusions (experiment_id, version, stopped_at, look, looked_at, verdict, sentence, findings, learnt)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		on conflict (experiment_id, version) do nothing`,
		c.ExperimentID, c.Version, stamp(c.StoppedAt), c.Look, c.LookedAt, c.Verdict, c.Sentence, mustJSON(c.Findings), c.Learnt)
	return wrap("keep conclusion", err)
}

// MaxConclusions bounds one call of Conclusions.
const MaxConclusions = 500

// Conclusions returns conclusions, the last stopped first: at most limit of those
// in which query is found, an empty one finds all. It is a query of words as web
// search takes them, over names, hypothesis, owner, reasons and what was learnt.
//
// It returns experiment.CodeTooLarge when limit is above MaxConclusions.
func (db *DB) Conclusions(ctx context.Context, query string, limit int) ([]Conclusion, error) {
	if limit > MaxConclusions {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "limit", "at most %d conclusions at once", MaxConclusions)
	}
	out := []Conclusion{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		c, err := scanConclusion(rows)
		out = append(out, c)
		return err
	}, conclusionsQuery, query, limit)
	return out, wrap("read conclusions", err)
}

func scanConclusion(rows *sql.Rows) (Conclusion, error) {
	var c Conclusion
	var findings []byte
	var decidedAt *time.Time
	var decidedBy, shipped sql.NullString
	err := rows.Scan(&c.ExperimentID, &c.Version, &c.StoppedAt, &c.Look, &c.LookedAt, &c.Verdict, &c.Sentence, &findings,
		&c.Key, &c.Name, &c.Hypothesis, &c.Owner, &c.Unit, &c.Design, &c.Status, &c.Current,
		&decidedAt, &decidedBy, &shipped, &c.Removed, pq.Array(&c.Reasons))
	if err != nil {
		return c, err
	}
	c.StoppedAt, c.DecidedAt, c.DecidedBy, c.Shipped = c.StoppedAt.UTC(), c.StoppedAt.UTC(), decidedBy.String, shipped.String
	if decidedAt != nil {
		c.DecidedAt = decidedAt.UTC()
	}
	if c.LookedAt != nil {
		*c.LookedAt = c.LookedAt.UTC()
	}
	if err := json.Unmarshal(findings, &c.Findings); err != nil {
		return c, errors.Join(errors.New("read findings"), err)
	}
	return c, nil
}

// conclusionsQuery joins conclusions with the entries of the audit log in which
// people stopped a version, shipped an arm of it or took one back.
const conclusionsQuery = `
	select c.experiment_id, c.version, c.stopped_at, c.look, c.looked_at, c.verdict, c.sentence, c.findings,
		e.key, coalesce(e.spec->>'name', ''), coalesce(e.spec->>'hypothesis', ''), coalesce(e.spec->>'owner', ''),
		e.spec->>'unit', e.spec->>'design', e.status, e.version = c.version,
		d.at, d.actor, d.shipped, d.shipped is not null and d.last_arm = '', coalesce(d.reasons, '{}')
	from conclusions c
	join experiments e on e.id = c.experiment_id
	left join lateral (
		select max(a.at) as at,
			(array_agg(a.actor order by a.id desc))[1] as actor,
			(array_agg(k.arm order by a.id desc) filter (where k.arm <> ''))[1] as shipped,
			(array_agg(k.arm order by a.id desc) filter (where k.arm is not null))[1] as last_arm,
			array_agg(a.detail->>'reason' order by a.id) filter (where coalesce(a.detail->>'reason', '') <> '') as reasons
		from audit_log a
		left join lateral (
			select max(x->>'to') filter (where x->>'path' = 'shipped_arm') as arm,
				bool_or(x->>'path' = 'status' and x->>'to' = 'stopped') as stops
			from json_array_elements(case when json_typeof(a.detail->'changes') = 'array' then a.detail->'changes' else '[]' end) x) k on true
		where a.subject = e.key and a.action like 'experiment.%' and a.detail->>'version' = c.version::text
		  and (k.stops or k.arm is not null)) d on true
	where $1 = '' or to_tsvector('english', concat_ws(' ', e.key, e.spec->>'name', e.spec->>'hypothesis', e.spec->>'owner',
			array_to_string(d.reasons, ' '), c.verdict, c.sentence, c.learnt)) @@ websearch_to_tsquery('english', $1)
		or position(lower($1) in lower(e.key)) > 0
	order by c.stopped_at desc, e.key
	limit $2`
