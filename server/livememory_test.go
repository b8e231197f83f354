package server

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"

	"github.com/splitcast/splitcast/experiment"
)

// Budgets of an experiment with an audience of three alternatives, in bytes, a
// quarter above what they take. 5,000 experiments keep 10 MB, a publish leaves 10 MB
// to the collector.
const (
	maxRetained       = 2_600 // snapshot, document, marks, flagd document
	maxPublishGarbage = 2_500 // when one of them changes
)

// audienceOf is unlike that of any other n, as those of people are.
func audienceOf(n int) *experiment.Audience {
	text := func(attr string, values ...string) experiment.Audience {
		a := experiment.Audience{Attr: attr, Op: experiment.OpIn}
		for _, v := range values {
			a.Values = append(a.Values, experiment.Scalar{V: v})
		}
		return a
	}
	return &experiment.Audience{Any: []experiment.Audience{
		{All: []experiment.Audience{text("country", "DE", "FR", "JP", "BR"), text("platform", "ios", "tvos")}},
		{All: []experiment.Audience{text("player", "hls.js", "dash.js"), text("build", fmt.Sprint(5000+n))}},
		text("region", "eu", "us", fmt.Sprint("r-", n)),
	}}
}

// heapInUse returns the bytes that live.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC() // what the first found to be dead is swept by the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// What a server keeps of its experiments, and what a publish of one of them costs,
// stays within the budgets. Other tests would count, so this one runs alone.
func TestLiveMemory(t *testing.T) {
	const experiments = 2_000
	source := &markedSource{marks: map[string]experiment.Mark{}}
	for i := range experiments {
		source.add(fmt.Sprintf("e-%04d", i))
		source.cfg.Experiments[i].Audience = audienceOf(i)
	}
	live := NewLive(LiveConfig{Load: source.load, Now: (&handClock{at: testNow}).Now, Log: slog.New(slog.DiscardHandler)})
	before := heapInUse()
	refresh := func() {
		source.cfg.Version++
		if err := live.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	refresh()
	flagd, err := newFlagdDocument(live.Snapshot(), nil, live.Snapshot().WriteFlagd)
	if err != nil {
		t.Fatal(err)
	}
	retained := (heapInUse() - before) / experiments
	runtime.KeepAlive(flagd)
	runtime.KeepAlive(source)

	var was, is runtime.MemStats
	const publishes = 5
	runtime.ReadMemStats(&was)
	for range publishes {
		source.touch("e-1000")
		refresh()
	}
	runtime.ReadMemStats(&is)
	garbage := (is.TotalAlloc - was.TotalAlloc) / publishes / experiments
	t.Logf("%d bytes an experiment are kept, a publish allocates %d", retained, garbage)
	if retained > maxRetained || garbage > maxPublishGarbage {
		t.Errorf("%d bytes an experiment are kept, a publish allocates %d; want at most %d and %d", retained, garbage, maxRetained, maxPublishGarbage)
	}
	if _, ok := live.Snapshot().Find("e-1000"); !ok {
		t.Error("an experiment is missing")
	}
}
