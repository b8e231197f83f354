package web

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/splitcast/splitcast/report"
)

// ReportView is a report with the reader's choices.
type ReportView struct {
	Chrome
	Report *report.Report
	// Latest is the number of the newest look. A Report of an earlier one is
	// shown as a replay.
	Latest int
	// JSON and CSV are the addresses of the same report for programs; the look
	// of a replay is added to them.
	JSON, CSV string
	// Notebook and Outcomes are the addresses of the notebook that computes the
	// numbers again and of the outcomes that they are made from; empty: not offered.
	Notebook, Outcomes string
	// Charts is the address of charts as files; empty: none are offered.
	Charts string
	// Experiments is the address of the list of experiments.
	Experiments string
	// Decide is the address that takes decisions; empty: the reader may not decide.
	Decide string
	Choice Choice
	// Frozen, when set, says that the report is shown to somebody who has its link
	// and may only read.
	Frozen *Frozen
	// Share is the address that makes and ends links to frozen reports; empty: the
	// reader may not. Shares are the links that are open.
	Share  string
	Shares []ShareView
	// Serving says how the experiment is served now; nil: not said.
	Serving *Serving
	// Events is the address that tells of new looks; empty: the page stays as it is.
	Events string
	// Comment is the address that takes comments; empty: the reader may not.
	// Comments are those of the experiment, oldest first.
	Comment  string
	Comments []CommentView
	// Review is the second person that launches need; nil: they need none.
	Review *ReviewView
	// Rejected is a form of the page that was not accepted; nil: none.
	Rejected *Rejected
}

// Choice is what the reader asked to see, from the query of the page. A choice
// that the report does not have falls back to the first row of its kind.
type Choice struct {
	Metric    string // of the interval funnel
	Arm       string
	Where     string // metric of the segment table
	Dimension string // of the segment table; empty: all
	Values    string // metric of the distribution
	View      string // of the distribution: ViewShift, ViewShares or ViewTail
	About     string // the row that is about to be commented
	Segment   string // the only one shown, as ParamSegment has it; empty: everybody
}

// The query parameters of the report page.
const (
	ParamLook      = "look"
	ParamMetric    = "metric"
	ParamArm       = "arm"
	ParamWhere     = "where"
	ParamDimension = "dimension"
	ParamValues    = "values"
	ParamView      = "view"
)

// ReadChoice returns the choice in a query.
func ReadChoice(q url.Values) Choice {
	return Choice{
		Metric: q.Get(ParamMetric), Arm: q.Get(ParamArm),
		Where: q.Get(ParamWhere), Dimension: q.Get(ParamDimension),
		Values: q.Get(ParamValues), View: q.Get(ParamView), About: q.Get(ParamAbout),
		Segment: q.Get(ParamSegment),
	}
}

// reportPage is a report ready for the template: every text is final.
type reportPage struct {
	Chrome
	Title       string
	Experiments string
	Head        headPart
	Serving     *servingPart
	Replay      *replayPart
	States      []statePart // what is awaited, went wrong or is to come
	Verdict     verdictPart
	Review      *reviewPart // nil: nobody was asked
	Decide      *decidePart // nil: there is nothing to decide, or not here
	Trust       []trustPart
	Imported    string // what it means for trust that units were imported; empty: none was
	Harm        board
	Primary     board
	Secondary   board
	Funnel      funnelPart
	Values      *valuesPart  // nil: the plan asks for no quantile
	Startup     *tablePart   // nil: the plan does not ask what became of starts
	Stalls      *stallsPart  // nil: the plan does not ask for stall time
	Where       *wherePart   // nil before the first look
	Segment     *segmentPart // nil: the boards are those of everybody
	Robust      *robustPart  // nil: nothing was computed another way
	Influences  []report.Influence
	Definitions *definitionsPart // nil: each row tells its own
	Frozen      *frozenPart
	Live        *livePart // nil: nothing will change
	Sharing     *sharingPart
	Comments    *commentsPart
	Elsewhere   []viewLink // the report in other forms
	Rejected    *rejectedPart
	Versions    []versionPart
}

// headPart says what the report is about.
type headPart struct {
	Key, Name, Hypothesis, Owner string
	Status, Design, Unit         string
	Started, Stopped             stamp
	Arms                         []armPart
}

// armPart is one arm with its units.
type armPart struct {
	Label, Key, Share string
	Exposed           string
	Imported          string // of these; empty: none
	Excluded          string // crossed and forced units; empty: none
}

// versionPart is one version of the plan.
type versionPart struct {
	Version int
	At      stamp
	Hash    string
	Current bool
}

