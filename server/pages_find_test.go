package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// The palette finds experiments by key, name or owner: those that begin with the
// text first, and no more than fit.
func TestFind(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var specs strings.Builder
	for i := range maxFound + 1 {
		fmt.Fprintf(&specs, `,{"key":"e-%d","name":"Later abr %d","unit":"viewer","design":"ab","status":"draft","arms":[{"key":"control","weight":1,"value":1},{"key":"treatment","weight":1,"value":2}],"plan":{"primary":["bitrate"]}}`, i, i)
	}
	b.apply(t, `{"experiments":[`+specs.String()[1:]+`]}`)
	cookie := b.signIn(t)
	keys := func(query string) (out []string) {
		got := b.send(t, scenario{method: "GET", path: pathFind + "?q=" + query, header: map[string]string{"Cookie": cookie}})
		var hits []found
		if err := json.Unmarshal([]byte(got.body), &hits); err != nil || got.status != http.StatusOK {
			t.Fatalf("find %s = %d, %v: %s", query, got.status, err, got.body)
		}
		for _, h := range hits {
			out = append(out, h.Key)
		}
		return out
	}
	if got := keys("ABR"); len(got) != maxFound || got[0] != "abr" {
		t.Errorf("find ABR = %v, want %d with abr first", got, maxFound)
	}
	if got := keys("ana"); len(got) != 1 || got[0] != "abr" {
		t.Errorf("find ana = %v, want her experiment", got)
	}
	if got := keys("stall+ratio"); len(got) == 0 || got[0] != "stall_ratio" {
		t.Errorf("find stall ratio = %v, want the metric first", got)
	}
	if got := keys("nothing"); len(got) != 0 {
		t.Errorf("find nothing = %v", got)
	}
	if got := b.send(t, scenario{method: "GET", path: pathFind + "?q=abr"}); got.status != http.StatusSeeOther {
		t.Errorf("a stranger finds with %d", got.status)
	}
}
