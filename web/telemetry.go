package web

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/splitcast/splitcast/web/chart"
)

// TelemetryView is what comes in from players and encoders, and how well.
type TelemetryView struct {
	Chrome
	Base    string // path of this page
	At      time.Time
	Minutes int // the window

	RecordsPerSec float64 // accepted, over the last whole minute
	Rates         []TelemetryRate
	Sources       []TelemetrySource
	Rejections    []TelemetryRejection // since RejectedSince, most first
	RejectedSince time.Time
	Unfolded      int64 // CMCD sessions that wait for the job
	UnfoldedSince *time.Time
	Queued        int // records that wait for their transaction
	Results       []TelemetryResults

	Server string // address that a first record is sent to
	Keys   string // address of the page that makes API keys
}

// TelemetryRate is what came in within a minute from one kind of source.
type TelemetryRate struct {
	Minute            time.Time
	Source            string
	Accepted, Refused int64
}

// TelemetrySource is the sessions of one tier, player and version.
type TelemetrySource struct {
	Tier, Player, Version string
	Sessions, Started     int64
	Clocked, Late         int64  // with a clock of their own; of them those whose newest record came late
	LagP95Ms              *int64 // nil: not known
}

// TelemetryRejection is a count of what was not taken.
type TelemetryRejection struct {
	Source, Reason, Field, Player, Version string
	Whole                                  bool // the record, not only the field
	Count                                  int64
}

// TelemetryResults is how far the results of an experiment are behind.
type TelemetryResults struct {
	Experiment, URL string
	Look            int        // 0: there is none
	Watermark       *time.Time // data as of
	Waiting         *time.Time // when the oldest window closed that no look holds; nil: none waits
}

// telemetryPage is the view ready for the template.
type telemetryPage struct {
	Chrome
	At       stamp
	Windows  []Link
	Facts    []telemetryFact
	Empty    bool // nothing came in ever, as far as is known
	Chart    template.HTML
	Legend   []telemetryLegend
	Minutes  []telemetryMinute // the table beneath the chart
	Players  []telemetryPlayer
	Results  []telemetryResult
	Refused  []telemetryRefused
	More     []telemetryRefused // beyond telemetryRefusedShown
	Since    stamp
	First    telemetryFirst
	Keys     string
	Unfolded string
}

type telemetryFact struct {
	Name, Value, Note string
	Class             chart.State
}

type telemetryLegend struct {
	Fill chart.Fill
	Name string
}

type telemetryMinute struct {
	From    stamp
	Amounts []string
}

type telemetryPlayer struct {
	Name, Sessions, Words, Late, Lag string
	Strip                            template.HTML
}

type telemetryResult struct {
	Key, URL, Look string
	AsOf           stamp
	State          wording
}

type telemetryRefused struct {
	What, Why, Player, Count string
	Advice                   string
}

// telemetryFirst teaches how a first record is sent.
type telemetryFirst struct{ Heartbeat, CMCD string }

// The windows that the page offers, in minutes.
var telemetryWindows = []struct {
	minutes int
	text    string
}{{60, "Hour"}, {360, "6 hours"}, {1440, "Day"}}

const (
	// telemetryColumns is how many columns the chart has at most: a minute each
	// for an hour.
	telemetryColumns = 60
	// telemetryRefusedShown is how many kinds of refusal are shown at once.
	telemetryRefusedShown = 12
	// resultsSlowSec is the promise: an outcome is in the report at most 60 s
	// after its window closed.
	resultsSlowSec = 60
)

// telemetrySources are the sources in the order of the stack, with their fills.
var telemetrySources = []struct {
	key, name string
	fill      chart.Fill
}{
	{"heartbeat", "Heartbeats", chart.FillA},
	{"cmcd", "CMCD events", chart.FillD},
	{"request_log", "Request logs", chart.FillC},
	{"broadcast", "Broadcasts", chart.FillB},
	{"event", "Events", chart.FillF},
	{"", "Refused", chart.FillWorse},
}

// rejectionWords says what a reason means, and what to do.
var rejectionWords = map[string]struct{ why, advice string }{
	"malformed":   {"not readable", "Check the encoding: JSON, or CMCD as CTA-5004 writes it."},
	"missing":     {"a required field is absent", "Send it with every record."},
	"type":        {"the wrong type of value", "Numbers as numbers, booleans as booleans."},
	"range":       {"out of range", "Too long, too large or negative."},
	"implausible": {"cannot be true", "Such as more stall than time has passed: the player's clock or its counters are wrong."},
	"version":     {"a newer version than is understood", "Update this server, or the player's CMCD version."},
	"too_many":    {"over a limit", "Fewer or shorter records."},
	"stopped":     {"its session was told to stop", "The player goes on although it was answered 410."},
	"conflict":    {"same number, other content", "The player counts its records wrongly after a restart."},
}