// replayPart leads through the past looks.
type replayPart struct {
	Past             bool // the report shown is not the newest
	Look, Latest     int
	At               stamp
	Prev, Next, Live string // addresses; empty: there is none
	Hidden           []hidden
}

// hidden is a form field that keeps a choice.
type hidden struct{ Name, Value string }

// trustPart is one check.
type trustPart struct {
	Title                        string
	State                        wording
	Statistic, Threshold, Detail string
	Fix                          string
	FirstTripped                 int
	Open                         bool
}

// newReportPage prepares a report.
func newReportPage(v ReportView) (reportPage, error) {
	p, err := newReportParts(v)
	p.Decide.reject(v.Rejected)
	p.Comments.reject(v.Rejected)
	p.Sharing.reject(v.Rejected)
	p.Rejected = newRejected(v.Rejected, &p)
	return p, err
}

func newReportParts(v ReportView) (reportPage, error) {
	r := v.Report
	links := linker{choice: v.Choice, frozen: v.Frozen != nil}
	if r.Head.Look != v.Latest {
		links.look = r.Head.Look
	}
	p := reportPage{
		Chrome:      v.Chrome,
		Title:       r.Head.Name,
		Experiments: v.Experiments,
		Head:        newHead(&r.Head),
		Replay:      newReplay(&r.Head, v.Latest, links),
		States:      newStates(r),
		Verdict:     newVerdict(r),
		Elsewhere:   elsewhere(&v, links),
	}
	if links.frozen {
		p.Replay = nil
	}
	p.Frozen, p.Sharing, p.Live = newFrozen(&v), newSharing(&v), newLive(&v)
	p.Serving = newServing(&v, links.look != 0)
	if links.look == 0 { // the past is not decided on
		p.Review = newReviewPart(v.Review)
		p.Decide = newDecide(r, v.Decide)
		p.Decide.review(v.Review)
		p.Verdict.Decide = p.Decide.anchor()
	}
	for _, c := range r.Trust {
		p.Trust = append(p.Trust, newTrust(c))
	}
	p.Imported = importedWords(&r.Head)
	if len(r.Head.Versions) > 1 {
		for _, version := range r.Head.Versions {
			p.Versions = append(p.Versions, versionPart{
				Version: version.Version, At: newStamp(&version.At, clockFormat),
				Hash: shortHash(version.PlanHash), Current: version.Version == r.Head.Version,
			})
		}
	}
	if r.Head.Look == 0 {
		return p, nil
	}
	if p.Segment = newSegment(r, v.Choice, links); p.Segment != nil {
		p.Decide = nil
		err := p.addSegment(r, v.Choice, links)
		return p, err
	}
	if err := p.addRows(r, v.Choice, links); err != nil {
		return p, err
	}
	p.addFiles(v.Charts, links)
	marks, may, brief := commentMarks(&v), v.Comment != "", p.Definitions != nil
	p.Comments = newComments(&v, links, brief)
	p.Harm.mark(r.Guardrails, marks, links, may, brief)
	p.Primary.mark(r.Primary, marks, links, may, brief)
	p.Secondary.mark(r.Secondary, marks, links, may, brief)
	return p, nil
}

// elsewhere lists the forms in which the same report can be had.
func elsewhere(v *ReportView, links linker) []viewLink {
	var out []viewLink
	add := func(text, address, more string) {
		if address == "" {
			return
		}
		to := links.export(address)
		if more != "" {
			to += map[bool]string{true: "&", false: "?"}[strings.Contains(to, "?")] + more
		}
		out = append(out, viewLink{Text: text, URL: to})
	}
	add("JSON", v.JSON, "")
	add("CSV", v.CSV, "")
	add("Notebook", v.Notebook, "")
	for _, format := range []string{"csv", "ndjson", "parquet"} {
		add("Outcomes, "+format, v.Outcomes, "format="+format)
	}
	return out
}

// addFiles offers the charts of the page as files.
func (p *reportPage) addFiles(base string, links linker) {
	p.Harm.File, p.Primary.File, p.Secondary.File = links.download(base, ChartHarm), links.download(base, ChartPrimary), links.download(base, ChartSecondary)
	p.Funnel.File = links.download(base, ChartLooks)
	if p.Values != nil && p.Values.SVG != "" {
		p.Values.File = links.download(base, ChartValues)
	}
	if p.Where != nil && len(p.Where.Rows) > 0 {
		p.Where.File = links.download(base, ChartWhere)
	}
}

