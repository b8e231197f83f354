//go:build !race

package main

import (
	"testing"
	"time"

	"github.com/splitcast/splitcast/simulate"
)

// Players that lie, each in every way that is known of real ones, leave the very
// same outcomes as honest ones.
func TestLiesChangeNoOutcome(t *testing.T) {
	t.Parallel()
	key := simulate.AAKey(0)
	play := func(lies simulate.Lies) []string {
		w := newWorldRun(t, simulate.Options{Seed: 15, Viewers: 5_000, Switches: simulate.Switches{
			Lies: lies, LatencyMinutes: true, CMCD: simulate.CMCDAlways,
		}})
		w.apply(simulate.ManyAA(1, 5_000))
		w.play(0, 3*24*time.Hour)
		if sent := w.driver.Sent(); sent.CMCD == 0 || sent.Heartbeats == 0 {
			t.Errorf("sent %+v, want heartbeats and CMCD", sent)
		}
		return w.outcomeRows(key)
	}
	honest := play(simulate.Lies{})
	lying := play(simulate.Lies{WrongStart: true, Starved: true, StuckNumber: true, Repeats: true, WrongClocks: true})
	if len(honest) < 200 || len(honest) != len(lying) {
		t.Fatalf("%d outcomes of the honest, %d of liars", len(honest), len(lying))
	}
	differ := 0
	for i := range honest {
		if honest[i] != lying[i] {
			if differ++; differ <= 3 {
				t.Errorf("honest %s\nlying  %s", honest[i], lying[i])
			}
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d outcomes differ", differ, len(honest))
	}
}
