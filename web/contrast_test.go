package web

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// minContrast is WCAG 2.2 success criterion 1.4.3 for text (level AA).
const minContrast = 4.5

// luminance is the relative luminance of WCAG 2.2.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(v) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
			continue
		}
		sum += weight * math.Pow((c+0.055)/1.055, 2.4)
	}
	return sum
}

func TestTextHasContrastInEveryTheme(t *testing.T) {
	t.Parallel()
	css, err := staticFiles.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`--([a-z0-9-]+): light-dark\(#([0-9a-f]{3,6}), #([0-9a-f]{3,6})\)`)
	colours := map[string][2]string{} // the first definition, which is that of normal contrast
	for _, m := range token.FindAllStringSubmatch(string(css), -1) {
		if _, seen := colours[m[1]]; !seen {
			colours[m[1]] = [2]string{m[2], m[3]}
		}
	}
	pairs := map[string][]string{
		"page": {"ink", "ink-2", "ink-3", "accent"}, "card": {"ink", "ink-2", "ink-3", "accent", "better", "worse", "open", "trust"},
		"sunk": {"ink", "ink-2", "ink-3"}, "better-soft": {"better"}, "worse-soft": {"worse"}, "open-soft": {"open"}, "trust-soft": {"trust"}, "wall": {"ink-2"},
	}
	for ground, texts := range pairs {
		for _, text := range texts {
			for i, theme := range []string{"light", "dark"} {
				a, b := luminance(t, colours[ground][i]), luminance(t, colours[text][i])
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < minContrast {
					t.Errorf("%s on %s has contrast %.2f in the %s theme, want at least %.1f", text, ground, ratio, theme, minContrast)
				}
			}
		}
	}
}
