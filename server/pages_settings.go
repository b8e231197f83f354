package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

const pathSettings = "/settings"

func (s *Server) settingsRoutes(r chi.Router) {
	r.Get(pathSettings, func(w http.ResponseWriter, r *http.Request) {
		s.showSettings(w, r, http.StatusOK, web.SettingsView{})
	})
	r.Post(pathSettings+"/"+web.SettingsKeys, s.settingsForm(web.SettingsKeys, s.makeKey))
	r.Post(pathSettings+"/"+web.SettingsKeys+"/{id}/revoke", s.settingsForm(web.SettingsKeys, s.revokeKey))
	r.Post(pathSettings+"/"+web.SettingsPeople, s.settingsForm(web.SettingsPeople, s.invite))
	r.Post(pathSettings+"/"+web.SettingsPeople+"/signout", s.settingsForm(web.SettingsPeople, s.signOutPerson))
	r.Post(pathSettings+"/"+web.SettingsReviews, s.settingsForm(web.SettingsReviews, s.setReviews))
	r.Post(pathSettings+"/"+web.SettingsFreezes, s.settingsForm(web.SettingsFreezes, s.keepFreeze))
	r.Post(pathSettings+"/"+web.SettingsLists, s.settingsForm(web.SettingsLists, s.keepList))
	r.Post(pathSettings+"/"+web.SettingsLists+"/{key}/remove", s.settingsForm(web.SettingsLists, s.removeList))
}

// settingsForm is a form of the page: it does what do does, and leads back to
// the section, or shows the page with what is wrong with the form. What was made
// and must be shown once is shown in the answer itself, which is not stored.
func (s *Server) settingsForm(section string, do func(*http.Request, string) (web.SettingsView, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
		if err := r.ParseForm(); err != nil {
			s.problemPage(w, r, formFault(err))
			return
		}
		view, err := do(r, s.web.GetString(r.Context(), sessionUser))
		faults := experiment.Faults(err)
		switch {
		case len(faults) > 0:
			view.Rejected = &web.SettingsFault{Section: section, Faults: faults, Form: r.PostForm}
			s.showSettings(w, r, statusOf(faults[0].Code), view)
		case err != nil:
			s.problemPage(w, r, err)
		case view.MadeKey != nil || view.Invited != nil:
			s.showSettings(w, r, http.StatusOK, view)
		default:
			http.Redirect(w, r, pathSettings+"#"+section, http.StatusSeeOther)
		}
	}
}

// showSettings fills the view and shows it.
func (s *Server) showSettings(w http.ResponseWriter, r *http.Request, status int, view web.SettingsView) {
	view.Chrome, view.Base, view.Now = s.chrome(r), pathSettings, s.now().UTC()
	if err := s.fillSettings(r.Context(), &view); err != nil {
		s.problemPage(w, r, err)
		return
	}
	s.page(w, r, status, func(b *bytes.Buffer) error { return s.pages.Settings(b, view) })
}

func (s *Server) fillSettings(ctx context.Context, view *web.SettingsView) error {
	keys, err := s.db.Keys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		view.Keys = append(view.Keys, web.SettingsKey{ID: k.ID, Name: k.Name, Scopes: k.Scopes, Public: k.Public, Owner: k.Owner, CreatedAt: k.CreatedAt})
	}
	people, err := s.people(ctx)
	if err != nil {
		return err
	}
	for _, p := range people {
		view.People = append(view.People, web.SettingsPerson(p))
	}
	set, err := s.db.Settings(ctx)
	if err != nil {
		return err
	}
	view.Reviewed = set.ReviewLaunches
	if view.Freezes, err = s.db.Freezes(ctx, view.Now); err != nil {
		return err
	}
	lists, err := s.db.Lists(ctx)
	if err != nil {
		return err
	}
	for _, l := range lists {
		row := web.SettingsList{Key: l.Key, Unit: l.Unit, Count: l.Count, ChangedAt: l.ChangedAt}
		for _, key := range l.UsedBy {
			row.UsedBy = append(row.UsedBy, web.Link{Text: key, URL: pathExperiments + "/" + key})
		}
		view.Lists = append(view.Lists, row)
	}
	last, err := s.db.LastRetained(ctx)
	if err != nil {
		return err
	}
	view.Kept = settingsKept(s.retention, last)
	view.About = []web.SettingsAbout{
		{Name: "Version", Value: s.version},
		{Name: "API", Value: apiPath + "/openapi.json", URL: apiPath + "/openapi.json"},
		{Name: "Metrics for Prometheus", Value: "/metrics", URL: "/metrics"},
		{Name: "Telemetry", Value: pathTelemetry, URL: pathTelemetry},
	}
	if snapshot := s.live.Snapshot(); snapshot != nil {
		view.About = append(view.About, web.SettingsAbout{Name: "Configuration in force", Value: "version " + strconv.FormatInt(snapshot.Version(), 10)})
	}
	return nil
}

