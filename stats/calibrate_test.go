//go:build !race

package stats_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestCalibration runs all sections, in short or in full.
func TestCalibration(t *testing.T) {
	full := fullCalibration()
	if !full {
		t.Parallel()
	}
	var tables strings.Builder
	var twice []confirmation
	for _, section := range calibrationSections() {
		if strings.Contains(section.title, *calibrateOnly) {
			t.Run(section.title, func(t *testing.T) {
				table, confirmed := section.run(t, full)
				fmt.Fprintf(&tables, "\n## %s\n\n%s\n\n%s", section.title, section.text, table)
				twice = append(twice, confirmed...)
			})
		}
	}
	page := calibrationPreface() + confirmationTable(twice) + tables.String()
	switch {
	case !full:
	case *calibrateOnly != "":
		t.Log(page)
	default:
		if err := os.WriteFile(calibrationPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
