package server

import (
	"net/http"
	"testing"
)

func TestChartFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.runJob(t, 2)
	signedIn := map[string]string{"Cookie": b.signIn(t)}
	b.play(t, []scenario{
		{name: "chart", method: "GET", path: "/experiments/abr/chart.svg?chart=looks", header: signedIn, status: 200, has: []string{`xmlns="http://www.w3.org/2000/svg"`, "ABR safety"}},
		{name: "of a look", method: "GET", path: "/experiments/abr/chart.svg?chart=primary&look=1", header: signedIn, status: 200, has: []string{"Stall ratio"}},
		{name: "unknown chart", method: "GET", path: "/experiments/abr/chart.svg?chart=nothing", header: signedIn, status: 404},
		{name: "no chart", method: "GET", path: "/experiments/abr/chart.svg", header: signedIn, status: 404},
		{name: "no experiment", method: "GET", path: "/experiments/nothing/chart.svg?chart=looks", header: signedIn, status: 404},
		{name: "stranger", method: "GET", path: "/experiments/abr/chart.svg?chart=looks", status: 303, lacks: []string{"ABR safety"}},
	})
	got := b.send(t, scenario{method: "GET", path: "/experiments/abr/chart.svg?chart=looks", header: signedIn})
	for name, want := range map[string]string{
		"Content-Type": "image/svg+xml", "Content-Security-Policy": chartPolicy, "Content-Disposition": `inline; filename="abr-looks.svg"`,
	} {
		if have := got.header.Get(name); got.status != http.StatusOK || have != want {
			t.Errorf("%s = %q, want %q", name, have, want)
		}
	}
}
