package postgres

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

func TestLaunchDrafts(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx, now := t.Context(), testNow
	form := url.Values{"name": {"A \"name\""}, "plan.secondary": {"bitrate", "stall_ratio"}}
	id, err := db.CreateLaunchDraft(ctx, "ana", form, now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := db.LaunchDraft(ctx, id, "ana", now)
	if diff := cmp.Diff(form, got.Form); err != nil || diff != "" {
		t.Errorf("LaunchDraft = %v, (-want +got):\n%s", err, diff)
	}
	for name, missing := range map[string]error{
		"somebody else's": second(db.LaunchDraft(ctx, id, "ben", now)),
		"expired":         second(db.LaunchDraft(ctx, id, "ana", now.Add(LaunchDraftLife+time.Second))),
		"revised by others": second(db.ReviseLaunchDraft(ctx, id, "ben", now, func(url.Values) url.Values {
			t.Error("the draft of somebody else is shown")
			return nil
		})),
	} {
		if code, _ := experiment.CodeOf(missing); code != experiment.CodeNotFound {
			t.Errorf("%s: %v, want not found", name, missing)
		}
	}
	later := now.Add(LaunchDraftLife)
	if _, err := db.ReviseLaunchDraft(ctx, id, "ana", later, func(f url.Values) url.Values { f.Set("key", "k"); return f }); err != nil {
		t.Fatal(err)
	}
	if got, err = db.LaunchDraft(ctx, id, "ana", later.Add(time.Hour)); err != nil || got.Form.Get("key") != "k" || got.Form.Get("name") == "" {
		t.Errorf("a draft that was touched = %+v, %v", got, err)
	}
	if err := db.DiscardLaunchDraft(ctx, id, "ben"); err != nil {
		t.Fatal(err)
	}
	if all, err := db.LaunchDrafts(ctx, "ana", later); err != nil || len(all) != 1 {
		t.Errorf("after somebody else discarded it: %d drafts, %v", len(all), err)
	}
	if err := db.DiscardLaunchDraft(ctx, id, "ana"); err != nil {
		t.Fatal(err)
	}
	if all, err := db.LaunchDrafts(ctx, "ana", later); err != nil || len(all) != 0 {
		t.Errorf("after it was discarded: %d drafts, %v", len(all), err)
	}
}

// At the limit a draft is refused, and expired ones make room.
func TestLaunchDraftsAreBounded(t *testing.T) {
	t.Parallel()
	db := open(t)
	ctx, now := t.Context(), testNow
	for i := range MaxLaunchDrafts {
		if _, err := db.CreateLaunchDraft(ctx, "ana", url.Values{}, now); err != nil {
			t.Fatalf("draft %d: %v", i, err)
		}
	}
	_, err := db.CreateLaunchDraft(ctx, "ana", url.Values{}, now)
	if code, _ := experiment.CodeOf(err); code != experiment.CodeConflict {
		t.Errorf("one draft too many: %v", err)
	}
	if _, err := db.CreateLaunchDraft(ctx, "ben", url.Values{}, now); err != nil {
		t.Errorf("a draft of somebody else: %v", err)
	}
	if _, err := db.CreateLaunchDraft(ctx, "ana", url.Values{}, now.Add(LaunchDraftLife+time.Second)); err != nil {
		t.Errorf("after the others expired: %v", err)
	}
	const frame = len(`{"x":[""]}`)
	for size, want := range map[int]experiment.Code{MaxLaunchDraftBytes: "", MaxLaunchDraftBytes + 1: experiment.CodeTooLarge} {
		_, err := db.CreateLaunchDraft(ctx, "carl", url.Values{"x": {strings.Repeat("a", size-frame)}}, now)
		if code, _ := experiment.CodeOf(err); code != want {
			t.Errorf("a form of %d bytes: %v, want code %q", size, err, want)
		}
	}
}

func second[T any](_ T, err error) error { return err }