// addRows adds the parts that need a look.
func (p *reportPage) addRows(r *report.Report, choice Choice, links linker) error {
	withheld := r.Verdict.State == report.VerdictUntrustworthy
	several := len(r.Head.Arms) > 2
	detail := newDetail(len(r.Guardrails) + len(r.Primary) + len(r.Secondary))
	var err error
	for _, b := range []struct {
		to   *board
		rows []report.Row
	}{{&p.Harm, r.Guardrails}, {&p.Primary, r.Primary}, {&p.Secondary, r.Secondary}} {
		*b.to, err = newBoard(boardInput{Rows: b.rows, Links: links, Several: several, Withheld: withheld, Detail: detail})
		if err != nil {
			return err
		}
	}
	for _, b := range []*board{&p.Harm, &p.Primary, &p.Secondary} {
		if len(b.Rows) > 0 {
			b.Legend = true
			break
		}
	}
	if hasPlanned(r.Primary) {
		p.Primary.Legend, p.Primary.Planned = true, true
	}
	if detail.shared {
		p.Definitions = newDefinitions(r)
	}
	if p.Funnel, err = newFunnel(r, choice, links, detail.looks); err != nil {
		return err
	}
	if p.Values, err = newValues(r, choice, links); err != nil {
		return err
	}
	p.Startup, p.Stalls = newStartup(r), newStalls(r)
	p.Robust, p.Influences = newRobust(r), r.Interference
	p.Where, err = newWhere(r, choice, links, detail.segments)
	return err
}

// newHead prepares the head.
func newHead(h *report.Head) headPart {
	p := headPart{
		Key: h.Key, Name: h.Name, Hypothesis: h.Hypothesis, Owner: h.Owner,
		Status: statusWord(h.Status), Design: designWord(h.Design), Unit: string(h.Unit),
		Started: newStamp(h.StartedAt, dayFormat), Stopped: newStamp(h.StoppedAt, dayFormat),
	}
	for _, a := range h.Arms {
		arm := armPart{Label: a.Label(), Key: a.Key, Share: share(a.Share), Exposed: count(a.Exposed)}
		if a.Imported > 0 {
			arm.Imported = count(a.Imported)
		}
		if a.Dropped {
			arm.Share += ", dropped"
		}
		if a.Crossed > 0 || a.Overridden > 0 {
			arm.Excluded = fmt.Sprintf("%s seen in two arms, %s forced; left out", count(a.Crossed), count(a.Overridden))
		}
		p.Arms = append(p.Arms, arm)
	}
	return p
}

// newReplay prepares the way through the looks; nil before the second one.
func newReplay(h *report.Head, latest int, links linker) *replayPart {
	if latest < 2 {
		return nil
	}
	p := &replayPart{
		Past: h.Look != latest, Look: h.Look, Latest: latest,
		At: newStamp(h.At, clockFormat), Hidden: links.kept(ParamLook),
	}
	if h.Look > 1 {
		p.Prev = links.at(h.Look - 1)
	}
	if h.Look < latest {
		p.Next, p.Live = links.at(h.Look+1), links.at(0)
	}
	return p
}

// newTrust prepares one check. What is broken stands open.
func newTrust(c report.Check) trustPart {
	detail := c.Detail
	if c.Words != "" { // it says what Detail says, and what that means
		detail = c.Words + "."
	}
	return trustPart{
		Title: c.Title, State: checkWording(c.State), Statistic: tight(c.Statistic), Threshold: tight(c.Threshold),
		Detail: tight(detail), Fix: c.Fix, FirstTripped: c.FirstTripped, Open: c.State == report.CheckFail,
	}
}

// importedWords says what imported units mean for trust: nobody here drew their arms or
// saw what they did. It is empty when there is none.
func importedWords(h *report.Head) string {
	var imported int64
	var arms []string
	for _, a := range h.Arms {
		imported += a.Imported
		if a.Imported > 0 {
			arms = append(arms, count(a.Imported)+" of "+count(a.Exposed)+" in "+a.Label())
		}
	}
	if imported == 0 {
		return ""
	}
	return plural(imported, "unit was imported: ", "units were imported: ") + strings.Join(arms, ", ") +
		". Their arms were drawn elsewhere and their numbers measured elsewhere. The split is checked against the weights of the plan, as for all units;" +
		" loss, delay and contradictions of telemetry are not seen for them, none is suspected to be a program, and they have no past but one that was imported. Trust them as far as you trust their source."
}

// shortHash returns the part of a hash that people compare.
func shortHash(h string) string { return h[:min(len(h), 12)] }
