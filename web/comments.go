package web

import (
	"slices"
	"strconv"
	"time"

	"github.com/splitcast/splitcast/report"
)

// The fields of the form that comments.
const (
	ParamRow  = "row" // metric and arm, parted by a space
	ParamText = "text"
	// ParamAbout is the row that the page offers to comment, as ParamRow has it.
	ParamAbout = "about"
)

// MaxShownComments bounds the comments on a page, newest first; the API has all.
const MaxShownComments = 40

// CommentView is what somebody said about a row at a look.
type CommentView struct {
	ID            int64
	Version, Look int
	Metric, Arm   string // empty: about the report as a whole
	Author        string
	At            time.Time
	Text          string
}

// commentsPart is the list of comments and the form for another.
type commentsPart struct {
	Action string // empty: the reader may only read
	Look   int
	Rows   []option
	List   []commentPart
	More   int // older ones that are not shown
	// What was sent and not accepted, and why; Error is of no field.
	Text, TextError, Error string
}

// commentPart is one comment.
type commentPart struct {
	ID           int64
	About        string
	Look         string
	LookURL      string // empty: of another version
	Author, Text string
	At           stamp
}

// rowKey names a row in the form.
func rowKey(metric, arm string) string { return metric + " " + arm }

// newComments prepares what was said up to the look that is shown; nil when
// nothing was and nothing can be. A brief page offers those rows that may decide.
func newComments(v *ReportView, links linker, brief bool) *commentsPart {
	r := v.Report
	p := &commentsPart{Action: v.Comment, Look: r.Head.Look}
	if p.Look == 0 {
		return nil
	}
	names := map[string]string{}
	rows := slices.Concat(r.Primary, r.Guardrails, r.Secondary)
	for i := range rows {
		key := rowKey(rows[i].Metric.Key, rows[i].ArmKey)
		if names[key] != "" {
			continue
		}
		names[key] = rows[i].Metric.Name
		if len(r.Head.Arms) > 2 {
			names[key] += ", " + r.Head.Arms[rows[i].Arm].Label()
		}
		if !brief || rows[i].Role != report.RoleSecondary || key == v.Choice.About {
			p.Rows = append(p.Rows, option{Value: key, Text: names[key], Selected: key == v.Choice.About})
		}
	}
	for _, c := range slices.Backward(v.Comments) {
		same := c.Version == r.Head.Version
		if same && c.Look > r.Head.Look {
			continue
		}
		if len(p.List) == MaxShownComments {
			p.More++
			continue
		}
		part := commentPart{ID: c.ID, Look: "look " + count(c.Look), Author: c.Author, Text: c.Text, At: newStamp(&c.At, clockFormat)}
		part.About = names[rowKey(c.Metric, c.Arm)]
		if part.About == "" {
			part.About = c.Metric
		}
		if same {
			part.LookURL = links.at(c.Look)
		} else {
			part.Look += " of version " + count(c.Version)
		}
		p.List = append(p.List, part)
	}
	if p.Action == "" && len(p.List) == 0 {
		return nil
	}
	return p
}

// marks returns for every row how many comments of this version it has, and the id
// of the newest.
func commentMarks(v *ReportView) map[string]commentMark {
	out := map[string]commentMark{}
	for _, c := range v.Comments {
		if c.Version == v.Report.Head.Version && c.Look <= v.Report.Head.Look && c.Metric != "" {
			key := rowKey(c.Metric, c.Arm)
			out[key] = commentMark{Text: plural(out[key].n+1, "comment", "comments"), Newest: "#comment-" + strconv.FormatInt(c.ID, 10), n: out[key].n + 1}
		}
	}
	return out
}

// commentMark leads from a row to what was said about it.
type commentMark struct {
	Text, Newest string
	n            int
}

// mark adds to the rows of a board what was said about them, and where to say more.
func (b *board) mark(rows []report.Row, marks map[string]commentMark, links linker, may, brief bool) {
	for i := range b.Rows {
		key := rowKey(rows[i].Metric.Key, rows[i].ArmKey)
		if m, ok := marks[key]; ok {
			b.Rows[i].Comments = &m
		}
		if may && !brief {
			b.Rows[i].CommentURL = links.about(key)
		}
	}
}
