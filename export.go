package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/splitcast/splitcast/experiment"
)

// exportCmd is the command line of export.
type exportCmd struct {
	remote
	Key    string `arg:"" help:"Key of the experiment."`
	What   string `default:"outcomes" enum:"outcomes,cells,looks,notebook" help:"outcomes: one row a unit and window, with pseudonyms for units; cells: the moments that a look is made of; looks: the units counted; notebook: a Jupyter notebook that computes the primary effects again from the outcomes."`
	Format string `enum:"csv,ndjson,parquet,," default:"" help:"csv, ndjson or parquet; default by the name of the file, else csv."`
	Output string `short:"o" default:"-" help:"File to write; - writes to standard output."`
	Look   int    `help:"Number of a past look; 0 is the newest."`
	All    bool   `help:"Of cells, the totals of all looks up to that one."`
}

// Run writes the file.
func (c *exportCmd) Run(rt *runtime) error {
	path, err := c.path()
	if err != nil {
		return err
	}
	if c.Output == "-" {
		return c.download(rt.ctx, path, rt.out)
	}
	return writeWhole(c.Output, func(w io.Writer) error { return c.download(rt.ctx, path, w) })
}

// path returns the address of the file on the server.
func (c *exportCmd) path() (string, error) {
	query := url.Values{}
	format := c.Format
	if format == "" {
		if format = strings.TrimPrefix(filepath.Ext(c.Output), "."); format != "ndjson" && format != "parquet" {
			format = "csv"
		}
	}
	switch {
	case c.What == "notebook" && c.Format != "":
		return "", experiment.Invalidf("format", "a notebook has no other format")
	case c.All && c.What != "cells":
		return "", experiment.Invalidf("all", "is of cells; looks are all written in any case")
	case c.What != "notebook":
		query.Set("format", format)
	}
	if c.Look != 0 {
		query.Set("look", strconv.Itoa(c.Look))
	}
	if c.All {
		query.Set("all", "true")
	}
	return "/api/v1/experiments/" + url.PathEscape(c.Key) + "/" + c.What + "?" + query.Encode(), nil
}

// download copies what the server answers. It has no time limit: a file may be
// long, and the server ends connections that stand still.
func (r *remote) download(ctx context.Context, path string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(r.Server, "/")+path, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.Token)
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ResponseHeaderTimeout: remoteTimeout}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return fmt.Errorf("reach the server: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes))
		if err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
		return problemError(res.StatusCode, answer)
	}
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the file is not whole: %w", err)
	}
	return nil
}

// writeWhole writes a file that is there only when it is whole.
func writeWhole(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // the first error is the one to tell
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
