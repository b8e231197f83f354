package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/metrics"
	"github.com/splitcast/splitcast/web"
)

// pathFind finds experiments and metrics for the palette.
const pathFind = "/find"

// maxFound is how many the palette shows: one types on rather than scrolls.
const maxFound = 8

// found is an experiment or a metric that the palette offers.
type found struct {
	Key    string `json:"key"`
	Name   string `json:"name"`
	Status string `json:"status"` // of an experiment; else what it is
	URL    string `json:"url"`
}

// find answers with the experiments whose key, name or owner holds the text;
// those whose key or name begins with it come first. Metrics follow, where there is
// room.
func (s *Server) find(w http.ResponseWriter, r *http.Request) {
	all, err := s.db.List(r.Context())
	if err != nil {
		s.problem(w, r, err)
		return
	}
	filter := web.Filter{Query: web.ReadFilter(r.URL.Query()).Query}
	first, later := []found{}, []found{}
	for i := range all {
		e := &all[i]
		if !filter.Matches(e) {
			continue
		}
		hit := found{Key: e.Key, Name: e.Name, Status: string(e.Status), URL: pathExperiments + "/" + e.Key}
		if hit.Name == "" {
			hit.Name = e.Key
		}
		text := strings.ToLower(filter.Query)
		if strings.HasPrefix(strings.ToLower(e.Key), text) || strings.HasPrefix(strings.ToLower(e.Name), text) {
			first = append(first, hit)
			continue
		}
		later = append(later, hit)
	}
	catalogue, err := s.db.Catalogue(r.Context())
	if err != nil {
		s.problem(w, r, err)
		return
	}
	hits := slices.Concat(first, later, foundMetrics(catalogue.All(), filter.Query))
	body, err := json.Marshal(hits[:min(maxFound, len(hits))])
	if err != nil {
		s.problem(w, r, err)
		return
	}
	writeJSONBytes(w, http.StatusOK, body)
}

// foundMetrics are the metrics whose key or name holds the text.
func foundMetrics(all []metrics.Definition, text string) []found {
	var out []found
	text = strings.ToLower(text)
	for i := range all {
		if m := &all[i]; text != "" && (strings.Contains(m.Key, text) || strings.Contains(strings.ToLower(m.Name), text)) {
			out = append(out, found{Key: m.Key, Name: m.Name, Status: "metric", URL: pathCatalogue + "/" + m.Key})
		}
	}
	return out
}
