package stats_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/splitcast/splitcast/stats"
)

// A golden case is one known answer, made by another program or in high
// precision; testdata/golden/README.md holds the formula of each method.
type goldenCase struct {
	Name   string                     `json:"name"`
	Method string                     `json:"method"`
	Input  json.RawMessage            `json:"input"`
	Expect map[string]json.RawMessage `json:"expect"`
	RTol   float64                    `json:"rtol"`
	ATol   float64                    `json:"atol"`
}

// results are what an adapter computed, by the keys of expect: float64, bool,
// string, []float64, []int or results again.
type results map[string]any

// anyReason is the reason of a refusal where a case wants one, whatever its name.
type anyReason stats.Code

// adapter translates the input of a golden case to the library and back. It
// holds no formula.
type adapter func(input json.RawMessage) (results, error)

// wholeNumber is a count that its program wrote with a decimal point.
var wholeNumber = regexp.MustCompile(`(\d)\.0+([,\]}\s])`)

// on makes an adapter of a function with a typed input.
func on[In any](f func(in In) (results, error)) adapter {
	return func(raw json.RawMessage) (results, error) {
		var in In
		if err := json.Unmarshal(wholeNumber.ReplaceAll(raw, []byte("$1$2")), &in); err != nil {
			return nil, fmt.Errorf("decode input: %w", err)
		}
		return f(in)
	}
}

func goldenMethods() map[string]adapter {
	all := map[string]adapter{}
	for _, part := range []map[string]adapter{
		goldenNumerics(), goldenMeans(), goldenSequences(), goldenProportions(), goldenRobust(), goldenBoundaries(),
		goldenGrowthBook(), goldenDesigns(), goldenGroupSequential(),
	} {
		maps.Copy(all, part)
	}
	return all
}

// TestGolden runs every case of every file of testdata/golden and of the folder
// that GOLDEN_DIR names. A method without an adapter fails.
func TestGolden(t *testing.T) {
	t.Parallel()
	methods := goldenMethods()
	folders := []string{filepath.Join("testdata", "golden")}
	if extra := os.Getenv("GOLDEN_DIR"); extra != "" {
		if _, err := os.Stat(extra); err != nil && !filepath.IsAbs(extra) {
			extra = filepath.Join("..", extra) // as seen from the root of the module
		}
		folders = append(folders, extra)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.json"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no golden files in %s (%v)", folder, err)
		}
		for _, file := range files {
			name := strings.TrimSuffix(filepath.Base(file), ".json")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				runGoldenFile(t, file, methods)
			})
		}
	}
}

func runGoldenFile(t *testing.T, file string, methods map[string]adapter) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Cases []goldenCase `json:"cases"`
	}
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatalf("decode %s: %v", file, err)
	}
	for _, c := range content.Cases {
		t.Run(c.Name, func(t *testing.T) {
			run, ok := methods[c.Method]
			if !ok {
				t.Fatalf("method %q has no adapter", c.Method)
			}
			got, err := run(c.Input)
			if err != nil {
				t.Fatalf("%s(%s): %v", c.Method, shorten(c.Input), err)
			}
			for _, key := range slices.Sorted(maps.Keys(c.Expect)) {
				if err := matches(got[key], c.Expect[key], c.RTol, c.ATol); err != nil {
					t.Errorf("%s(%s): %s: %v", c.Method, shorten(c.Input), key, err)
				}
			}
		})
	}
}

// matches compares got with what the file wants. Strings that are numbers in
// words (inf, -inf, nan) match such numbers.
func matches(got any, raw json.RawMessage, rtol, atol float64) error {
	switch got := got.(type) {
	case nil:
		return errors.New("the adapter returned nothing")
	case float64:
		want, err := number(raw)
		if err != nil {
			return err
		}
		if !closeTo(got, want, rtol, atol) {
			return fmt.Errorf("got %.17g, want %.17g (off by %.2g, allowed %.2g)",
				got, want, math.Abs(got-want), atol+rtol*math.Abs(want))
		}
		return nil
	case []float64:
		var want []json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			return err
		}
		if len(got) != len(want) {
			return fmt.Errorf("got %d numbers, want %d", len(got), len(want))
		}
		for i := range got {
			if err := matches(got[i], want[i], rtol, atol); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	case anyReason:
		if got == "" {
			return errors.New("got no refusal")
		}
		return nil
	case results:
		var want map[string]json.RawMessage
		if err := json.Unmarshal(raw, &want); err != nil {
			return err
		}
		for key, value := range want {
			if err := matches(got[key], value, rtol, atol); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
		return nil
	}
	return matchesExactly(got, raw)
}

func matchesExactly(got any, raw json.RawMessage) error {
	text, err := json.Marshal(got)
	if err != nil {
		return err
	}
	var g, w any
	if err := errors.Join(json.Unmarshal(text, &g), json.Unmarshal(raw, &w)); err != nil {
		return err
	}
	if fmt.Sprint(g) != fmt.Sprint(w) {
		return fmt.Errorf("got %v, want %v", g, w)
	}
	return nil
}

func closeTo(got, want, rtol, atol float64) bool {
	if math.IsNaN(want) || math.IsInf(want, 0) || math.IsNaN(got) || math.IsInf(got, 0) {
		return got == want || math.IsNaN(got) && math.IsNaN(want)
	}
	return math.Abs(got-want) <= atol+rtol*math.Abs(want)
}

func number(raw json.RawMessage) (float64, error) {
	var word string
	if json.Unmarshal(raw, &word) == nil {
		switch word {
		case "inf":
			return math.Inf(1), nil
		case "-inf":
			return math.Inf(-1), nil
		case "nan":
			return math.NaN(), nil
		}
		return 0, fmt.Errorf("%q is not a number", word)
	}
	var x float64
	err := json.Unmarshal(raw, &x)
	return x, err
}

func shorten(raw json.RawMessage) string {
	const most = 300
	if len(raw) > most {
		return string(raw[:most]) + "..."
	}
	return string(raw)
}

// reasonOf returns the reason of a refusal, for cases that expect one.
func reasonOf(err error) stats.Code {
	if refusal, ok := errors.AsType[*stats.Refusal](err); ok {
		return refusal.Reason
	}
	return ""
}
