package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// auditWorld is a platform on which everything happens that changes arms. Time
// passes with every change.
type auditWorld struct {
	*bench
	expected map[string]bool // experiment, version and unit of all that were exposed
}

// publish applies a document over HTTP.
func (w *auditWorld) publish(t *testing.T, document string) {
	t.Helper()
	w.clock.advance(time.Hour)
	if got := w.send(t, scenario{method: "POST", path: apiPath + "/experiments", as: experiment.ScopeWrite, body: document}); got.status != http.StatusOK {
		t.Fatalf("apply = %d: %s", got.status, got.body)
	}
	w.expose(t)
}

// expose lets viewers meet both experiments.
func (w *auditWorld) expose(t *testing.T) {
	t.Helper()
	w.clock.advance(time.Second)
	for _, key := range []string{"player", "ui"} {
		for i := range 60 {
			unit := fmt.Sprint("v-", i)
			body := fmt.Sprintf(`{"context":{"targetingKey":%q,"country":%q,"app":"5.%d.0"}}`, unit, []string{"DE", "FR", "US"}[i%3], i%4)
			got := w.send(t, scenario{method: "POST", path: "/ofrep/v1/evaluate/flags/" + key, as: experiment.ScopeEvaluate, body: body})
			var answer struct {
				Metadata struct {
					Version  int  `json:"version"`
					Assigned bool `json:"assigned"`
				} `json:"metadata"`
			}
			if got.status == http.StatusNotFound {
				continue // not there yet
			}
			if err := json.Unmarshal([]byte(got.body), &answer); got.status != http.StatusOK || err != nil {
				t.Fatalf("evaluate = %d: %s", got.status, got.body)
			}
			if answer.Metadata.Assigned {
				w.expected[fmt.Sprint(key, answer.Metadata.Version, unit)] = true
			}
		}
	}
}

// spec is an experiment of three arms with more fields.
func auditedSpec(key, more string) string {
	return fmt.Sprintf(`{"experiments":[{"key":%q,"unit":"viewer","layer":"l-%s","plan":{"primary":["stall_ratio"]}%s}]}`, key, key, more)
}

const (
	threeArms = `,"arms":[{"key":"control","weight":1,"value":0},{"key":"b","weight":1,"value":1},{"key":"c","weight":2,"value":2}]`
	oneLess   = `,"arms":[{"key":"control","weight":1,"value":0},{"key":"b","weight":1,"value":1,"dropped":true},{"key":"c","weight":2,"value":2}]`
	german    = `,"audience":{"all":[{"attr":"country","op":"in","values":["DE","FR"]},{"attr":"app","op":"semver_ge","value":"5.1.0"},{"op":"not_in_list","list":"staff"}]}`
	needsB    = `,"requires":[{"experiment":"player","arms":["b","c"]}]`
)

// newAuditWorld lets it all happen, and waits for the exposures.
func newAuditWorld(t *testing.T) *auditWorld {
	t.Helper()
	w := &auditWorld{newEmptyBench(t), map[string]bool{}}
	w.publish(t, `{"lists":[{"key":"staff","ids":["v-3","v-4"]}]}`)
	w.publish(t, auditedSpec("player", threeArms+`,"status":"draft","slots":2000`))
	w.publish(t, auditedSpec("player", threeArms+`,"status":"running","slots":4000`))
	w.publish(t, auditedSpec("player", threeArms+`,"status":"running","slots":10000,"overrides":{"v-9":"c"}`))
	w.publish(t, auditedSpec("ui", threeArms+german+`,"status":"running","slots":10000`))
	w.publish(t, auditedSpec("ui", threeArms+german+needsB+`,"status":"running","slots":10000`))
	w.publish(t, auditedSpec("player", threeArms+`,"status":"paused","slots":10000`))
	w.publish(t, auditedSpec("player", threeArms+`,"status":"running","slots":10000`))
	w.publish(t, auditedSpec("player", oneLess+`,"status":"running","slots":10000`))
	w.publish(t, `{"holdouts":[{"key":"year","unit":"viewer","slots":3000}]}`)
	w.publish(t, `{"holdouts":[{"key":"year","unit":"viewer","slots":3000,"ended":true}]}`)
	w.act(t, "/experiments/player/restart")
	w.act(t, "/experiments/player/ship", `"arm":"c"`)
	eventually(t, func() error {
		if n := w.count(t, "select count(*) from exposures"); n != len(w.expected) {
			return fmt.Errorf("%d exposures are stored, want %d", n, len(w.expected))
		}
		return nil
	})
	return w
}

func (w *auditWorld) act(t *testing.T, path string, fields ...string) {
	t.Helper()
	w.clock.advance(time.Hour)
	got := w.send(t, scenario{method: "POST", path: apiPath + path, as: experiment.ScopeWrite, body: "{" + strings.Join(fields, ",") + "}"})
	if got.status != http.StatusOK {
		t.Fatalf("%s = %d: %s", path, got.status, got.body)
	}
	w.expose(t)
}

