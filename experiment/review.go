package experiment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// MaxNoteBytes bounds what is written to a reviewer, and what a reviewer answers.
const MaxNoteBytes = 2_000

// ReviewAction is what a review is about.
type ReviewAction string

// The actions that can need a second person.
const (
	ReviewLaunch  ReviewAction = "launch"  // the draft as it is stored runs, at once or when its schedule says
	ReviewChange  ReviewAction = "change"  // the experiment becomes what a document says
	ReviewShip    ReviewAction = "ship"    // one arm is served to everybody
	ReviewRestart ReviewAction = "restart" // every unit is drawn again
)

// ReviewState is how far a review is.
type ReviewState string

// The states. Waiting and approved reviews are open: of an experiment there is one
// at most.
const (
	ReviewWaiting  ReviewState = "waiting"
	ReviewApproved ReviewState = "approved"
	ReviewRefused  ReviewState = "changes_requested"
	ReviewVoided   ReviewState = "voided" // what was asked about is not what is stored any more
	ReviewDone     ReviewState = "done"   // what was approved was published
)

// Open reports whether the review may still lead to something.
func (s ReviewState) Open() bool { return s == ReviewWaiting || s == ReviewApproved }

// Proposal is what somebody wants to be published.
type Proposal struct {
	Action ReviewAction `json:"action"`
	Arm    string       `json:"arm,omitempty"`  // that ships
	Spec   *Spec        `json:"spec,omitempty"` // of a change
}

// Validate returns every fault of the proposal as Errors of CodeInvalid, or nil.
func (p *Proposal) Validate() error {
	var f faultList
	switch p.Action {
	case ReviewLaunch, ReviewChange, ReviewShip, ReviewRestart:
	default:
		f.addf("action", "must be launch, change, ship or restart")
	}
	if (p.Action == ReviewShip) != (p.Arm != "") {
		f.addf("arm", "must name the arm that ships, and is for action ship alone")
	}
	if (p.Action == ReviewChange) != (p.Spec != nil) {
		f.addf("experiment", "must say what the experiment shall be, and is for action change alone")
	}
	return f.err()
}

// NeedsReview reports whether going from cur, which is nil for a new experiment, to
// next is what a second person sees first where launches are reviewed: whatever
// lets treatment begin, grow or change, and how it is judged. Drafts, words,
// pausing and resuming what runs, stopping, dropping an arm, taking a shipped one
// back, giving traffic up, and steps of a schedule that was seen are not.
func NeedsReview(cur, next *Experiment) bool {
	if !inForce(next) {
		return false
	}
	if !inForce(cur) {
		return true
	}
	alike := next.Spec
	alike.Name, alike.Hypothesis, alike.Owner, alike.Change = cur.Name, cur.Hypothesis, cur.Owner, cur.Change
	stops := next.Status == StatusStopped && next.ShippedArm == ""
	resumes := cur.Status == StatusPaused && next.Status == StatusRunning
	pauses := cur.Status == StatusRunning && next.Status == StatusPaused
	if stops || resumes || pauses {
		alike.Status, alike.OnPause = cur.Status, cur.OnPause
	}
	if next.StopAt != nil && (cur.StopAt == nil || !next.StopAt.After(*cur.StopAt)) {
		alike.StopAt = cur.StopAt
	}
	if len(next.Ramp) == 0 && next.Slots <= cur.TargetSlots() {
		alike.Slots, alike.Ramp = cur.Slots, cur.Ramp
	}
	alike.Arms = slices.Clone(next.Arms)
	for i := range min(len(alike.Arms), len(cur.Arms)) {
		alike.Arms[i].Name = cur.Arms[i].Name
		if alike.Arms[i].Dropped {
			alike.Arms[i].Dropped = cur.Arms[i].Dropped
		}
	}
	ships := next.ShippedArm != "" && next.ShippedArm != cur.ShippedArm
	return ships || next.Salt != cur.Salt || !reflect.DeepEqual(canonical(cur.Spec), canonical(alike))
}

