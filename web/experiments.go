package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

// ExperimentsView is the list of experiments.
type ExperimentsView struct {
	Chrome
	Base   string // path of this page
	New    string // address of the form that makes an experiment; empty: there is none
	Filter Filter
	Rows   []ExperimentRow // those that match, in the order to show
	Total  int             // of all experiments, matching or not
	More   string          // address of the next page; empty: this is the last
	// Server is the address that a first `splitcast apply` talks to.
	Server string
	// Keys and Telemetry are the addresses where keys are made, and where the first
	// record is taught; empty: not offered.
	Keys, Telemetry string
}

// Filter is what the reader asked for, from the query of the page.
type Filter struct {
	Status experiment.Status // empty: all but the archived
	Query  string            // part of key, name or owner
}

// The query parameters of the list.
const (
	ParamStatus = "status"
	ParamQuery  = "q"
)

// maxQueryBytes bounds the text of a search: longer than any name is no search.
const maxQueryBytes = experiment.MaxNameBytes

// ReadFilter returns the filter in a query. A status that does not exist is no
// filter, and a text beyond the length of a name is cut: both come from an
// address that a person edited, and the page shows what was understood.
func ReadFilter(q url.Values) Filter {
	f := Filter{Status: experiment.Status(q.Get(ParamStatus)), Query: strings.TrimSpace(q.Get(ParamQuery))}
	if !experiment.ValidStatus(f.Status) {
		f.Status = ""
	}
	if len(f.Query) > maxQueryBytes {
		f.Query = strings.ToValidUTF8(f.Query[:maxQueryBytes], "")
	}
	return f
}

// Matches reports whether the filter lets an experiment through.
func (f Filter) Matches(e *experiment.Experiment) bool {
	if f.Status != e.Status && (f.Status != "" || e.Status == experiment.StatusArchived) {
		return false
	}
	for _, text := range []string{e.Key, e.Name, e.Owner} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(f.Query)) {
			return true
		}
	}
	return false
}

// ExperimentRow is one experiment of the list.
type ExperimentRow struct {
	Experiment experiment.Experiment
	URL        string
	Report     *report.Report // nil: there is none, as for a draft
	LastLook   *time.Time
	Review     experiment.ReviewState // of its open review; empty: there is none
}

// experimentsPage is the list ready for the template.
type experimentsPage struct {
	Chrome
	Title    string
	Base     string
	New      string
	Query    string
	Statuses []option
	Views    []Link
	Filtered bool
	Rows     []listRow
	Shown    string
	Total    int
	More     string
	First    firstSteps

	Keys, Telemetry string
}

// listRow is one experiment.
type listRow struct {
	URL, Name, Key, Owner string
	Status, Design, Arms  string
	Verdict               wording
	Metric                string
	Lift                  string
	State                 wording
	Spark                 template.HTML
	Health                *wording
	Units, Planned        string
	Progress              float64
	LastLook              stamp
	Review                *wording // of its open review; nil: there is none
	Edit                  string   // address that opens a draft in the wizard; empty: it is none
}

// firstSteps teaches how a first experiment is made.
type firstSteps struct{ Document, Command string }

// firstDocument is a small experiment that is valid as it stands; a test parses
// it and compares it with this text.
const firstDocument = `experiments:
  - key: abr-safety-75
    name: ABR safety factor 0.75
    hypothesis: A smaller safety factor raises bitrate without more stalls.
    unit: viewer
    design: ab
    arms:
      - {key: control, weight: 1, value: {safety: 0.8}}
      - {key: treatment, weight: 1, value: {safety: 0.75}}
    plan:
      primary: [stall_ratio]
      secondary: [bitrate]
      guardrails: [{metric: start_success, margin: 0.005}]
      mde: 0.02
      units: 400000
    status: running
`

// listSparkPoints keeps a list of a hundred experiments light.
const listSparkPoints = 12

