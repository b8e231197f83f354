package postgres

import (
	"math"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/splitcast/splitcast/stats"
)

func TestJointRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 6).Draw(t, "variables")
		number := rapid.Float64Range(-1e300, 1e300)
		want := &stats.JointMoments{N: rapid.Int64Range(0, math.MaxInt64).Draw(t, "n")}
		for range k {
			want.Mean, want.Low = append(want.Mean, number.Draw(t, "mean")), append(want.Low, number.Draw(t, "low"))
		}
		for range k * (k + 1) / 2 {
			want.C = append(want.C, number.Draw(t, "c"))
		}
		got, err := parseJoint(string(appendJoint(nil, want)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("joint moments differ (-want +got):\n%s", diff)
		}
	})
}

func FuzzParseJoint(f *testing.F) {
	for _, seed := range []string{"[0]", "[1,2,0,3]", "[1,2]", "[", "[]", "[1,2,0,x]", "{}", "[1,1,2,3,4,5,6,7]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		j, err := parseJoint(text)
		if err != nil {
			return
		}
		again, err := parseJoint(string(appendJoint(nil, j)))
		if err != nil || again.N != j.N || len(again.C) != len(j.C) {
			t.Errorf("parseJoint(%q) = %+v, and again %+v, %v", text, j, again, err)
		}
	})
}