// ReviewDigest returns the SHA-256, in hex, over the canonical JSON of what is
// stored and what would be published instead: specs with their plans, the shipped
// arms, and whether units are drawn again. Salts are not in it, as one that is to
// come is not known.
func ReviewDigest(cur, next *Experiment) string {
	type side struct {
		Spec       Spec   `json:"spec"`
		ShippedArm string `json:"shipped_arm"`
	}
	of := struct {
		From  *side `json:"from"`
		To    side  `json:"to"`
		Drawn bool  `json:"drawn_again"`
	}{To: side{next.Spec, next.ShippedArm}}
	if cur != nil {
		of.From, of.Drawn = &side{cur.Spec, cur.ShippedArm}, cur.Salt != next.Salt
	}
	b, err := json.Marshal(canonical(of))
	if err != nil {
		panic(fmt.Sprintf("what was read from JSON does not marshal: %v", err)) // a mistake of ours
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// SameReviewed reports whether an approval that was given while a was stored is one
// while b is.
func SameReviewed(a, b *Experiment) bool {
	return a.ShippedArm == b.ShippedArm && a.Salt == b.Salt && reflect.DeepEqual(canonical(a.Spec), canonical(b.Spec))
}

// canonical returns the JSON of v as maps and lists, in which the order of members
// and the space between them do not count; numbers keep their digits.
func canonical(v any) any {
	dec := json.NewDecoder(bytes.NewReader(mustMarshal(v)))
	dec.UseNumber()
	var out any
	if err := dec.Decode(&out); err != nil {
		panic(fmt.Sprintf("JSON of ours does not read: %v", err)) // a mistake of ours
	}
	return out
}

// Review is one time that a second person was asked, and what came of it.
type Review struct {
	ID         int64  `json:"id"`
	Experiment string `json:"experiment"`
	Proposal
	// Digest is that of ReviewDigest: an approval is of this and nothing else.
	Digest   string      `json:"digest"`
	Changes  []Change    `json:"changes"` // against what is stored
	Target   Spec        `json:"target"`  // what the experiment becomes
	State    ReviewState `json:"state"`
	Note     string      `json:"note,omitempty"`     // to the reviewer
	Reviewer string      `json:"reviewer,omitempty"` // who is asked; anybody else may answer, too
	AskedAt  time.Time   `json:"asked_at"`
	AskedBy  string      `json:"asked_by"` // the person
	// Author is who edited the draft last, if that is known and a launch is asked for.
	Author    string     `json:"author,omitempty"`
	DecidedAt *time.Time `json:"decided_at,omitempty"`
	DecidedBy string     `json:"decided_by,omitempty"`
	Comment   string     `json:"comment,omitempty"` // of who decided
	ClosedAt  *time.Time `json:"closed_at,omitempty"`
}

// SamePerson reports whether two names are those of one person. Capitals and space
// around make no other person.
func SamePerson(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// keyActor begins the name under which a key acts.
const keyActor = "key:"

// KeyActor returns the name under which a key acts.
func KeyActor(key string) string { return keyActor + key }

// PersonOf returns the person that an actor's name is that of; empty for keys.
func PersonOf(actor string) string {
	if strings.HasPrefix(actor, keyActor) {
		return ""
	}
	return actor
}

// Refusal returns why a person may not decide the review; nil: they may. Its codes
// are CodeConflict for a review that is not waiting, and CodeForbidden.
func (r *Review) Refusal(person string) *Error {
	switch {
	case r.State != ReviewWaiting:
		return Errorf(CodeConflict, "id", "this review is not waiting any more: it is %s", r.State.word())
	case person == "":
		return Errorf(CodeForbidden, "", "a review needs a person: sign in, or use an API key that a person made")
	case SamePerson(person, r.AskedBy):
		return Errorf(CodeForbidden, "", "%s asked for this review; it takes another person", r.AskedBy)
	case r.Author != "" && SamePerson(person, r.Author):
		return Errorf(CodeForbidden, "", "%s edited this draft last; it takes another person", r.Author)
	}
	return nil
}

func (s ReviewState) word() string { return strings.ReplaceAll(string(s), "_", " ") }

// ApprovalRequired is the Error of CodeApprovalRequired of a change of an
// experiment that nobody approved. open is its open review; nil: there is none.
func ApprovalRequired(cur, next *Experiment, open *Review) *Error {
	missing := "ask for a review first"
	switch {
	case cur == nil:
		missing = "store it as a draft and ask for a review first"
	case open != nil && open.State == ReviewWaiting:
		missing = fmt.Sprintf("review %d of %s is still waiting for another person", open.ID, open.AskedBy)
	case open != nil:
		missing = fmt.Sprintf("review %d approved something else; ask for another one", open.ID)
	}
	return Errorf(CodeApprovalRequired, "status", "launches need a second person here, and nobody has approved this of %s: %s", next.Key, missing)
}
