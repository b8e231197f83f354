package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// constraintRows are what the constraints need to be met by.
const constraintRows = `
	insert into layers (key, unit, salt, created_at) values ('l', 'viewer', 's', '2026-01-01');
	insert into experiments (key, version, layer_id, salt, status, spec, plan_hash, created_at)
		values ('e', 1, 1, 's', 'draft', '{}', repeat('0', 64), '2026-01-01'),
		       ('f', 1, 1, 's', 'draft', '{}', repeat('0', 64), '2026-01-01');
	insert into layer_slots values (1, 1, '[0,100)');
	insert into api_keys (name, hash, scopes, created_at) values ('k', repeat('0', 64), '{read}', '2026-01-01');
	insert into experiment_versions values (1, 1, 1, '{}', repeat('0', 64), '{}', '2026-01-01', 'ana', 's');
	insert into holdouts (key, unit, slots, salt, created_at) values ('h', 'viewer', 1, 's', '2026-01-01');
	insert into lists (key, unit, digest, count, ids, changed_at) values ('l', '', repeat('0', 64), 1, 'a', '2026-01-01');
	insert into audit_log values (1, '2026-01-01', 'ana', 'x', 'x', '{}', repeat('0', 64));
	insert into exposures values (1, 1, 'u', 0, '2026-01-01', '2026-01-01', false, null, '{}', '2026-01-02');
	insert into looks values (1, 1, 1, '2026-01-01', '2026-01-01', '[]');
	insert into cells values (1, 1, 1, 'm', 1, false, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	create table outcomes_20260102 partition of outcomes for values from ('2026-01-02') to ('2026-01-03');
	insert into outcomes values ('2026-01-02', 1, 1, 'first', 'u', 1, 0, '2026-01-01', '2026-01-02', '{}', '{}')`

func TestConstraintsBecomeFaults(t *testing.T) {
	t.Parallel()
	db := open(t)
	for statement := range strings.SplitSeq(constraintRows, ";") {
		mustExec(t, db, statement)
	}
	for name, tc := range map[string]struct {
		statement string
		code      experiment.Code
		field     string
	}{
		"experiments_key_unique": {`insert into experiments (key, version, layer_id, salt, status, spec, plan_hash, created_at)
			values ('e', 1, 1, 's', 'draft', '{}', repeat('0', 64), '2026-01-01')`, experiment.CodeConflict, "key"},
		"layers_key_unique":     {`insert into layers (key, unit, salt, created_at) values ('l', 'viewer', 's', '2026-01-01')`, experiment.CodeConflict, "layer"},
		"layer_slots_one_owner": {`insert into layer_slots values (1, 2, '[99,101)')`, experiment.CodeConflict, "slots"},
		"layer_slots_in_layer":  {`insert into layer_slots values (1, 2, '[9999,10001)')`, experiment.CodeInvalid, "slots"},
		"api_keys_hash_unique":  {`insert into api_keys (name, hash, scopes, created_at) values ('k', repeat('0', 64), '{read}', '2026-01-01')`, experiment.CodeConflict, "key"},
		"api_keys_scopes":       {`insert into api_keys (name, hash, scopes, created_at) values ('k', repeat('1', 64), '{all}', '2026-01-01')`, experiment.CodeInvalid, "scopes"},
		"salt_immutable":        {`update experiments set salt = 'other'`, experiment.CodeConflict, "salt"},
		"salt of a layer":       {`update layers set unit = 'device'`, experiment.CodeConflict, "salt"},
		"salt of a restart":     {`update experiments set salt = 'other', version = version + 0`, experiment.CodeConflict, "salt"},
		"salt of a holdout":     {`update holdouts set salt = 'other'`, experiment.CodeConflict, "salt"},
		"holdouts_key_unique":   {`insert into holdouts (key, unit, slots, salt, created_at) values ('h', 'viewer', 1, 's', '2026-01-01')`, experiment.CodeConflict, "key"},
		"lists_key_unique":      {`insert into lists (key, unit, digest, count, ids, changed_at) values ('l', '', repeat('0', 64), 1, 'a', '2026-01-01')`, experiment.CodeConflict, "key"},
		"lists_count":           {`update lists set count = 100001`, experiment.CodeTooLarge, "ids"},
		"kept_units_limit":      {`insert into kept_units values (1, 1, repeat('0', 64), decode(repeat('00', 8000008), 'hex'))`, experiment.CodeTooLarge, "on_pause"},
		"experiments_shipped":   {`update experiments set shipped_arm = 'a' where status = 'draft'`, experiment.CodeConflict, "shipped_arm"},
		"append_only":           {`update audit_log set actor = 'bob'`, experiment.CodeConflict, ""},
		"looks_pkey":            {`insert into looks values (1, 1, 1, '2026-01-01', '2026-01-01', '[]')`, experiment.CodeConflict, "number"},
		"outcomes_pkey": {
			`insert into outcomes values ('2026-01-02', 1, 1, 'first', 'u', 2, 0, '2026-01-01', '2026-01-02', '{}', '{}')`,
			experiment.CodeConflict, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := db.sql.ExecContext(t.Context(), tc.statement)
			faults := experiment.Faults(wrap("try", err))
			if len(faults) != 1 || faults[0].Code != tc.code || faults[0].Field != tc.field {
				t.Errorf("%s: %v, want code %s at %q", tc.statement, err, tc.code, tc.field)
			}
		})
	}
}

