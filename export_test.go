package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExportCommand(t *testing.T) {
	t.Parallel()
	const path = "/api/v1/experiments/abr"
	answers := map[string]string{
		path + "/outcomes?format=csv": "csv", path + "/outcomes?format=parquet": "parquet", path + "/looks?format=ndjson": "looks",
		path + "/cells?all=true&format=csv&look=3": "cells", path + "/notebook?": "notebook", path + "/notebook": "notebook",
	}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.String()]
		switch {
		case r.Header.Get("Authorization") != "Bearer "+testToken:
			w.WriteHeader(http.StatusUnauthorized)
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"detail":"there is nothing at ` + r.URL.Path + `"}`))
		}
		_, _ = w.Write([]byte(text))
		if text == "cells" { // a file that ends too soon
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	defer ts.Close()
	dir := t.TempDir()
	for _, test := range []struct {
		args  []string
		file  string // that is written, if any
		want  string
		fails string
	}{
		{args: []string{"abr"}, want: "csv"},
		{args: []string{"abr", "-o", "o.parquet"}, file: "o.parquet", want: "parquet"},
		{args: []string{"abr", "--what", "looks", "-o", "looks.ndjson"}, file: "looks.ndjson", want: "looks"},
		{args: []string{"abr", "--what", "notebook", "-o", "abr.ipynb"}, file: "abr.ipynb", want: "notebook"},
		{args: []string{"abr", "--what", "cells", "--all", "--look", "3", "-o", "cells.csv"}, file: "cells.csv", fails: "the file is not whole"},
		{args: []string{"none", "-o", "none.csv"}, file: "none.csv", fails: "there is nothing at /api/v1/experiments/none/outcomes"},
		{args: []string{"abr", "--all"}, fails: "all: "},
		{args: []string{"abr", "--what", "notebook", "--format", "csv"}, fails: "format: "},
	} {
		for i, arg := range test.args {
			if arg == test.file && i > 0 && arg != "" {
				test.args[i] = filepath.Join(dir, arg)
			}
		}
		printed, err := commandLine(t, append([]string{"export", "--server", ts.URL, "--token", testToken}, test.args...)...)
		checkFailure(t, test.args, err, test.fails)
		got := printed
		if test.file != "" {
			text, readErr := os.ReadFile(filepath.Join(dir, test.file))
			if readErr == nil != (test.fails == "") {
				t.Errorf("export %q: the file is %v", test.args, readErr)
			}
			got = string(text)
		}
		if err == nil && got != test.want {
			t.Errorf("export %q = %q, want %q", test.args, got, test.want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.part-*")); err != nil || len(left) > 0 {
		t.Errorf("parts are left behind: %v, %v", left, err)
	}
}

// checkFailure compares an error with the text that it must hold; none must be nil.
func checkFailure(t *testing.T, args []string, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("%q: %v", args, err)
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		t.Errorf("%q: %v, want an error with %q", args, err, want)
	}
}
