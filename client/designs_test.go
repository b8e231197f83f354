package client

import (
	"fmt"
	"strings"
	"testing"
)

// Designs whose arms the unit's hash decides are evaluated here with the arms of
// the server; one that depends on the time says why it is not.
func TestDesigns(t *testing.T) {
	t.Parallel()
	for design, reason := range map[string]string{
		"ab": "", "release": "", "cluster": "", "switchback": "over HTTP", "two_sided": "too old", "bandit": "too old",
	} {
		text := fmt.Sprintf(`{"version":1,"layers":[{"key":"a","unit":"broadcaster","salt":"l"}],"experiments":[{"key":"a","unit":"broadcaster","design":%q,"status":"running",
			"salt":"s","version":1,"slot_ranges":[{"from":0,"to":10000}],"arms":[{"key":"x","weight":1,"value":1},{"key":"y","weight":1,"value":2}]}]}`, design)
		st, err := newState([]byte(text), `"1"`, newSeenSet())
		if err != nil {
			t.Fatal(err)
		}
		if why := st.entries["a"].why; !strings.Contains(why, reason) || (why == "") != (reason == "") {
			t.Errorf("%s is left out because %q, want %q", design, why, reason)
		}
		if evaluated := st.snapshot.Len() == 1; evaluated != (reason == "") {
			t.Errorf("%s is evaluated: %v", design, evaluated)
		}
	}
}
