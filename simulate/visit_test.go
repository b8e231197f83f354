package simulate

import (
	"math"
	"regexp"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

func TestVisitsAreDistinctAndPlausible(t *testing.T) {
	t.Parallel()
	w := smallWorld(1)
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	sessions, viewers := map[string]bool{}, map[string]int{}
	for day := range 3 {
		for _, s := range w.Schedule(day) {
			v := w.Visit(s)
			if !uuid.MatchString(v.ID) || sessions[v.ID] {
				t.Fatalf("session id %q is no UUID of version 8, or not the only one", v.ID)
			}
			sessions[v.ID] = true
			if i, seen := viewers[v.Who.ID]; seen && i != v.Who.Index {
				t.Fatalf("viewers %d and %d share the id %s", i, v.Who.Index, v.Who.ID)
			}
			viewers[v.Who.ID] = v.Who.Index
			if !experiment.ValidUnitID(v.Who.ID) || v.Who.PlayerVersion == "" || v.Who.ISP == "" {
				t.Fatalf("not a viewer: %+v", v.Who)
			}
			if v.course.patienceSec > maxWaitSec || v.course.stallSec > maxStallSec || v.course.setupSec <= v.course.manifestSec {
				t.Fatalf("not a course: %+v", v.course)
			}
		}
	}
}

func TestViewersAreTheMixTheyShouldBe(t *testing.T) {
	t.Parallel()
	w := NewWorld(Options{Seed: 2, Epoch: epoch, Viewers: 40_000})
	n := float64(w.Viewers())
	devices, nets := map[Device]float64{}, map[NetClass]float64{}
	oldTV, cmcd := 0.0, 0.0
	for i := range w.Viewers() {
		v := w.Viewer(i)
		devices[v.Device]++
		nets[v.home]++
		oldTV += float64(count(v.OldTV))
		cmcd += float64(count(v.CMCD))
		if v.OldTV && v.Device != TV || v.CMCD && v.Player != "hls.js" {
			t.Fatalf("not a viewer: %+v", v)
		}
	}
	near := func(what string, got, want float64) {
		// Four standard errors of a share.
		if math.Abs(got/n-want) > 4*math.Sqrt(want*(1-want)/n) {
			t.Errorf("%s: %.4f of viewers, want %.4f", what, got/n, want)
		}
	}
	for device, want := range map[Device]float64{Web: 0.35, IOS: 0.15, Android: 0.30, TV: 0.20} {
		near(device.String(), devices[device], want)
	}
	near("old televisions", oldTV, 0.20*oldTVShare)
	near("CMCD", cmcd, 0.35*0.5*cmcdShare)
	near("fixed lines at home", nets[NetFixed], (0.35+0.20)*0.45)
}

func TestViewerKeepsNetworkOfPlace(t *testing.T) {
	t.Parallel()
	w := smallWorld(3)
	seen := map[[2]int]*Trace{}
	for day := range 5 {
		for _, s := range w.Schedule(day) {
			v := w.Visit(s)
			key := [2]int{s.Viewer, int(v.Net)}
			if old := seen[key]; old != nil && old != v.course.link.trace {
				t.Fatalf("viewer %d has two links of class %s", s.Viewer, v.Net)
			}
			seen[key] = v.course.link.trace
		}
	}
}
