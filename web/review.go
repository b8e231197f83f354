package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/metrics"
)

// ReviewView is the second person that an experiment needs, where launches need one.
type ReviewView struct {
	Base    string              // address that asks; reviews are below it, by their number
	Reviews []experiment.Review // of the experiment, newest first
	Person  string              // who reads
	Metrics []metrics.Definition
}

// The fields of the forms of reviews.
const (
	ParamReviewer = "reviewer"
	ParamDecision = "decision"
	ParamComment  = "comment"
	ParamNote     = "note" // of the wizard
)

// The values of ParamDecision.
const (
	DecisionApprove = "approve"
	DecisionRefuse  = "changes"
	DecisionPublish = "publish"
)

// reviewPart is the newest review, with what the reader can do about it.
type reviewPart struct {
	Title, Who, Note string
	State            wording
	At               stamp
	Facts            [][2]string    // what will be, once it is published
	Changes          []reviewChange // against what runs
	Answer           *reviewAnswer
	Action           string // address of the forms
	Decides          bool   // the reader may
	Cannot           string // why they may not; empty: it is not waiting
	Publish          string // words of the button; empty: it is not approved
	Digest           string
	Past             []reviewPast
}

// reviewChange is one difference.
type reviewChange struct{ What, From, To string }

// reviewAnswer is what the second person said.
type reviewAnswer struct {
	By, Did, Comment string
	At               stamp
}

// reviewPast is a review that is over.
type reviewPast struct {
	Text string
	At   stamp
}

// maxReviewsShown bounds the past reviews of a page; the audit log has all.
const maxReviewsShown = 5

// latest returns the newest review.
func (v *ReviewView) latest() *experiment.Review {
	if v == nil || len(v.Reviews) == 0 {
		return nil
	}
	return &v.Reviews[0]
}

// asked reports whether a review of an action is open.
func (v *ReviewView) asked(action experiment.ReviewAction) bool {
	r := v.latest()
	return r != nil && r.State.Open() && r.Action == action
}

// newReviewPart prepares the newest review; nil: there was none.
func newReviewPart(v *ReviewView) *reviewPart {
	r := v.latest()
	if r == nil {
		return nil
	}
	p := &reviewPart{
		Title: reviewTitle(r), State: reviewWording(r.State), Note: r.Note, At: newStamp(&r.AskedAt, clockFormat),
		Action: v.Base + "/" + strconv.FormatInt(r.ID, 10), Digest: shortHash(r.Digest),
	}
	p.Who = r.AskedBy + " asked " + cmp.Or(r.Reviewer, "any other person") + " to approve this"
	if r.State.Open() || r.State == experiment.ReviewRefused {
		p.Facts = reviewFacts(r, metricNames(v.Metrics))
		if r.Action == experiment.ReviewChange {
			p.Changes = reviewChanges(r.Changes)
		}
	}
	if r.DecidedAt != nil {
		p.Answer = &reviewAnswer{By: r.DecidedBy, Did: "approved it", Comment: r.Comment, At: newStamp(r.DecidedAt, clockFormat)}
		if r.State == experiment.ReviewRefused {
			p.Answer.Did = "requested changes"
		}
	}
	switch r.State {
	case experiment.ReviewWaiting:
		refusal := r.Refusal(v.Person)
		p.Decides = refusal == nil
		if refusal != nil {
			p.Cannot = strings.ToUpper(refusal.Message[:1]) + refusal.Message[1:] + "."
		}
	case experiment.ReviewApproved:
		p.Publish = publishWord(r)
	default:
	}
	for i := range v.Reviews[1:min(len(v.Reviews), maxReviewsShown+1)] {
		past := &v.Reviews[i+1]
		text := fmt.Sprintf("%s, asked by %s: %s", reviewTitle(past), past.AskedBy, strings.ToLower(reviewWording(past.State).Word))
		if past.DecidedBy != "" {
			text += " (" + past.DecidedBy + ")"
		}
		p.Past = append(p.Past, reviewPast{text, newStamp(&past.AskedAt, clockFormat)})
	}
	return p
}

// reviewTitle says what a review is about.
func reviewTitle(r *experiment.Review) string {
	switch r.Action {
	case experiment.ReviewShip:
		return "Ship " + r.Arm
	case experiment.ReviewRestart:
		return "Restart"
	case experiment.ReviewChange:
		return "Change what runs"
	default:
		return "Launch"
	}
}

// publishWord is what the button of an approved review says.
func publishWord(r *experiment.Review) string {
	switch r.Action {
	case experiment.ReviewShip:
		return "Ship to everyone"
	case experiment.ReviewRestart:
		return "Restart"
	case experiment.ReviewChange:
		return "Publish the change"
	default:
		return "Launch"
	}
}

