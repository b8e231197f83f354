package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/server"
)

type abr struct {
	Safety float64 `json:"safety"`
	Steps  []int   `json:"steps"`
}

// abrOf leaves out the type parameter.
func abrOf(c *client.Client, who *assignment.Context) (abr, client.Details) {
	return client.Object(c, "abr", who, abr{Safety: -1})
}

func TestGettersReturnEachType(t *testing.T) {
	t.Parallel()
	c := readyClient(t, newServer(t).config())
	seen := map[string]map[string]bool{}
	note := func(key string, v any, d client.Details) {
		if d.Err != nil {
			t.Errorf("%s: %v", key, d.Err)
		}
		if seen[key] == nil {
			seen[key] = map[string]bool{}
		}
		seen[key][fmt.Sprintf("%s=%v", d.Variant, v)] = true
		if d.Experiment != key || d.Version != 1 || d.ConfigVersion == 0 || d.Reason == "" || d.Layer == "" {
			t.Errorf("details of %s: %+v", key, d)
		}
	}
	for i := range 200 {
		ctx := who(fmt.Sprint("viewer-", i))
		b, d := c.Bool("autoplay", ctx, false)
		note("autoplay", b, d)
		s, d := c.String("title", ctx, "")
		note("title", s, d)
		n, d := c.Int("buffer", ctx, 0)
		note("buffer", n, d)
		f, d := c.Float("rate", ctx, 0)
		note("rate", f, d)
		o, d := abrOf(c, ctx)
		note("abr", o, d)
		raw, d := c.JSON("abr", ctx, nil)
		note("abr as JSON", string(raw), client.Details{Result: assignment.Result{Experiment: "abr as JSON", Version: d.Version, Reason: d.Reason, Layer: d.Layer, Variant: d.Variant}, ConfigVersion: d.ConfigVersion, Err: d.Err})
		whole, d := c.Float("buffer", ctx, 0)
		note("buffer", whole, d)
	}
	want := map[string]map[string]bool{
		"autoplay":    {"control=false": true, "treatment=true": true},
		"title":       {"control=Home": true, `a=Live "now"`: true, "b=Jetzt live – ü": true},
		"buffer":      {"control=4": true, "treatment=6": true},
		"rate":        {"control=0.8": true, "treatment=0.75": true},
		"abr":         {"control={0.8 [1 2]}": true, "treatment={0.75 [3]}": true},
		"abr as JSON": {`control={"safety":0.8,"steps":[1,2]}`: true, `treatment={"safety":0.75,"steps":[3]}`: true},
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func codeOf(d client.Details) client.Code {
	if e, ok := errors.AsType[*client.Error](d.Err); ok && e.Message != "" && strings.HasPrefix(e.Error(), string(e.Code)) {
		return e.Code
	}
	return ""
}

func TestGettersReturnTheDefaultAndSayWhy(t *testing.T) {
	t.Parallel()
	c := readyClient(t, newServer(t).config())
	many := assignment.NewContext("v")
	for i := range assignment.MaxContextAttributes + 1 {
		many.SetBool(fmt.Sprint("a", i), true)
	}
	badID := assignment.NewContext("v")
	badID.SetString(assignment.AttrBroadcasterID, "größer")
	for _, tt := range []struct {
		name, key string
		who       *assignment.Context
		want      client.Code
	}{
		{"unknown", "nothing", who("v"), client.CodeNotFound},
		{"a draft", "draft", who("v"), client.CodeNotFound},
		{"of another type", "title", who("v"), client.CodeTypeMismatch},
		{"a number", "buffer", who("v"), client.CodeTypeMismatch},
		{"an object", "abr", who("v"), client.CodeTypeMismatch},
		{"no context", "autoplay", nil, client.CodeKeyMissing},
		{"no key", "autoplay", assignment.NewContext(""), client.CodeKeyMissing},
		{"a key that is not ASCII", "autoplay", assignment.NewContext("zuschauer-ü"), client.CodeInvalidContext},
		{"another id that is not ASCII", "autoplay", badID, client.CodeInvalidContext},
		{"too many attributes", "autoplay", many, client.CodeInvalidContext},
	} {
		got, d := c.Bool(tt.key, tt.who, true)
		if !got || codeOf(d) != tt.want || d.Reason != client.ReasonError || d.Experiment != tt.key || d.Assigned || d.Variant != "" {
			t.Errorf("%s: Bool = %v, %+v; want the default and %s", tt.name, got, d, tt.want)
		}
	}
	if v, d := c.Int("rate", who("v"), 7); v != 7 || codeOf(d) != client.CodeTypeMismatch {
		t.Errorf("a fraction as an integer = %d, %v", v, d.Err)
	}
	if v, d := client.Object(c, "abr", who("v"), struct {
		Safety string `json:"safety"`
	}{"d"}); v.Safety != "d" || codeOf(d) != client.CodeParse {
		t.Errorf("an object of another form = %+v, %v", v, d.Err)
	}
	if v, d := client.Object(c, "title", who("v"), 7); v != 7 || codeOf(d) != client.CodeTypeMismatch {
		t.Errorf("a string as an object = %v, %v", v, d.Err)
	}
	closeClient(t, c)
	if n := c.Stats().ExposuresSent; n != 0 {
		t.Errorf("%d exposures to values that nobody got", n)
	}
}

func TestBeforeTheFirstConfiguration(t *testing.T) {
	t.Parallel()
	c := newClient(t, client.Config{URL: "http://127.0.0.1:1", Token: "k"})
	if v, d := c.String("title", who("v"), "default"); v != "default" || codeOf(d) != client.CodeNotReady {
		t.Errorf("String = %q, %v", v, d.Err)
	}
	eventually(t, func() error {
		if c.Stats().FetchErrors == 0 {
			return errors.New("no try yet")
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ready(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "ask for the configuration") {
		t.Errorf("Ready = %v, want why", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]client.Config{
		"URL":        {URL: "splitcast.example", Token: "k"},
		"URL ":       {URL: "ftp://splitcast.example", Token: "k"},
		"URL  ":      {URL: "https://splitcast.example/?a=b", Token: "k"},
		"Token":      {URL: "https://splitcast.example"},
		"Poll":       {URL: "https://splitcast.example", Token: "k", Poll: -1},
		"Timeout":    {URL: "https://splitcast.example", Token: "k", Timeout: -1},
		"StaleAfter": {URL: "https://splitcast.example", Token: "k", StaleAfter: -1},
		"QueueLen":   {URL: "https://splitcast.example", Token: "k", QueueLen: -1},
	} {
		c, err := client.New(t.Context(), cfg)
		if code, _ := experiment.CodeOf(err); c != nil || code != experiment.CodeInvalid || experiment.Faults(err)[0].Field != strings.TrimSpace(field) {
			t.Errorf("New(%+v) = %v, want a fault of %s", cfg, err, field)
		}
	}
}

// Whatever the context is, a getter returns and gives what the snapshot gives.
func TestGettersNeverPanic(t *testing.T) {
	t.Parallel()
	c := readyClient(t, newServer(t).config())
	rapid.Check(t, func(t *rapid.T) {
		ctx := assignment.NewContext(rapid.String().Draw(t, "id"))
		for range rapid.IntRange(0, 5).Draw(t, "attributes") {
			name := rapid.OneOf(rapid.SampledFrom([]string{"country", "build", "viewer_id", "broadcaster_id", "session_id", client.AttrExpose, "targetingKey"}), rapid.String()).Draw(t, "name")
			switch rapid.IntRange(0, 3).Draw(t, "type") {
			case 0:
				ctx.SetString(name, rapid.String().Draw(t, "text"))
			case 1:
				ctx.SetNumber(name, rapid.Float64().Draw(t, "number"))
			case 2:
				ctx.SetBool(name, rapid.Bool().Draw(t, "bool"))
			default:
				ctx.SetOther(name)
			}
		}
		for _, key := range []string{"autoplay", "title", "buffer", "rate", "abr", "camera", "", "nothing"} {
			_, d := c.JSON(key, ctx, json.RawMessage("1"))
			if (d.Err == nil) != (d.Variant != "") {
				t.Fatalf("%s: %+v", key, d)
			}
			c.Bool(key, ctx, false)
			c.Int(key, ctx, 0)
			abrOf(c, ctx)
		}
	})
}

func TestTheSwitchOfExposuresIsTheServers(t *testing.T) {
	t.Parallel()
	if client.AttrExpose != server.AttrExpose {
		t.Errorf("AttrExpose = %q, the server's is %q", client.AttrExpose, server.AttrExpose)
	}
}