// newExperimentsPage prepares the list.
func newExperimentsPage(v ExperimentsView) (experimentsPage, error) {
	p := experimentsPage{
		Chrome: v.Chrome, Title: "Experiments", Base: v.Base, New: v.New, Query: v.Filter.Query,
		Filtered: v.Filter != Filter{}, Total: v.Total, More: v.More,
		Shown: plural(len(v.Rows), "experiment", "experiments"),
		Keys:  v.Keys, Telemetry: v.Telemetry,
		First: firstSteps{Document: firstDocument, Command: "splitcast apply -f experiment.yaml"},
	}
	if v.Server != "" {
		p.First.Command += " --server " + v.Server
	}
	if p.Filtered {
		p.Shown = count(len(v.Rows)) + " of " + plural(v.Total, "experiment", "experiments")
	}
	p.Statuses = statusOptions(v.Filter.Status)
	p.Views = listViews(v.Base, v.Filter)
	for i := range v.Rows {
		row, err := newListRow(&v.Rows[i])
		if err != nil {
			return experimentsPage{}, err
		}
		p.Rows = append(p.Rows, row)
	}
	return p, nil
}

// statusOptions are the choices of a status.
func statusOptions(chosen experiment.Status) []option {
	out := []option{{Text: "All but archived", Selected: chosen == ""}}
	for _, s := range []experiment.Status{
		experiment.StatusDraft, experiment.StatusRunning, experiment.StatusPaused,
		experiment.StatusStopped, experiment.StatusArchived,
	} {
		out = append(out, option{Value: string(s), Text: statusWord(s), Selected: s == chosen})
	}
	return out
}

// listViews are the list and the timeline of the same experiments.
func listViews(base string, f Filter) []Link {
	q := url.Values{ParamView: {ViewTimeline}}
	if f.Status != "" {
		q.Set(ParamStatus, string(f.Status))
	}
	if f.Query != "" {
		q.Set(ParamQuery, f.Query)
	}
	return []Link{{Text: "List", URL: base, Current: true}, {Text: "Timeline", URL: base + "?" + q.Encode()}}
}

// newListRow prepares one experiment.
func newListRow(v *ExperimentRow) (listRow, error) {
	x := &v.Experiment
	row := listRow{
		URL: v.URL, Name: x.Name, Key: x.Key, Owner: x.Owner,
		Status: statusWord(x.Status), Design: designWord(x.Design), Arms: plural(len(x.Arms), "arm", "arms"),
		LastLook: newStamp(v.LastLook, listFormat), Planned: count(x.Plan.Units),
	}
	if x.Status == experiment.StatusDraft {
		row.Edit = v.URL + EditPath
	}
	if v.Review != "" {
		state := reviewWording(v.Review)
		row.Review = &state
	}
	r := v.Report
	if r == nil {
		return row, nil
	}
	worst := health(r)
	row.Health = &worst
	row.Verdict = verdictWordingOf(r.Head.Status, r.Verdict.State)
	row.Units, row.Progress, row.Planned = count(r.Head.Units), min(1, r.Head.Progress), count(r.Head.NOpt)
	if len(r.Primary) == 0 {
		return row, nil
	}
	first := leading(r)
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	row.Metric, row.State = first.Metric.Name, stateOf(first, withheld)
	if withheld { // a list has no room to say why a number cannot be believed
		return row, nil
	}
	if first.Effect != nil {
		row.Lift = tight(first.Effect.Text)
	}
	spark, err := sparkline(first, row.State.Class, listSparkPoints)
	if err != nil {
		return listRow{}, fmt.Errorf("experiment %s: %w", x.Key, err)
	}
	row.Spark = spark
	return row, nil
}

// leading returns the first primary row of the arm that decided the verdict.
func leading(r *report.Report) *report.Row {
	for i := range r.Primary {
		if r.Primary[i].ArmKey == r.Verdict.Arm {
			return &r.Primary[i]
		}
	}
	return &r.Primary[0]
}