// reviewWording names a state.
func reviewWording(s experiment.ReviewState) wording {
	switch s {
	case experiment.ReviewWaiting:
		return wording{"waiting for review", "trust"}
	case experiment.ReviewApproved:
		return wording{"approved", "better"}
	case experiment.ReviewRefused:
		return wording{"changes requested", "worse"}
	case experiment.ReviewDone:
		return wording{"approved and published", "calm"}
	default:
		return wording{"void: it was changed, or asked again", "calm"}
	}
}

// reviewFacts lists in words what will be.
func reviewFacts(r *experiment.Review, names func(string) string) [][2]string {
	spec := &r.Target
	var out [][2]string
	add := func(what, text string) { out = append(out, [2]string{what, text}) }
	switch r.Action {
	case experiment.ReviewShip:
		add("Serves", fmt.Sprintf("the arm %s to every %s, whatever the audience and the traffic; who is held out keeps control", r.Arm, spec.Unit))
		if i := spec.ArmIndex(r.Arm); i >= 0 {
			add("Value", string(spec.Arms[i].Value))
		}
		add("Ends", "the experiment; its report stays")
		return out
	case experiment.ReviewRestart:
		add("Draws", fmt.Sprintf("every %s again, as a new version; what was learnt stays under the old one", spec.Unit))
	case experiment.ReviewChange:
		add("Changes", "what the table says; who applies exactly this needs no other approval")
	case experiment.ReviewLaunch:
		starts := "as soon as somebody launches it"
		if spec.StartAt != nil {
			starts = "on " + spec.StartAt.UTC().Format(clockFormat) + " by itself, if it is approved by then, else upon the approval"
		}
		add("Starts", starts)
	}
	if spec.StopAt != nil {
		add("Stops", "on "+spec.StopAt.UTC().Format(clockFormat)+" by itself")
	}
	for i := range spec.Arms {
		add(armTitle(spec, i), fmt.Sprintf("weight %s, value %s", count(spec.Arms[i].Weight), spec.Arms[i].Value))
	}
	out = append(out, launchFacts(spec, names)...)
	if spec.Audience == nil {
		add("Audience", "every "+string(spec.Unit))
	} else {
		add("Audience", audienceWords(spec.Audience))
	}
	for _, q := range spec.Requires {
		add("Requires", q.Experiment+": "+strings.Join(q.Arms, " or "))
	}
	if spec.IgnoreHoldouts != "" {
		add("Holdouts", "ignored: "+spec.IgnoreHoldouts)
	}
	if n := len(spec.Overrides); n > 0 {
		add("Forced", plural(n, "unit has its arm", "units have their arm")+" by hand, and are never analysed")
	}
	return out
}

func armTitle(spec *experiment.Spec, i int) string {
	title := "Arm " + cmp.Or(spec.Arms[i].Name, spec.Arms[i].Key)
	if i == 0 {
		title += ", control"
	}
	if spec.Arms[i].Dropped {
		title += ", dropped"
	}
	return title
}

// audienceWords says an audience in a line.
func audienceWords(a *experiment.Audience) string {
	join := func(parts []experiment.Audience, word string) string {
		texts := make([]string, len(parts))
		for i := range parts {
			texts[i] = audienceWords(&parts[i])
		}
		if len(texts) == 1 {
			return texts[0]
		}
		return "(" + strings.Join(texts, " "+word+" ") + ")"
	}
	switch {
	case len(a.All) > 0:
		return join(a.All, "and")
	case len(a.Any) > 0:
		return join(a.Any, "or")
	case a.Not != nil:
		return "not " + audienceWords(a.Not)
	}
	op := strings.ReplaceAll(string(a.Op), "_", " ")
	if i := slices.IndexFunc(launchOps, func(o launchOp) bool { return o.op == a.Op }); i >= 0 {
		op = launchOps[i].text
	}
	values := make([]string, len(a.Values))
	for i, v := range a.Values {
		values[i] = fmt.Sprint(v.V)
	}
	if !a.Value.IsZero() {
		values = []string{fmt.Sprint(a.Value.V)}
	}
	if a.List != "" {
		values = []string{a.List}
	}
	return strings.Join(slices.DeleteFunc([]string{cmp.Or(a.Attr, "the unit"), op, strings.Join(values, ", ")}, func(s string) bool { return s == "" }), " ")
}

// reviewChanges lists differences for a person.
func reviewChanges(changes []experiment.Change) []reviewChange {
	text := func(v json.RawMessage) string {
		var s string
		switch {
		case len(v) == 0:
			return "–"
		case json.Unmarshal(v, &s) == nil:
			return s
		}
		return string(v)
	}
	out := make([]reviewChange, len(changes))
	for i, c := range changes {
		out[i] = reviewChange{changeWords(c.Path), text(c.From), text(c.To)}
	}
	return out
}

// changeWords says which part of an experiment a path names.
func changeWords(path string) string {
	if path == "slots" {
		return "Slots, of 10,000"
	}
	words := strings.NewReplacer("plan.", "plan: ", "audience.", "audience: ", "_", " ", ".", " ").Replace(path)
	return strings.ToUpper(words[:1]) + words[1:]
}
