package postgres

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/splitcast/splitcast/experiment"
)

func TestComments(t *testing.T) {
	t.Parallel()
	db := open(t)
	exp := applySpecs(t, db, specOf("abr", "", 0))[0].Experiment
	mustExec(t, db, `insert into looks (experiment_id, version, number, at, watermark, arms) values ($1, $2, 1, $3, $3, '[]')`, exp.ID, exp.Version, testNow)
	metric, arm := exp.Plan.Primary[0], exp.Arms[1].Key
	said := func(edit func(*Comment)) (Comment, error) {
		c := Comment{Look: 1, Metric: metric, Arm: arm, Author: "ana", At: testNow, Text: "<b>Why?</b>\nשלום"}
		edit(&c)
		return db.AddComment(t.Context(), &exp, c)
	}
	for name, edit := range map[string]func(*Comment){
		"no text":             func(c *Comment) { c.Text = " \n" },
		"a text too long":     func(c *Comment) { c.Text = strings.Repeat("x", MaxCommentBytes+1) },
		"a zero byte":         func(c *Comment) { c.Text = "a\x00b" },
		"no UTF-8":            func(c *Comment) { c.Text = "a\xffb" },
		"a look to come":      func(c *Comment) { c.Look = 2 },
		"look 0":              func(c *Comment) { c.Look = 0 },
		"no metric":           func(c *Comment) { c.Metric = "" },
		"no arm":              func(c *Comment) { c.Arm = "" },
		"another metric":      func(c *Comment) { c.Metric = "nothing" },
		"control":             func(c *Comment) { c.Arm = exp.Arms[0].Key },
		"an arm that is none": func(c *Comment) { c.Arm = "nobody" },
	} {
		_, err := said(edit)
		wantCode(t, name, err, experiment.CodeInvalid)
	}
	first, err := said(func(c *Comment) { c.Text = " " + strings.Repeat("x", MaxCommentBytes) + " " })
	if err != nil {
		t.Fatalf("at the limit: %v", err)
	}
	second, err := said(func(c *Comment) { c.Metric, c.Arm = "", "" })
	if err != nil {
		t.Fatal(err)
	}
	got, err := db.Comments(t.Context(), exp.ID)
	if diff := cmp.Diff([]Comment{first, second}, got); err != nil || diff != "" {
		t.Errorf("Comments: %v (-want +got):\n%s", err, diff)
	}
	if _, err := db.sql.ExecContext(t.Context(), `update report_comments set text = 'other'`); err == nil {
		t.Error("a comment is changed")
	}
	mustExec(t, db, `insert into report_comments (experiment_id, version, look, metric, arm, author, at, text)
		select $1, 1, 1, '', '', 'ana', $2, 'x' from generate_series(3, $3)`, exp.ID, testNow, MaxComments)
	_, err = said(func(*Comment) {})
	wantCode(t, "a comment beyond the limit", err, experiment.CodeTooLarge)
}
