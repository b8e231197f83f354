package web

import (
	"fmt"
	"net/url"

	"github.com/splitcast/splitcast/experiment"
)

// ParamSince is what the reader's page shows, as LiveMark has it.
const ParamSince = "since"

// LiveMark says in one word what a report is made from. A page whose mark is another
// than that of the server is no longer the newest.
func LiveMark(version, look int, status experiment.Status) string {
	return fmt.Sprintf("%d.%d.%s", version, look, status)
}

// livePart lets a script keep the page up to date.
type livePart struct{ URL string }

// newLive prepares it; nil for what does not change: the past, what is frozen, and
// experiments that are over.
func newLive(v *ReportView) *livePart {
	h := &v.Report.Head
	over := h.Status == experiment.StatusArchived || h.Status == experiment.StatusStopped
	if v.Events == "" || v.Frozen != nil || h.Look != v.Latest || over {
		return nil
	}
	return &livePart{URL: v.Events + "?" + url.Values{ParamSince: {LiveMark(h.Version, h.Look, h.Status)}}.Encode()}
}
