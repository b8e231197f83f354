package openfeature_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"

	"github.com/splitcast/splitcast/client"
	"github.com/splitcast/splitcast/client/openfeature"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/internal/pgtest"
	"github.com/splitcast/splitcast/internal/servertest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 30 * time.Second

var testNow = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func now() time.Time { return testNow }

const document = `{"experiments":[
	{"key":"autoplay","unit":"viewer","design":"ab","status":"running","overrides":{"qa-1":"treatment"},
	 "arms":[{"key":"control","weight":1,"value":false},{"key":"treatment","weight":1,"value":true}],"plan":{"primary":["stall_ratio"]}},
	{"key":"title","unit":"viewer","design":"ab","status":"running","audience":{"all":[{"attr":"build","op":"ge","value":100},{"attr":"day","op":"starts_with","value":"2026-11"}]},
	 "arms":[{"key":"control","weight":1,"value":"Home"},{"key":"treatment","weight":1,"value":"Live"}],"plan":{"primary":["stall_ratio"]}},
	{"key":"buffer","unit":"broadcaster","design":"ab","status":"running",
	 "arms":[{"key":"control","weight":1,"value":4},{"key":"treatment","weight":1,"value":6}],"plan":{"primary":["stall_ratio"]}},
	{"key":"rate","unit":"viewer","design":"ab","status":"running",
	 "arms":[{"key":"control","weight":1,"value":0.8},{"key":"treatment","weight":1,"value":0.75}],"plan":{"primary":["stall_ratio"]}},
	{"key":"abr","unit":"viewer","design":"ab","status":"running",
	 "arms":[{"key":"control","weight":1,"value":{"safety":0.8}},{"key":"treatment","weight":1,"value":{"safety":0.75}}],"plan":{"primary":["stall_ratio"]}}]}`

// setup is a server and the SDK with a provider for it.
func setup(t *testing.T, change func(cfg *client.Config)) (*servertest.Server, *of.EvaluationAPI, *client.Client) {
	t.Helper()
	s := servertest.New(t, document, now)
	cfg := client.Config{URL: s.URL, Token: servertest.ServiceKey, Poll: 100 * time.Millisecond, Now: now}
	change(&cfg)
	c, err := client.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	api := isolated.NewAPI()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := api.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := api.SetProviderAndWait(ctx, openfeature.NewProvider(c)); err != nil {
		t.Fatal(err)
	}
	return s, api, c
}

func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("after %s: %v", patience, err)
		case <-tick.C:
		}
	}
}

// viewer has attributes of many types of Go.
func viewer(id string) of.EvaluationContext {
	type region string
	return of.NewEvaluationContext(id, map[string]any{
		"broadcaster_id": "b-1", "session_id": "s-" + id, "build": uint8(120), "day": testNow, "region": region("eu"),
		"beta": true, "ratio": float32(0.5), "list": []int{1}, "nothing": nil,
	})
}

