package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/bench/workload"
	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/server"
)

const (
	singlePath = "/ofrep/v1/evaluate/flags/{key}"
	bulkPath   = "/ofrep/v1/evaluate/flags"
)

// splitcastHandler is the project's OFREP as the server mounts it, without the
// check of API keys. Exposures go to a queue that somebody empties.
func splitcastHandler(experiments int) (http.Handler, error) {
	snap, err := assignment.Compile(workload.Splitcast(experiments))
	if err != nil {
		return nil, err
	}
	queue := make(chan experiment.Exposure, 1<<10)
	go func() {
		for range queue { // lives as long as the process
		}
	}()
	o := &server.OFREP{
		Snapshot:  func() *assignment.Snapshot { return snap },
		Expose:    func(x experiment.Exposure) { queue <- x },
		Now:       time.Now,
		Subscribe: func() (<-chan int64, func()) { return nil, func() {} },
	}
	r := chi.NewRouter()
	r.Use(o.CORS)
	r.Post(singlePath, o.Single)
	r.Post(bulkPath, o.Bulk)
	return r, nil
}

// floorHandler decodes the body with encoding/json and writes constant JSON of
// the given sizes: what a Go service pays before it does anything.
func floorHandler(single, bulk int) http.Handler {
	constant := func(size int) http.HandlerFunc {
		body := []byte(`{"pad":"` + strings.Repeat("x", max(0, size-len(`{"pad":""}`))) + `"}`)
		length := strconv.Itoa(len(body))
		return func(w http.ResponseWriter, r *http.Request) {
			var v struct {
				Context map[string]any `json:"context"`
			}
			if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", length)
			_, _ = w.Write(body)
		}
	}
	r := chi.NewRouter()
	r.Post(singlePath, constant(single))
	r.Post(bulkPath, constant(bulk))
	return r
}
