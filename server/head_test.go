package server

import (
	"net/http"
	"slices"
	"testing"
)

// HEAD is answered as GET is, with the rights that GET needs; streams, which never end,
// and addresses that only take changes refuse it.
func TestHeadIsGetWithoutItsBody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cookie := map[string]string{"Cookie": b.signIn(t)}
	for _, sc := range []scenario{
		{name: "page", path: "/experiments", header: cookie, status: http.StatusOK},
		{name: "report", path: "/experiments/abr", header: cookie, status: http.StatusOK},
		{name: "sign-in", path: "/signin", status: http.StatusOK},
		{name: "a page without signing in", path: "/experiments?status=running", status: http.StatusSeeOther},
		{name: "API", path: apiPath + "/keys", header: cookie, status: http.StatusOK},
		{name: "API without a key", path: apiPath + "/keys", status: http.StatusUnauthorized},
		{name: "nothing there", path: "/nowhere", status: http.StatusNotFound},
		{name: "stream of flags", path: "/ofrep/v1/events", status: http.StatusMethodNotAllowed},
		{name: "stream of a report", path: "/experiments/abr/events", header: cookie, status: http.StatusMethodNotAllowed},
		{name: "changes only", path: "/ofrep/v1/evaluate/flags", status: http.StatusMethodNotAllowed},
	} {
		sc.method = http.MethodHead
		got := b.send(t, sc)
		if got.status != sc.status {
			t.Errorf("%s: HEAD %s = %d, want %d", sc.name, sc.path, got.status, sc.status)
		}
		if to := got.header.Get("Location"); sc.status == http.StatusSeeOther && to != "/signin?next=%2Fexperiments%3Fstatus%3Drunning" {
			t.Errorf("%s: HEAD leads to %q", sc.name, to)
		}
	}
	got := b.send(t, scenario{method: http.MethodDelete, path: "/experiments"})
	if allow := got.header.Values("Allow"); got.status != http.StatusMethodNotAllowed || !slices.Contains(allow, http.MethodHead) || !slices.Contains(allow, http.MethodGet) {
		t.Errorf("DELETE of a page = %d, allowed are %q", got.status, allow)
	}
}