func newTelemetryPage(v TelemetryView) (telemetryPage, error) {
	p := telemetryPage{
		Chrome: v.Chrome, At: newStamp(&v.At, clockFormat), Keys: v.Keys, Since: newStamp(&v.RejectedSince, dayFormat),
		Empty: len(v.Rates) == 0 && len(v.Sources) == 0 && len(v.Rejections) == 0,
		First: firstTelemetry(v.Server),
	}
	for _, w := range telemetryWindows {
		p.Windows = append(p.Windows, Link{Text: w.text, URL: v.Base + "?minutes=" + strconv.Itoa(w.minutes), Current: w.minutes == v.Minutes})
	}
	p.facts(&v)
	if err := p.chart(&v); err != nil {
		return p, err
	}
	if err := p.players(v.Sources); err != nil {
		return p, err
	}
	for _, r := range v.Results {
		p.Results = append(p.Results, newTelemetryResult(r, v.At))
	}
	for _, r := range v.Rejections {
		row := newTelemetryRefused(r)
		if len(p.Refused) < telemetryRefusedShown {
			p.Refused = append(p.Refused, row)
			continue
		}
		p.More = append(p.More, row)
	}
	if v.Unfolded > 0 && v.UnfoldedSince != nil {
		p.Unfolded = fmt.Sprintf("%s with records that the job has not read yet; the oldest came %s ago.",
			plural(v.Unfolded, "CMCD session", "CMCD sessions"), span(int64(v.At.Sub(*v.UnfoldedSince).Seconds())))
	}
	return p, nil
}

// facts are the numbers at the top.
func (p *telemetryPage) facts(v *TelemetryView) {
	var accepted, refused, sessions, good, clocked, late int64
	for _, r := range v.Rates {
		accepted, refused = accepted+r.Accepted, refused+r.Refused
	}
	for _, s := range v.Sources {
		sessions, clocked, late = sessions+s.Sessions, clocked+s.Clocked, late+s.Late
		if s.Tier == "A" || s.Tier == "B" {
			good += s.Sessions
		}
	}
	add := func(name, value, note string, class chart.State) {
		p.Facts = append(p.Facts, telemetryFact{name, value, note, class})
	}
	add("Records a second", rate(v.RecordsPerSec), "accepted, over the last whole minute", calm)
	add("Records refused", count(refused), "whole records, "+ofAll(refused, accepted+refused), alarm(refused > 0))
	add("Sessions begun", count(sessions), "with the tier of their telemetry", calm)
	add("Tier A or B", partOf(good, sessions), "they can tell all or most of what is measured", calm)
	add("Late", partOf(late, clocked), "of the sessions with a clock: the newest record came over 2 min after it was made", alarm(late*100 > clocked))
	add("Waiting", count(v.Queued), "records on this server that are not committed yet", calm)
}

// alarm is the class of a number that should be looked at when it is not zero.
func alarm(bad bool) chart.State {
	if bad {
		return chart.Withheld
	}
	return calm
}

// partOf words a part of a whole; a part of nothing is not known.
func partOf(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return share(float64(part) / float64(whole))
}

// ofAll words the same within a sentence.
func ofAll(part, whole int64) string {
	if whole == 0 {
		return "of none"
	}
	return share(float64(part)/float64(whole)) + " of all"
}

// rate formats a number a second with at most three digits below a thousand.
func rate(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 10:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return count(int64(math.Round(v)))
}

// chart draws the records by time. The minute that is not over is left out: it
// would look like a fall.
func (p *telemetryPage) chart(v *TelemetryView) error {
	per := max(1, (v.Minutes+telemetryColumns-1)/telemetryColumns)
	n := max(1, v.Minutes/per)
	end := v.At.UTC().Truncate(time.Minute)
	begin := end.Add(-time.Duration(n*per) * time.Minute)
	sums := make([][]float64, n)
	for i := range sums {
		sums[i] = make([]float64, len(telemetrySources))
	}
	last := len(telemetrySources) - 1
	for _, r := range v.Rates {
		at := int(r.Minute.Sub(begin)/time.Minute) / per
		if r.Minute.Before(begin) || at >= n {
			continue
		}
		for i := range telemetrySources[:last] {
			if telemetrySources[i].key == r.Source {
				sums[at][i] += float64(r.Accepted) / float64(60*per)
			}
		}
		sums[at][last] += float64(r.Refused) / float64(60*per)
	}
	c := chart.Columns{
		Title: "Records a second by time and source", Unit: "/s", None: "Nothing came in within this window.",
		Desc: fmt.Sprintf("%d columns of %s up to %s. The table beneath holds the numbers.", n, plural(per, "minute", "minutes"), end.Format(clockFormat)),
	}
	for _, s := range telemetrySources {
		c.Fills = append(c.Fills, s.fill)
		p.Legend = append(p.Legend, telemetryLegend{s.fill, s.name})
	}
	for i := range sums {
		from := begin.Add(time.Duration(i*per) * time.Minute)
		column := chart.Column{Values: sums[i], Words: from.Format("15:04") + " UTC"}
		if i%max(1, n/6) == 0 {
			column.Label = from.Format("15:04")
		}
		row := telemetryMinute{From: newStamp(&from, shortFormat)}
		for j, x := range sums[i] {
			row.Amounts = append(row.Amounts, rate(x))
			if x > 0 {
				column.Words += fmt.Sprintf(" · %s %s/s", telemetrySources[j].name, rate(x))
			}
		}
		c.Columns = append(c.Columns, column)
		p.Minutes = append(p.Minutes, row)
	}
	slices.Reverse(p.Minutes)
	svg, err := c.SVG()
	p.Chart = template.HTML(svg) //nolint:gosec // drawn by package chart, which escapes every text
	return err
}