// Retention is how long the job keeps facts: of days that are past no experiment
// needs them.
type Retention struct {
	Days      int  // age from which they go; 0: they stay
	Elsewhere bool // another process runs the job, and knows
}

// settingsKept says how long what is stored is kept. last is what was dropped last,
// by whatever process.
func settingsKept(r Retention, last *postgres.LastRetained) []web.SettingsKept {
	facts, outcomes := "for ever; the job drops them from an age of --retain-days", "for ever; the job drops them with --retain-days"
	switch {
	case r.Elsewhere:
		facts = "as the process with the job says, by --retain-days"
		outcomes = facts
	case r.Days > 0:
		facts = days(time.Duration(r.Days)*24*time.Hour) + ", and as long as an open window needs them"
		outcomes = "until " + days(time.Duration(r.Days)*24*time.Hour) + " after their experiment has ended"
	}
	if last != nil {
		facts += fmt.Sprintf("; last dropped on %s, from an age of %d days", last.At.UTC().Format("2 January 2006"), last.Days)
	}
	return append([]web.SettingsKept{
		{What: "Exposures, sessions, looks, reports, conclusions, comments, audit log", HowLong: "for ever; what was looked at is never changed"},
		{What: "Records of players (CMCD) and business events", HowLong: facts},
		{What: "Outcomes of single units", HowLong: outcomes},
	}, settingsLives...)
}

// settingsLives are what is kept for a time that nobody sets.
var settingsLives = []web.SettingsKept{
	{What: "Counts of records by the minute", HowLong: days(postgres.IngestKept)},
	{What: "Drafts of the launch form", HowLong: days(postgres.LaunchDraftLife)},
	{What: "Signed links to frozen reports", HowLong: "as they say, at most " + days(postgres.MaxShareLife)},
	{What: "Sign-ins", HowLong: days(sessionLife)},
	{What: "Sign-in links", HowLong: strconv.Itoa(int(postgres.LoginLinkLife.Minutes())) + " minutes, once"},
	{What: "Stops of telemetry sessions", HowLong: days(postgres.StopLife)},
}

// days words a life of whole days.
func days(d time.Duration) string { return strconv.Itoa(int(d.Hours()/24)) + " days" }

func (s *Server) makeKey(r *http.Request, who string) (web.SettingsView, error) {
	in := &keyInput{}
	in.Body.Name, in.Body.Public = r.PostForm.Get(web.SettingsFieldName), r.PostForm.Get(web.SettingsFieldPublic) != ""
	for _, scope := range r.PostForm[web.SettingsFieldScope] {
		in.Body.Scopes = append(in.Body.Scopes, experiment.Scope(scope))
	}
	made, err := s.createKey(r.Context(), who, in)
	if err != nil {
		return web.SettingsView{}, err
	}
	return web.SettingsView{MadeKey: &web.SettingsSecret{Name: made.Body.Name, Secret: made.Body.Secret}}, nil
}

