package postgres

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// Catalogue returns the metrics that there are now: those of the program and
// those that people defined.
func (db *DB) Catalogue(ctx context.Context) (*metrics.Catalogue, error) {
	c, err := readCatalogue(ctx, db.sql)
	return c, wrap("read the metric catalogue", err)
}

func readCatalogue(ctx context.Context, q sqlx.QueryerContext) (*metrics.Catalogue, error) {
	var stored []metrics.Definition
	err := eachRow(ctx, q, func(rows *sql.Rows) error {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return err
		}
		var d metrics.Definition
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("read a metric definition: %w", err)
		}
		stored = append(stored, d)
		return nil
	}, `select definition from metric_definitions order by key, version`)
	if err != nil {
		return nil, err
	}
	return metrics.Builtin().With(stored), nil
}

// DefinedMetric is what DefineMetric did.
type DefinedMetric struct {
	Result Result             `json:"result"`
	Metric metrics.Definition `json:"metric"`
}

// MetricAuthor says who made a version of a metric, and when.
type MetricAuthor struct {
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// MetricAuthors returns who made the versions of a metric, oldest first; none of
// one that is built in.
func (db *DB) MetricAuthors(ctx context.Context, key string) ([]MetricAuthor, error) {
	out := []MetricAuthor{}
	err := eachRow(ctx, db.sql, func(rows *sql.Rows) error {
		var a MetricAuthor
		if err := rows.Scan(&a.Version, &a.CreatedAt, &a.CreatedBy); err != nil {
			return err
		}
		a.CreatedAt = a.CreatedAt.UTC()
		out = append(out, a)
		return nil
	}, `select version, created_at, created_by from metric_definitions where key = $1 order by version`, key)
	return out, wrap("read authors of a metric", err)
}

// DefineMetric stores a definition that metrics.ParseDefinition accepted as the
// next version of its key, unless it says what the newest version says.
//
// It returns experiment.CodeConflict for the key of a built-in metric and
// CodeTooLarge when there are too many metrics or versions.
func (db *DB) DefineMetric(ctx context.Context, d metrics.Definition, opts ApplyOptions) (DefinedMetric, error) {
	out := DefinedMetric{Result: Created}
	err := db.publish(ctx, opts, func(p *publication) (err error) {
		out, err = p.defineMetric(ctx, d)
		return err
	})
	return out, wrap("define metric", err)
}

func (p *publication) defineMetric(ctx context.Context, d metrics.Definition) (DefinedMetric, error) {
	if metrics.Known(d.Key) {
		return DefinedMetric{}, experiment.Errorf(experiment.CodeConflict, "key", "%s is built in; choose another key", d.Key)
	}
	if err := p.readCatalogue(ctx); err != nil {
		return DefinedMetric{}, err
	}
	out := DefinedMetric{Result: Created}
	d.Version = 1
	if before, ok := p.catalogue.Lookup(d.Key); ok {
		out.Result = Updated
		d.Version = before.Version
		if reflect.DeepEqual(before, d) {
			return DefinedMetric{Unchanged, before}, nil
		}
		d.Version++
	}
	switch {
	case d.Version > metrics.MaxVersions:
		return out, experiment.Errorf(experiment.CodeTooLarge, "key", "a metric has at most %d versions", metrics.MaxVersions)
	case d.Version == 1 && len(p.catalogue.All()) >= metrics.MaxDefinitions:
		return out, experiment.Errorf(experiment.CodeTooLarge, "key", "there are at most %d metrics", metrics.MaxDefinitions)
	}
	out.Metric = d
	_, err := p.tx.ExecContext(ctx, `
		insert into metric_definitions (key, version, definition, created_at, created_by) values ($1, $2, $3, $4, $5)`,
		d.Key, d.Version, mustJSON(d), p.at, p.opts.Actor)
	if err != nil {
		return out, wrap("store the definition", err)
	}
	p.catalogue = nil // it has changed
	return out, p.audit(ctx, "metric."+verb(out.Result), d.Key, d)
}

// readCatalogue reads the catalogue once a publication.
func (p *publication) readCatalogue(ctx context.Context) error {
	if p.catalogue != nil {
		return nil
	}
	var err error
	p.catalogue, err = readCatalogue(ctx, p.tx)
	return err
}

// pinMetrics, for which the catalogue has been read, fixes the versions of a plan's metrics when it is launched, or
// changed after that: the plan's hash covers them, so that a metric that is
// defined anew changes no running experiment. Plans that were launched before
// versions were fixed, and are not changed, stay as they were hashed.
func (p *publication) pinMetrics(c *change) error {
	plan := &c.next.Plan
	launched := c.next.Status != experiment.StatusDraft
	if before := c.before; before != nil && before.exp.Status != experiment.StatusDraft && before.exp.Plan.Hash() == plan.Hash() {
		return nil
	}
	if !launched && len(plan.Versions) == 0 {
		return nil
	}
	for metric, version := range plan.Versions {
		if _, ok := p.catalogue.LookupVersion(metric, version); !ok {
			return experiment.Invalidf("plan.versions."+metric, "there is no version %d of %s", version, metric)
		}
	}
	if !launched {
		return nil
	}
	pinned := plan.PinVersions(func(metric string) (int, bool) {
		d, ok := p.catalogue.Lookup(metric)
		return d.Version, ok
	})
	for _, metric := range pinned {
		c.changes = append(c.changes, experiment.Change{
			Path: "plan.versions." + metric, To: []byte(mustJSON(plan.Versions[metric])),
		})
	}
	c.next.PlanHash = plan.Hash()
	return nil
}
