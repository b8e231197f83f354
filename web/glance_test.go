package web

import (
	"strings"
	"testing"

	"github.com/splitcast/splitcast/report"
)

// The answers at the top say what the rows below say.
func TestGlance(t *testing.T) {
	t.Parallel()
	all := variants(t)
	for name, want := range map[string][3]string{
		"ship":             {"Yes", "No", "Yes"},
		"srm":              {"No", "Not said", "Not said"},
		"segment_harm":     {"Yes", "In a part", "Yes"},
		"guardrail_breach": {"Yes", "Yes", "Not proven"},
		"quality":          {"Yes", "Yes", "No"},
		"stop_no_effect":   {"Yes", "Not proven yet", "Not enough"},
	} {
		r, ok := all[name]
		if !ok {
			t.Fatalf("there is no variant %q", name)
		}
		var got [3]string
		for i, p := range newGlance(&r) {
			got[i] = p.Word
		}
		if got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r := all["no_data"]; newGlance(&r) != nil {
		t.Error("a report without looks answers something")
	}
	bare := sample(t, "ship")
	bare.Guardrails = nil
	if p := glanceHarm(&bare); p.Word != "Not known" {
		t.Errorf("without guardrails: %+v", p)
	}
	if got := firstNames([]string{"a", "b", "c", "d"}); got != "a, b, 2 more" {
		t.Errorf("firstNames = %q", got)
	}
	warned := []report.Check{{State: report.CheckOK}, {Title: "Split", State: report.CheckWarn}}
	if p := glanceTrust(warned); p.Word != "Look first" || p.Text != "at: Split" {
		t.Errorf("with a warning: %+v", p)
	}
	warned[1].State = report.CheckUnknown
	if p := glanceTrust(warned); p.Word != "So far" || !strings.HasPrefix(p.Text, "1 of 2 checks") {
		t.Errorf("with a check that is not known: %+v", p)
	}
}

// Imported units are told by arm, with what that means for trust.
func TestImportedUnits(t *testing.T) {
	t.Parallel()
	r := sample(t, "typical")
	if page := renderReport(t, reportView(r)); strings.Contains(page, "imported") {
		t.Error("a report of our own units speaks of imported ones")
	}
	r.Head.Arms = append([]report.Arm(nil), r.Head.Arms...)
	r.Head.Arms[0].Imported, r.Head.Arms[1].Imported = 1_234, 1
	page := renderReport(t, reportView(r))
	checkPage(t, page)
	for _, want := range []string{"units, 1,234 imported", "1,235 units were imported: 1,234 of ", "Their arms were drawn elsewhere"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}