func (s *Server) revokeKey(r *http.Request, who string) (web.SettingsView, error) {
	id, err := strconv.ParseInt(chi.URLParam(r, "id"), 10, 64)
	if err != nil {
		return web.SettingsView{}, experiment.Invalidf("id", "must be the number of a key")
	}
	if err := s.db.RevokeKey(r.Context(), id, who, s.now()); err != nil {
		return web.SettingsView{}, err
	}
	return web.SettingsView{}, s.live.Refresh(r.Context()) // a revoked key must stop working at once, here
}

// invite makes a link that signs somebody in once.
func (s *Server) invite(r *http.Request, who string) (web.SettingsView, error) {
	name := r.PostForm.Get(web.SettingsFieldName)
	if name == "" || len(name) > experiment.MaxNameBytes {
		return web.SettingsView{}, experiment.Invalidf(web.SettingsFieldName, "must be 1 to %d bytes", experiment.MaxNameBytes)
	}
	path, err := s.invitation(r.Context(), who, name)
	if err != nil {
		return web.SettingsView{}, err
	}
	return web.SettingsView{Invited: &web.SettingsInvite{Name: name, URL: s.address(r) + path, LifeSec: int64(postgres.LoginLinkLife.Seconds())}}, nil
}

// signOutPerson ends the sessions of somebody, who may be the reader.
func (s *Server) signOutPerson(r *http.Request, who string) (web.SettingsView, error) {
	_, err := s.endSessions(r.Context(), who, r.PostForm.Get(web.SettingsFieldName))
	return web.SettingsView{}, err
}

// setReviews says whether launches need a second person.
func (s *Server) setReviews(r *http.Request, who string) (web.SettingsView, error) {
	to := r.PostForm.Get(web.SettingsFieldReview)
	if to != "yes" && to != "no" {
		return web.SettingsView{}, experiment.Invalidf(web.SettingsFieldReview, "must be yes or no")
	}
	_, err := s.db.ChangeSettings(r.Context(), postgres.Settings{ReviewLaunches: to == "yes"}, s.applyOptions(r.Context(), who))
	return web.SettingsView{}, err
}

func (s *Server) keepFreeze(r *http.Request, who string) (web.SettingsView, error) {
	z := experiment.Freeze{Key: r.PostForm.Get(web.SettingsFieldKey), Reason: r.PostForm.Get(web.SettingsFieldReason)}
	for field, into := range map[string]*time.Time{web.SettingsFieldFrom: &z.From, web.SettingsFieldTo: &z.To} {
		at, err := time.Parse(web.SettingsTimeLayout, r.PostForm.Get(field))
		if err != nil {
			return web.SettingsView{}, experiment.Invalidf(field, "must be a time such as %s", web.SettingsTimeLayout)
		}
		*into = at
	}
	return web.SettingsView{}, s.applySettings(r, who, experiment.Document{Freezes: []experiment.Freeze{z}})
}

func (s *Server) keepList(r *http.Request, who string) (web.SettingsView, error) {
	ids, err := experiment.ParseIDSet(r.PostForm.Get(web.SettingsFieldIDs))
	if err != nil {
		return web.SettingsView{}, err
	}
	list := experiment.List{Key: r.PostForm.Get(web.SettingsFieldKey), Unit: experiment.UnitType(r.PostForm.Get(web.SettingsFieldUnit)), IDs: ids}
	return web.SettingsView{}, s.applySettings(r, who, experiment.Document{Lists: []experiment.List{list}})
}

func (s *Server) removeList(r *http.Request, who string) (web.SettingsView, error) {
	key, err := url.PathUnescape(chi.URLParam(r, "key"))
	if err != nil {
		return web.SettingsView{}, experiment.Invalidf("key", "must be the key of a list")
	}
	if err := s.db.RemoveList(r.Context(), key, s.applyOptions(r.Context(), who)); err != nil {
		return web.SettingsView{}, err
	}
	s.published(r.Context())
	return web.SettingsView{}, nil
}

// applySettings applies a document as `splitcast apply` would.
func (s *Server) applySettings(r *http.Request, who string, doc experiment.Document) error {
	if _, err := s.db.ApplyDocument(r.Context(), doc, s.applyOptions(r.Context(), who)); err != nil {
		return err
	}
	s.published(r.Context())
	return nil
}
