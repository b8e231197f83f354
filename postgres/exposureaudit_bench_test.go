package postgres

import (
	"testing"

	"github.com/splitcast/splitcast/assignment"
)

// BenchmarkAuditExposures audits a page of 100,000 exposures, with reading them.
func BenchmarkAuditExposures(b *testing.B) {
	db := open(b)
	id := applySpecs(b, db, specOf("a", "player", 2000))[0].Experiment.ID
	mustExec(b, db, `
		insert into exposures (experiment_id, version, unit_id, arm, at, recorded_at, override, attributes, first_closes_at)
		select $1, 1, 'viewer-' || lpad(i::text, 8, '0'), i % 2, $2::timestamptz, $2::timestamptz, false,
		       '{"country":"DE","device_class":"tv","os":"tizen","player":"hls.js","player_version":"1.6.2","isp":"3320"}', $2::timestamptz + interval '1 hour'
		from generate_series(1, $3::int) i`, id, testNow, MaxAuditedExposures)
	found := 0
	for b.Loop() {
		_, err := db.AuditExposures(b.Context(), AuditPage{Experiment: "a", Limit: MaxAuditedExposures}, func(h *assignment.History) (func(*assignment.AuditedExposure), error) {
			auditor, err := assignment.NewAuditor(h)
			return func(x *assignment.AuditedExposure) {
				if auditor.Check(x).Verdict == assignment.VerdictWrong {
					found++
				}
			}, err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if found == 0 {
		b.Error("nothing was found, though the arms are made up")
	}
	b.ReportMetric(float64(b.N)*MaxAuditedExposures/b.Elapsed().Seconds(), "exposures/s")
}
