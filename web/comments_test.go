package web

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestComments(t *testing.T) {
	t.Parallel()
	v := reportView(sample(t, "six_arms"))
	v.Comment = "/experiments/abr-safety-75/comments"
	at := time.Date(2026, 11, 9, 10, 0, 0, 0, time.UTC)
	v.Comments = []CommentView{
		{ID: 1, Version: 1, Look: 2, Metric: "stall_ratio", Arm: "treatment-1", Author: "ana", At: at, Text: "First <b>bold</b>"},
		{ID: 2, Version: 1, Look: 3, Metric: "stall_ratio", Arm: "treatment-1", Author: "מירה", At: at, Text: "Second"},
		{ID: 3, Version: 7, Look: 900, Metric: "gone", Arm: "treatment-1", Author: "ben", At: at, Text: "Of another version"},
		{ID: 4, Version: 1, Look: 999, Author: "ben", At: at, Text: "From the future"},
	}
	page := renderReport(t, v)
	checkPage(t, page)
	for _, want := range []string{`href="#comment-2">2 comments</a>`, "First &lt;b&gt;bold", "look 900 of version 7", `id="comment-3"`, "Comment on this row"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "From the future") {
		t.Error("the page shows what was said of a later look")
	}
	if strings.Index(page, "Second") > strings.Index(page, "First &lt;b&gt;") {
		t.Error("comments are not newest first")
	}
	for i := range MaxShownComments + 1 {
		v.Comments = append(v.Comments, CommentView{ID: int64(10 + i), Version: 1, Look: 1, Author: "ana", At: at, Text: "more " + strconv.Itoa(i)})
	}
	if page := renderReport(t, v); strings.Count(page, `<li id="comment-`) != MaxShownComments || !strings.Contains(page, "4 older ones") {
		t.Error("more comments are shown than fit")
	}
}

func TestFrozenReportOnlyReads(t *testing.T) {
	t.Parallel()
	r := sample(t, "ship")
	at := time.Date(2026, 11, 9, 10, 0, 0, 0, time.UTC)
	page := renderReport(t, ReportView{Report: &r, Latest: r.Head.Look, Frozen: &Frozen{At: at, Expires: at.AddDate(0, 0, 30)}})
	checkPage(t, page)
	if !strings.Contains(page, "Frozen as of look 20") || !strings.Contains(page, "9 Dec 2026") {
		t.Error("the page does not say that it is frozen, and until when")
	}
	for _, absent := range []string{`method="post"`, "<nav class=\"walk\"", "/api/v1/", "Comment"} {
		if strings.Contains(page, absent) {
			t.Errorf("a frozen report has %q", absent)
		}
	}
}