// audit returns the sum of the pages of an experiment's audit.
func (w *auditWorld) audit(t *testing.T, key string) ExposureAudit {
	t.Helper()
	sum, page := ExposureAudit{}, ExposureAudit{More: true}
	for page.More {
		path := fmt.Sprintf("%s/experiments/%s/exposures/audit?limit=50&version=%d&unit=%s", apiPath, key, page.Version, page.Unit)
		got := w.send(t, scenario{method: "GET", path: path, as: experiment.ScopeAdmin})
		page = ExposureAudit{}
		if err := json.Unmarshal([]byte(got.body), &page); err != nil || got.status != http.StatusOK {
			t.Fatalf("audit = %d: %s", got.status, got.body)
		}
		sum.Checked, sum.Matched, sum.Earlier = sum.Checked+page.Checked, sum.Matched+page.Matched, sum.Earlier+page.Earlier
		sum.Mismatched += page.Mismatched
		sum.Mismatches, sum.NotJudged = append(sum.Mismatches, page.Mismatches...), append(sum.NotJudged, page.NotJudged...)
	}
	return sum
}

// tamper changes the first exposure to a version in an order.
func (w *auditWorld) tamper(t *testing.T, key string, version int, set, order string) {
	t.Helper()
	_, err := w.sql.ExecContext(t.Context(), `
		update exposures set `+set+` where (experiment_id, version, unit_id) = (
			select x.experiment_id, x.version, x.unit_id from exposures x join experiments e on e.id = x.experiment_id
			where e.key = $1 and x.version = $2 and not x.override order by `+order+` limit 1)`, key, version)
	if err != nil {
		t.Fatal(err)
	}
}

// Everything that really happened is right, and whatever was tampered with is
// found, by the words that say what is wrong with it.
func TestExposureAudit(t *testing.T) {
	t.Parallel()
	w := newAuditWorld(t)
	checked := 0
	for _, key := range []string{"player", "ui"} {
		a := w.audit(t, key)
		checked += a.Checked
		if a.Matched != a.Checked || a.Earlier+a.Mismatched+len(a.NotJudged) > 0 || a.Checked < 40 {
			t.Errorf("%s: %+v, want all matched", key, a)
		}
	}
	if checked != len(w.expected) {
		t.Errorf("%d exposures were checked, want %d", checked, len(w.expected))
	}
	if _, err := w.sql.ExecContext(t.Context(), `alter table exposures disable trigger exposures_count_changed`); err != nil {
		t.Fatal(err) // it refuses some of what follows
	}
	for _, c := range []struct {
		name, key string
		version   int
		set       string
		order     string // which exposure, of those that no override forced
		says      string
	}{
		{"arm", "ui", 1, `arm = (arm + 1) % 3`, `unit_id`, "the hash gives arm"},
		{"attribute", "ui", 2, `attributes = '{"country":"US","app":"5.2.0"}'`, `unit_id`, "outside the audience"},
		{"old app", "ui", 3, `attributes = '{"country":"DE","app":"5.0.9"}'`, `unit_id`, "outside the audience"},
		{"not forced", "player", 1, `override = true`, `unit_id`, "no override"},
		{"before its slots", "player", 1, `at = (select min(at) from exposures)`, `at desc, unit_id desc`, "was not the experiment's then"},
		{"before the version", "player", 2, `at = at - interval '1 year'`, `unit_id`, "before version 2 ran"},
	} {
		t.Run(c.name, func(t *testing.T) { // one after another, on the same exposures
			before := w.audit(t, c.key)
			w.tamper(t, c.key, c.version, c.set, c.order)
			a := w.audit(t, c.key)
			if a.Mismatched != before.Mismatched+1 || a.Matched != before.Matched-1 ||
				!slices.ContainsFunc(a.Mismatches, func(m ExposureMismatch) bool { return strings.Contains(m.Why, c.says) }) {
				t.Errorf("after tampering: %+v, want one mismatch more, %q", a, c.says)
			}
		})
	}
	t.Run("not judged", func(t *testing.T) {
		before := w.audit(t, "ui")
		w.tamper(t, "ui", 1, `attributes = '{}'`, `unit_id desc`)
		w.publish(t, `{"lists":[{"key":"staff","ids":["v-3"]}]}`)
		a := w.audit(t, "ui")
		byWhy := map[string]int{}
		for _, n := range a.NotJudged {
			byWhy[n.Why] += n.Count
		}
		if byWhy[`attribute "country" is not stored with the exposure`] == 0 || byWhy[`list "staff" has changed since, and its ids of then are not kept`] == 0 ||
			len(byWhy) != 2 || a.Mismatched != before.Mismatched {
			t.Errorf("not judged = %v, mismatched %d, want attribute and list, and %d", byWhy, a.Mismatched, before.Mismatched)
		}
	})
}