// tierFills are the fills of tiers A to D.
var tierFills = map[string]chart.Fill{"A": chart.FillA, "B": chart.FillD, "C": chart.FillC, "D": chart.FillF}

// players groups the sources by player and version, most sessions first.
func (p *telemetryPage) players(sources []TelemetrySource) error {
	type group struct {
		name           string
		sessions, late int64
		clocked        int64
		tiers          map[string]int64
		lag            *int64
	}
	var groups []*group
	known := map[string]*group{}
	for _, s := range sources {
		name := strings.TrimSpace(cmp.Or(s.Player, "unnamed player") + " " + s.Version)
		g := known[name]
		if g == nil {
			g = &group{name: name, tiers: map[string]int64{}}
			known[name] = g
			groups = append(groups, g)
		}
		g.sessions, g.late, g.clocked = g.sessions+s.Sessions, g.late+s.Late, g.clocked+s.Clocked
		g.tiers[s.Tier] += s.Sessions
		if s.LagP95Ms != nil && (g.lag == nil || *s.LagP95Ms > *g.lag) {
			g.lag = s.LagP95Ms
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(b.sessions, a.sessions) })
	for _, g := range groups {
		row := telemetryPlayer{Name: g.name, Sessions: count(g.sessions), Late: partOf(g.late, g.clocked), Lag: "–"}
		if g.lag != nil {
			row.Lag = seconds(*g.lag)
		}
		var parts []chart.Part
		for _, tier := range []string{"A", "B", "C", "D"} {
			n := g.tiers[tier]
			if n == 0 {
				continue
			}
			words := tier + " " + partOf(n, g.sessions)
			row.Words += words + "  "
			parts = append(parts, chart.Part{Fill: tierFills[tier], Words: words, Value: float64(n)})
		}
		row.Words = strings.TrimSpace(row.Words)
		svg, err := chart.Strip("Tiers of "+g.name+": "+row.Words, parts)
		if err != nil {
			return err
		}
		row.Strip = template.HTML(svg) //nolint:gosec // drawn by package chart, which escapes every text
		p.Players = append(p.Players, row)
	}
	return nil
}

// seconds words milliseconds for the eye.
func seconds(ms int64) string {
	switch {
	case ms < 1000:
		return count(max(0, ms)) + " ms"
	case ms < 120_000:
		return strconv.FormatFloat(float64(ms)/1000, 'f', 1, 64) + " s"
	}
	return span(ms / 1000)
}

func newTelemetryResult(r TelemetryResults, now time.Time) telemetryResult {
	out := telemetryResult{Key: r.Experiment, URL: r.URL, Look: "–", AsOf: newStamp(r.Watermark, listFormat), State: wording{"Up to date", calm}}
	if r.Look > 0 {
		out.Look = count(r.Look)
	}
	if r.Waiting == nil {
		if r.Look == 0 {
			out.State = wording{"No window has closed yet", chart.NotProven}
		}
		return out
	}
	behind := int64(now.Sub(*r.Waiting).Seconds())
	out.State = wording{span(behind) + " behind", calm}
	if behind > resultsSlowSec {
		out.State.Class = chart.Withheld
		out.State.Word += ": does the job run?"
	}
	return out
}

func newTelemetryRefused(r TelemetryRejection) telemetryRefused {
	out := telemetryRefused{
		What: sourceName(r.Source), Why: r.Reason, Count: count(r.Count),
		Player: strings.TrimSpace(cmp.Or(r.Player, "unnamed player") + " " + r.Version),
	}
	if words, ok := rejectionWords[r.Reason]; ok {
		out.Why, out.Advice = words.why, words.advice
	}
	switch {
	case r.Whole && r.Field != "":
		out.What += ", whole record: " + r.Field
	case r.Whole:
		out.What += ", whole record"
	case r.Field != "":
		out.What += ", value of " + r.Field
	}
	return out
}

// sourceName names a source for people.
func sourceName(key string) string {
	for _, s := range telemetrySources {
		if s.key == key && key != "" {
			return s.name
		}
	}
	return key
}

// firstTelemetry are lines that work as they stand, but for the key.
func firstTelemetry(server string) telemetryFirst {
	server = cmp.Or(server, "http://127.0.0.1:8080")
	return telemetryFirst{
		Heartbeat: `curl -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
  -d '[{"session_id":"s-1","seq":0,"viewer_id":"viewer-1","player":"my-player","mono_ms":10000,"play_requested":true,"first_frame_ms":850,"play_ms":9000}]' \
  ` + server + `/v1/heartbeats`,
		CMCD: server + `/v1/cmcd/$KEY?player=hls.js&player_version=1.7.4`,
	}
}
