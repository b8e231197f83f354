package postgres

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/telemetry"
)

// randomBroadcast draws so densely that numbers, clocks and receipts collide.
func randomBroadcast(r *rand.Rand) telemetry.Broadcast {
	b := telemetry.Broadcast{
		StreamID: fmt.Sprint("st-", r.IntN(3)), Part: int64(r.IntN(2)), Ended: r.IntN(4) == 0,
		EndReason: []string{"", "user", "fault\twith a tab"}[r.IntN(3)],
		Last:      telemetry.Mark{Seq: int64(r.IntN(4)), MonoMs: int64(r.IntN(2)), ClientTsMs: int64(r.IntN(2))},
	}
	if r.IntN(2) == 0 {
		start := int64(r.IntN(2))
		b.StreamStartMs = &start
	}
	for _, text := range b.Texts() {
		*text = []string{"", "a", "b"}[r.IntN(3)]
	}
	for _, n := range b.Numbers() {
		*n = int64(r.IntN(2))
	}
	b.Observed = telemetry.BroadcastObserved(r.IntN(512)) //nolint:gosec // nine bits
	b.Measures = []telemetry.Measures{"", `{"a":1}`, `{"a":1.5,"b":2}`}[r.IntN(3)]
	return b
}

func storedBroadcasts(t *testing.T, db *DB) []telemetry.Broadcast {
	t.Helper()
	mustExec(t, db, `update broadcasts set broadcaster_id = 'nobody' where broadcaster_id = ''`)
	out, err := db.Broadcasts(t.Context(), []string{"nobody", "a", "b"}, 0, 1<<53)
	if err != nil {
		t.Fatal(err)
	}
	for i := range out {
		if out[i].BroadcasterID == "nobody" {
			out[i].BroadcasterID = ""
		}
	}
	return sortBroadcasts(out)
}

// The upsert is telemetry.MergeBroadcasts, whatever the order, the grouping and
// the repetitions, also of writers side by side.
func TestMergeBroadcastsIsMerge(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			db := open(t)
			r := rand.New(rand.NewPCG(seed, 3))
			var batches [][]telemetry.Broadcast
			want := map[string]telemetry.Broadcast{}
			for range 40 {
				records := make([]telemetry.Broadcast, 1+r.IntN(4))
				for i := range records {
					records[i] = randomBroadcast(r)
				}
				batch := telemetry.FoldBroadcasts(records, 1000+int64(r.IntN(2)))
				batches = append(batches, batch)
				for _, b := range batch {
					key := fmt.Sprint(b.StreamID, b.Part)
					want[key] = telemetry.MergeBroadcasts(want[key], b)
				}
			}
			batches = append(batches, batches[:10]...)
			r.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
			var wg sync.WaitGroup
			for w := range 2 {
				wg.Go(func() {
					for i := w; i < len(batches); i += 2 {
						if err := db.MergeBroadcasts(t.Context(), batches[i]); err != nil {
							t.Errorf("MergeBroadcasts: %v", err)
						}
					}
				})
			}
			wg.Wait()
			var all []telemetry.Broadcast
			for _, b := range want {
				all = append(all, b)
			}
			slices.SortFunc(all, func(a, b telemetry.Broadcast) int {
				return cmp.Or(strings.Compare(a.StreamID, b.StreamID), cmp.Compare(a.Part, b.Part))
			})
			if diff := gocmp.Diff(all, storedBroadcasts(t, db)); diff != "" {
				t.Errorf("broadcasts (-want +stored):\n%s", diff)
			}
		})
	}
}

func TestMergeBroadcastsLimit(t *testing.T) {
	t.Parallel()
	db := open(t)
	many := slices.Repeat([]telemetry.Broadcast{{StreamID: "s"}}, MaxBroadcastBatch+1)
	wantCode(t, "a batch above the limit", db.MergeBroadcasts(t.Context(), many), experiment.CodeTooLarge)
	if err := db.MergeBroadcasts(t.Context(), many[1:]); err != nil {
		t.Error(err)
	}
	if err := db.MergeBroadcasts(t.Context(), nil); err != nil {
		t.Error(err)
	}
}