// A next slot beside the last is no overlap.
func TestSlotsMayTouch(t *testing.T) {
	t.Parallel()
	db := open(t)
	for statement := range strings.SplitSeq(constraintRows, ";") {
		mustExec(t, db, statement)
	}
	mustExec(t, db, `insert into layer_slots values (1, 2, '[100,10000)')`)
}

func TestStatesBecomeFaults(t *testing.T) {
	t.Parallel()
	db := open(t)
	for state, want := range map[string]experiment.Code{
		"08006": experiment.CodeUnavailable, // connection failure
		"25006": experiment.CodeUnavailable, // read only: a standby
		"40001": experiment.CodeUnavailable, // serialization failure
		"40P01": experiment.CodeUnavailable, // deadlock
		"53100": experiment.CodeUnavailable, // disk full
		"53300": experiment.CodeUnavailable, // too many connections
		"55P03": experiment.CodeUnavailable, // lock not available
		"57014": experiment.CodeUnavailable, // statement timeout
		"57P01": experiment.CodeUnavailable, // shutdown
		"57P03": experiment.CodeUnavailable, // starting up
		"58030": experiment.CodeUnavailable, // input or output
		"23502": "",                         // null in our own statement: a mistake of ours
		"42601": "",                         // syntax
		"22P02": "",
	} {
		_, err := db.sql.ExecContext(t.Context(), `do $$ begin raise exception 'no' using errcode = '`+state+`'; end $$`)
		if err == nil {
			t.Fatalf("raising %s succeeded", state)
		}
		if got, _ := experiment.CodeOf(wrap("try", err)); got != want {
			t.Errorf("SQLSTATE %s has code %q (%v), want %q", state, got, err, want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	if err := wrap("try", nil); err != nil {
		t.Errorf("wrap(nil) = %v, want nil", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	err := wrap("try", cancelled.Err())
	if _, ok := experiment.CodeOf(err); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("wrap(%v) = %v, want the cause alone: the caller went away", cancelled.Err(), err)
	}
	err = wrap("try", context.DeadlineExceeded)
	if !isFault(err, experiment.CodeUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wrap(deadline) = %v, want code unavailable and the cause", err)
	}
	fault := experiment.Errorf(experiment.CodeNotFound, "key", "no")
	if err := wrap("try", wrap("inner", fault)); !isFault(err, experiment.CodeNotFound) {
		t.Errorf("wrap(fault) = %v, want its code", err)
	}
}

func TestAppendOnly(t *testing.T) {
	t.Parallel()
	db := open(t)
	for statement := range strings.SplitSeq(constraintRows, ";") {
		mustExec(t, db, statement)
	}
	for table, change := range map[string]string{
		"experiment_versions": "changed_by = 'bob'",
		"audit_log":           "actor = 'bob'",
		"outcomes":            "arm = 1",
		"looks":               "arms = '[]'",
		"cells":               "n = 1",
		"exposures":           "", // may change while its windows are open
	} {
		statements := []string{"delete from " + table}
		if change != "" {
			statements = append(statements, "update "+table+" set "+change, "update "+table+" set "+change+" where false")
		}
		if table != "outcomes" { // its partitions have a trigger of their own, see TestPartitionsAreAppendOnly
			statements = append(statements, "truncate "+table+" cascade")
		}
		before := count(t, db, "select count(*) from "+table)
		for _, statement := range statements {
			_, err := db.sql.ExecContext(t.Context(), statement)
			wantCode(t, statement, wrap("try", err), experiment.CodeConflict)
		}
		if got := count(t, db, "select count(*) from "+table); got != before || got == 0 {
			t.Errorf("%s has %d rows, want %d", table, got, before)
		}
	}
}

func TestPartitionsAreAppendOnly(t *testing.T) {
	t.Parallel()
	db := open(t)
	if err := db.EnsurePartitions(t.Context(), testNow, testNow); err != nil {
		t.Fatalf("EnsurePartitions: %v", err)
	}
	for _, statement := range []string{
		"delete from outcomes_20261102", "update outcomes_20261102 set arm = 1", "truncate outcomes_20261102",
	} {
		_, err := db.sql.ExecContext(t.Context(), statement)
		wantCode(t, statement, wrap("try", err), experiment.CodeConflict)
	}
}