func TestEvaluations(t *testing.T) {
	t.Parallel()
	_, api, c := setup(t, func(*client.Config) {})
	sdk := api.NewClient()
	got := map[string]bool{}
	note := func(d of.EvaluationDetails, v any, err error) {
		if err != nil {
			t.Errorf("%s: %v", d.FlagKey, err)
		}
		got[fmt.Sprint(d.FlagKey, " ", d.Variant, " ", v, " ", d.Reason)] = true
		if version, err := d.FlagMetadata.GetInt("version"); err != nil || version != 1 {
			t.Errorf("%s: metadata %v", d.FlagKey, d.FlagMetadata)
		}
	}
	for i := range 64 {
		ctx := viewer(fmt.Sprint("v-", i))
		b, err := sdk.BooleanValueDetails(t.Context(), "autoplay", false, ctx)
		note(b.EvaluationDetails, b.Value, err)
		s, err := sdk.StringValueDetails(t.Context(), "title", "", ctx)
		note(s.EvaluationDetails, s.Value, err)
		f, err := sdk.FloatValueDetails(t.Context(), "rate", 0, ctx)
		note(f.EvaluationDetails, f.Value, err)
		o, err := sdk.ObjectValueDetails(t.Context(), "abr", nil, ctx)
		note(o.EvaluationDetails, o.Value, err)
	}
	n, err := sdk.IntValueDetails(t.Context(), "buffer", 0, viewer("v"))
	note(n.EvaluationDetails, n.Value, err)
	q, err := sdk.BooleanValueDetails(t.Context(), "autoplay", false, viewer("qa-1"))
	note(q.EvaluationDetails, q.Value, err)
	want := map[string]bool{
		"autoplay control false SPLIT": true, "autoplay treatment true SPLIT": true, "autoplay treatment true TARGETING_MATCH": true,
		"title control Home SPLIT": true, "title treatment Live SPLIT": true,
		"rate control 0.8 SPLIT": true, "rate treatment 0.75 SPLIT": true,
		"abr control map[safety:0.8] SPLIT": true, "abr treatment map[safety:0.75] SPLIT": true,
		fmt.Sprintf("buffer %s %d SPLIT", n.Variant, n.Value): true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evaluations (-want +got):\n%s", diff)
	}
	if n := c.Stats().ExposuresDropped; n != 0 {
		t.Errorf("%d exposures were dropped", n)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, api, c := setup(t, func(*client.Config) {})
	sdk := api.NewClient()
	for _, tt := range []struct {
		flag string
		ctx  of.EvaluationContext
		want of.ErrorCode
	}{
		{"nothing", viewer("v"), of.FlagNotFoundCode},
		{"title", viewer("v"), of.TypeMismatchCode},
		{"autoplay", of.NewTargetlessEvaluationContext(nil), of.TargetingKeyMissingCode},
		{"autoplay", viewer("ü"), of.InvalidContextCode},
		{"autoplay", of.NewEvaluationContext("v", map[string]any{"broadcaster_id": 7}), of.InvalidContextCode},
	} {
		d, err := sdk.BooleanValueDetails(t.Context(), tt.flag, true, tt.ctx)
		if err == nil || !d.Value || d.ErrorCode != tt.want || d.Reason != of.ErrorReason || d.ErrorMessage == "" {
			t.Errorf("%s: %+v, %v; want the default and %s", tt.flag, d, err, tt.want)
		}
	}
	if d, err := sdk.ObjectValueDetails(t.Context(), "rate", "mine", viewer("v")); err == nil || d.Value != "mine" || d.ErrorCode != of.TypeMismatchCode {
		t.Errorf("a number as an object: %+v, %v", d, err)
	}
	if n := c.Stats().ExposuresQueued; n != 0 {
		t.Errorf("%d exposures to values that nobody got", n)
	}
}

// The hook reports each unit once per experiment, after evaluations that went
// well, as getters of the client do.
func TestHookReportsExposures(t *testing.T) {
	t.Parallel()
	_, api, c := setup(t, func(*client.Config) {})
	sdk := api.NewClient()
	ahead := of.NewEvaluationContext("ahead", map[string]any{client.AttrExpose: false})
	for range 3 {
		for i := range 10 {
			ctx := viewer(fmt.Sprint("v-", i))
			if _, err := sdk.BooleanValue(t.Context(), "autoplay", false, ctx); err != nil {
				t.Error(err)
			}
			if _, err := sdk.IntValue(t.Context(), "buffer", 0, ctx); err != nil { // one broadcaster, ten sessions
				t.Error(err)
			}
			if _, err := sdk.BooleanValue(t.Context(), "buffer", false, ctx); err == nil {
				t.Error("a number is a boolean")
			}
			if _, err := sdk.StringValue(t.Context(), "title", "", of.NewEvaluationContext("outside", nil)); err != nil {
				t.Error(err)
			}
			if _, err := sdk.BooleanValue(t.Context(), "autoplay", false, ahead); err != nil {
				t.Error(err)
			}
		}
	}
	eventually(t, func() error {
		if st := c.Stats(); st.ExposuresSent != 20 || st.ExposuresQueued != 0 {
			return fmt.Errorf("%+v", st)
		}
		return nil
	})
}

// Another provider, whose answers have Splitcast's metadata as those of a remote
// protocol do.
func TestHookServesOtherProviders(t *testing.T) {
	t.Parallel()
	_, _, c := setup(t, func(*client.Config) {})
	api := isolated.NewAPI()
	t.Cleanup(func() {
		if err := api.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	api.AddHooks(openfeature.NewExposureHook(c))
	want := uint64(0)
	for _, tt := range []struct {
		metadata of.FlagMetadata
		reported bool
	}{
		{of.FlagMetadata{"assigned": true, "version": 1.0, "unit": "viewer", "cause": "split"}, true},
		{of.FlagMetadata{"assigned": true, "version": json.Number("1"), "unit": "viewer"}, true},
		{of.FlagMetadata{"assigned": true, "version": 1, "unit": "broadcaster"}, true},
		{of.FlagMetadata{"assigned": true, "unit": "viewer"}, true},
		{of.FlagMetadata{"assigned": false, "version": 1.0, "unit": "viewer"}, false},
		{of.FlagMetadata{"assigned": "yes"}, false},
		{nil, false},
	} {
		if err := api.SetProviderAndWait(t.Context(), memory(tt.metadata)); err != nil {
			t.Fatal(err)
		}
		if tt.reported {
			want++
		}
		ctx := viewer(fmt.Sprint("v-", want)) // a new one whenever the last was reported
		if d, err := api.NewClient().BooleanValueDetails(t.Context(), "autoplay", false, ctx); err != nil || !d.Value {
			t.Errorf("%+v, %v", d, err)
		}
	}
	if _, err := api.NewClient().BooleanValueDetails(t.Context(), "autoplay", false, of.NewTargetlessEvaluationContext(nil)); err != nil {
		t.Error(err)
	}
	eventually(t, func() error {
		if st := c.Stats(); st.ExposuresSent != want || st.ExposuresQueued != 0 {
			return fmt.Errorf("want %d sent: %+v", want, st)
		}
		return nil
	})
}

// memory returns the SDK's own provider with one flag.
func memory(metadata of.FlagMetadata) of.FeatureProvider {
	evaluate := func(memprovider.InMemoryFlag, of.FlattenedContext) (any, of.ProviderResolutionDetail) {
		return true, of.ProviderResolutionDetail{Variant: "treatment", FlagMetadata: metadata}
	}
	return memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{"autoplay": {
		State: memprovider.Enabled, Variants: map[string]any{"treatment": true}, ContextEvaluator: &evaluate,
	}})
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s, api, _ := setup(t, func(cfg *client.Config) { cfg.StaleAfter = time.Nanosecond; cfg.Now = time.Now })
	sdk := api.NewClient()
	heard := make(chan of.EventDetails, 100)
	for _, kind := range []of.EventType{of.ProviderConfigChange, of.ProviderStale, of.ProviderReady} {
		tell := func(d of.EventDetails) {
			d.Message = string(kind)
			heard <- d
		}
		sdk.AddHandler(kind, &tell)
	}
	await := func(kind of.EventType) of.EventDetails {
		t.Helper()
		deadline := time.After(patience)
		for {
			select {
			case d := <-heard:
				if d.Message == string(kind) {
					return d
				}
			case <-deadline:
				t.Fatalf("no %s; the state is %s", kind, sdk.State())
			}
		}
	}
	await(of.ProviderReady)
	s.Apply(t, strings.Replace(document, `"value":6`, `"value":8`, 1))
	if d := await(of.ProviderConfigChange); !slices.Equal(d.FlagChanges, []string{"buffer"}) || d.ProviderName != "splitcast" {
		t.Errorf("event %+v, want a change of buffer", d)
	}
	s.Kill(t)
	await(of.ProviderStale)
	eventually(t, func() error {
		if sdk.State() != of.StaleState {
			return fmt.Errorf("state %s", sdk.State())
		}
		return nil
	})
	if _, err := sdk.BooleanValue(t.Context(), "autoplay", false, viewer("v")); err != nil {
		t.Errorf("a stale provider: %v", err)
	}
	s.Start(t)
	await(of.ProviderReady)
}

// A provider whose key is refused is in error, and says not ready.
func TestInitThatFails(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, document, now)
	c, err := client.New(context.Background(), client.Config{URL: s.URL, Token: "nobody", Poll: 50 * time.Millisecond, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	api := isolated.NewAPI()
	t.Cleanup(func() {
		if err := api.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := api.SetProviderAndWait(ctx, openfeature.NewProvider(c)); err == nil {
		t.Error("SetProviderAndWait returned nil")
	}
	sdk := api.NewClient()
	eventually(t, func() error {
		if sdk.State() != of.ErrorState {
			return fmt.Errorf("state %s", sdk.State())
		}
		return nil
	})
	if d, err := sdk.BooleanValueDetails(t.Context(), "autoplay", true, viewer("v")); err == nil || !d.Value || d.ErrorCode != of.ProviderNotReadyCode {
		t.Errorf("%+v, %v", d, err)
	}
}

// A service starts and ends without Splitcast, also by calls without a deadline.
func TestNothingWaitsForEver(t *testing.T) {
	t.Parallel()
	c, err := client.New(context.Background(), client.Config{URL: "http://127.0.0.1:1", Token: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Expose(experiment.Exposure{Experiment: "autoplay", Unit: "v", Arm: "control"}); err != nil {
		t.Fatal(err)
	}
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), openfeature.NewProvider(c)); err == nil {
		t.Error("SetProviderAndWait returned nil")
	}
	if err := api.Shutdown(context.Background()); err == nil || !strings.Contains(err.Error(), "1 exposures") {
		t.Errorf("Shutdown = %v, want that 1 exposure is left", err)
	}
}
