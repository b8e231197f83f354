package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/splitcast/splitcast/experiment"
)

// knownSets remembers the sets of the last configuration by the digest of their
// content: publishing something else must not read a million ids again. A set
// that a configuration lacks is forgotten.
type knownSets struct {
	mu    sync.Mutex
	lists map[string]*experiment.IDSet
	kept  map[string]*experiment.UnitSet
}

// load returns the lists that experiments refer to, by key, and the units that
// keep arms, by experiment.
func (k *knownSets) load(ctx context.Context, tx *sqlx.Tx) (lists []experiment.List, kept []experiment.Kept, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var listDigests, keptDigests []string
	err = eachRow(ctx, tx, func(rows *sql.Rows) error {
		var l experiment.List
		var digest string
		err := rows.Scan(&l.Key, &l.Unit, &digest)
		lists, listDigests = append(lists, l), append(listDigests, digest)
		return err
	}, `select key, unit, digest from lists
		where id in (select u.list_id from experiment_lists u join experiments e on e.id = u.experiment_id where e.status <> 'archived')
		order by key`)
	if err != nil {
		return nil, nil, fmt.Errorf("read lists: %w", err)
	}
	err = eachRow(ctx, tx, func(rows *sql.Rows) error {
		var u experiment.Kept
		var digest string
		err := rows.Scan(&u.Experiment, &u.Version, &digest)
		kept, keptDigests = append(kept, u), append(keptDigests, digest)
		return err
	}, `select e.key, u.version, u.digest from kept_units u join experiments e on e.id = u.experiment_id order by e.key`)
	if err != nil {
		return nil, nil, fmt.Errorf("read kept units: %w", err)
	}
	k.lists, err = refreshSets(ctx, tx, k.lists, listDigests, experiment.ParseIDSet, queryIDs)
	if err != nil {
		return nil, nil, fmt.Errorf("read ids of lists: %w", err)
	}
	readUnits := func(hashes string) (*experiment.UnitSet, error) {
		s := &experiment.UnitSet{}
		err := s.UnmarshalBinary([]byte(hashes))
		return s, err
	}
	k.kept, err = refreshSets(ctx, tx, k.kept, keptDigests, readUnits, `select digest, hashes from kept_units where digest = any($1)`)
	if err != nil {
		return nil, nil, fmt.Errorf("read kept units: %w", err)
	}
	for i := range lists {
		lists[i].IDs = k.lists[listDigests[i]]
	}
	for i := range kept {
		kept[i].Units = k.kept[keptDigests[i]]
	}
	return lists, kept, nil
}

// ids returns the ids of lists, by digest. Those of a configuration are known
// already; the others are read and not remembered.
func (k *knownSets) ids(ctx context.Context, tx *sqlx.Tx, keys any) (map[string]*experiment.IDSet, error) {
	var digests []string
	if err := tx.SelectContext(ctx, &digests, `select digest from lists where key = any($1)`, keys); err != nil {
		return nil, fmt.Errorf("read lists: %w", err)
	}
	k.mu.Lock()
	known := k.lists
	k.mu.Unlock()
	out, err := refreshSets(ctx, tx, known, digests, experiment.ParseIDSet, queryIDs)
	if err != nil {
		return nil, fmt.Errorf("read ids of lists: %w", err)
	}
	return out, nil
}

// queryIDs returns the ids of lists by their digests.
const queryIDs = `select digest, ids from lists where digest = any($1)`

// refreshSets returns the sets with the digests: those known, and the others
// read by the query.
func refreshSets[S any](ctx context.Context, tx *sqlx.Tx, known map[string]*S, digests []string, parse func(string) (*S, error), query string) (map[string]*S, error) {
	next, missing := map[string]*S{}, map[string]bool{}
	for _, d := range digests {
		if s := known[d]; s != nil {
			next[d] = s
			continue
		}
		missing[d] = true
	}
	if len(missing) == 0 {
		return next, nil
	}
	err := eachRow(ctx, tx, func(rows *sql.Rows) error {
		var digest, content string
		if err := rows.Scan(&digest, &content); err != nil {
			return err
		}
		s, err := parse(content)
		next[digest] = s
		return err
	}, query, pq.Array(slices.Sorted(maps.Keys(missing))))
	return next, err
}
