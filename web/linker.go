package web

import (
	"net/url"
	"slices"
	"strconv"
)

// linker builds addresses of the page that keep the reader's other choices. They
// are relative to the page, wherever it is mounted.
type linker struct {
	choice Choice
	look   int  // 0: the newest
	frozen bool // the page has no other look
}

// query returns the choices as fields, without those that are empty.
func (l linker) query() []hidden {
	var out []hidden
	for _, f := range []hidden{
		{ParamMetric, l.choice.Metric},
		{ParamArm, l.choice.Arm},
		{ParamWhere, l.choice.Where},
		{ParamDimension, l.choice.Dimension},
		{ParamValues, l.choice.Values},
		{ParamView, l.choice.View},
		{ParamSegment, l.choice.Segment},
	} {
		if f.Value != "" {
			out = append(out, f)
		}
	}
	if l.look > 0 {
		out = append(out, hidden{ParamLook, strconv.Itoa(l.look)})
	}
	return out
}

// kept returns the fields that a form must repeat, without those it sets itself.
func (l linker) kept(own ...string) []hidden {
	var out []hidden
	for _, f := range l.query() {
		if !slices.Contains(own, f.Name) {
			out = append(out, f)
		}
	}
	return out
}

// url returns the address with a fragment.
func (l linker) url(fragment string) string {
	q := url.Values{}
	for _, f := range l.query() {
		q.Set(f.Name, f.Value)
	}
	u := "?" + q.Encode()
	if fragment != "" {
		u += "#" + fragment
	}
	return u
}

// at returns the address of the page at a look; 0 is the newest. It is empty on a
// page that is frozen.
func (l linker) at(look int) string {
	if l.frozen {
		return ""
	}
	l.look = look
	return l.url("")
}

// funnel returns the address that shows a row's interval over looks.
func (l linker) funnel(metric, arm string) string {
	l.choice.Metric, l.choice.Arm = metric, arm
	return l.url("looks")
}

// about returns the address that offers to comment a row.
func (l linker) about(row string) string {
	q := url.Values{ParamAbout: {row}}
	for _, f := range l.query() {
		q.Set(f.Name, f.Value)
	}
	return "?" + q.Encode() + "#comments"
}

// view returns the address that shows the distribution another way.
func (l linker) view(view string) string {
	l.choice.View = view
	return l.url("values")
}

// export adds the look of a replay to an address of the API.
func (l linker) export(address string) string {
	if l.look == 0 || address == "" {
		return address
	}
	return address + "?" + url.Values{ParamLook: {strconv.Itoa(l.look)}}.Encode()
}
