package web

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/experiment"
)

// SettingsView is what an installation is set to.
type SettingsView struct {
	Chrome
	Base     string // path of this page; the forms post to places below it
	Keys     []SettingsKey
	Freezes  []experiment.Freeze
	Lists    []SettingsList
	Kept     []SettingsKept
	About    []SettingsAbout
	Now      time.Time
	MadeKey  *SettingsSecret // just made: its secret is shown this once
	Invited  *SettingsInvite // just made likewise
	Rejected *SettingsFault  // a form that was not accepted
	Reviewed bool            // launches need a second person
	People   []SettingsPerson
}

// SettingsPerson is somebody who is signed in.
type SettingsPerson struct {
	Name     string
	Sessions int
	LastAt   time.Time
}

// SettingsKey is an API key in use.
type SettingsKey struct {
	ID        int64
	Name      string
	Scopes    []experiment.Scope
	Public    bool
	Owner     string // the person who made it; empty: not known
	CreatedAt time.Time
}

// SettingsSecret is an API key that was just made.
type SettingsSecret struct{ Name, Secret string }

// SettingsInvite is a link that signs somebody in once.
type SettingsInvite struct {
	Name, URL string
	LifeSec   int64
}

// SettingsList is a named set of ids.
type SettingsList struct {
	Key       string
	Unit      experiment.UnitType
	Count     int
	ChangedAt time.Time
	UsedBy    []Link // experiments
}

// SettingsKept says how long something is kept.
type SettingsKept struct{ What, HowLong string }

// SettingsAbout is a fact about the installation.
type SettingsAbout struct{ Name, Value, URL string }

// SettingsFault is a form that was not accepted, as it was sent.
type SettingsFault struct {
	Section string // one of the Settings… constants
	Faults  experiment.Errors
	Form    url.Values
}

// The sections of the page, which are also where their forms post to.
const (
	SettingsKeys    = "keys"
	SettingsPeople  = "people"
	SettingsReviews = "reviews"
	SettingsFreezes = "freezes"
	SettingsLists   = "lists"
)

// The fields of the forms.
const (
	SettingsFieldName   = "name"
	SettingsFieldScope  = "scope"
	SettingsFieldPublic = "public"
	SettingsFieldKey    = "key"
	SettingsFieldFrom   = "from"
	SettingsFieldTo     = "to"
	SettingsFieldReason = "reason"
	SettingsFieldUnit   = "unit"
	SettingsFieldIDs    = "ids"
	SettingsFieldReview = "review_launches"
)

// SettingsTimeLayout is how the forms write times, which are in UTC.
const SettingsTimeLayout = "2006-01-02T15:04"

// settingsScopes say what the scopes of a key allow.
var settingsScopes = []struct {
	scope   experiment.Scope
	meaning string
}{
	{experiment.ScopeEvaluate, "ask for arms, one unit at a time; may be public"},
	{experiment.ScopeIngest, "send telemetry and exposures; may be public"},
	{experiment.ScopeConfig, "read the whole configuration, to evaluate in a service"},
	{experiment.ScopeRead, "read experiments and reports"},
	{experiment.ScopeWrite, "change experiments"},
	{experiment.ScopeAdmin, "everything, keys too"},
}

// settingsPage is the view ready for the template.
type settingsPage struct {
	Chrome
	Base     string
	Keys     []settingsKey
	MadeKey  *SettingsSecret
	Invited  *settingsInvite
	Freezes  []settingsFreeze
	Lists    []settingsList
	Kept     []SettingsKept
	About    []SettingsAbout
	Scopes   []settingsScope
	Public   bool
	Units    []option
	Reviewed bool
	People   []settingsPerson
	Rejected SettingsFault
	Errors   []string
}

type settingsKey struct {
	SettingsKey
	Scopes  string
	Created stamp
	Revoke  string // address of the form
}

type settingsPerson struct {
	Name, Browsers string
	Last           stamp
}

type settingsInvite struct {
	SettingsInvite
	Life string
}

type settingsFreeze struct {
	Key, Reason string
	From, To    stamp
	State       wording
}

type settingsList struct {
	SettingsList
	Count   string
	Changed stamp
	Remove  string // address of the form; empty: it is in use
}

type settingsScope struct {
	Value, Meaning string
	Chosen         bool
}

func newSettingsPage(v SettingsView) settingsPage {
	p := settingsPage{Chrome: v.Chrome, Base: v.Base, MadeKey: v.MadeKey, Kept: v.Kept, About: v.About, Reviewed: v.Reviewed}
	if v.Rejected != nil {
		p.Rejected = *v.Rejected
		for _, f := range v.Rejected.Faults {
			p.Errors = append(p.Errors, strings.TrimPrefix(f.Field+": ", ": ")+f.Message)
		}
	}
	if v.Invited != nil {
		p.Invited = &settingsInvite{*v.Invited, span(v.Invited.LifeSec)}
	}
	for _, k := range v.Keys {
		row := settingsKey{SettingsKey: k, Created: newStamp(&k.CreatedAt, dayFormat), Revoke: v.Base + "/" + SettingsKeys + "/" + strconv.FormatInt(k.ID, 10) + "/revoke"}
		for i, scope := range k.Scopes {
			if i > 0 {
				row.Scopes += ", "
			}
			row.Scopes += string(scope)
		}
		p.Keys = append(p.Keys, row)
	}
	for _, person := range v.People {
		p.People = append(p.People, settingsPerson{person.Name, plural(person.Sessions, "browser", "browsers"), newStamp(&person.LastAt, clockFormat)})
	}
	for _, s := range settingsScopes {
		chosen := p.Rejected.Section == SettingsKeys && strings.Contains(" "+strings.Join(p.Rejected.Form[SettingsFieldScope], " ")+" ", " "+string(s.scope)+" ")
		p.Scopes = append(p.Scopes, settingsScope{string(s.scope), s.meaning, chosen})
	}
	p.Public = p.Value(SettingsKeys, SettingsFieldPublic) != ""
	for _, z := range v.Freezes {
		row := settingsFreeze{Key: z.Key, Reason: z.Reason, From: newStamp(&z.From, clockFormat), To: newStamp(&z.To, clockFormat), State: wording{"to come", "calm"}}
		if z.Holds(v.Now) {
			row.State = wording{"in force", "trust"}
		}
		p.Freezes = append(p.Freezes, row)
	}
	for _, l := range v.Lists {
		row := settingsList{SettingsList: l, Count: count(l.Count), Changed: newStamp(&l.ChangedAt, dayFormat)}
		if len(l.UsedBy) == 0 {
			row.Remove = v.Base + "/" + SettingsLists + "/" + url.PathEscape(l.Key) + "/remove"
		}
		p.Lists = append(p.Lists, row)
	}
	unit := p.Value(SettingsLists, SettingsFieldUnit)
	p.Units = []option{{Text: "anything", Selected: unit == ""}}
	for _, u := range []experiment.UnitType{experiment.UnitViewer, experiment.UnitBroadcaster, experiment.UnitDevice, experiment.UnitSession, experiment.UnitBlock} {
		p.Units = append(p.Units, option{Value: string(u), Text: string(u), Selected: unit == string(u)})
	}
	return p
}

// Value returns what stood in a field of the form that was not accepted.
func (p settingsPage) Value(section, field string) string {
	if p.Rejected.Section != section {
		return ""
	}
	return p.Rejected.Form.Get(field)
}

// Faulty reports whether the form of a section was not accepted.
func (p settingsPage) Faulty(section string) bool { return p.Rejected.Section == section }
