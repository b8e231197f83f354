package server

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/web"
)

// pathFind finds experiments for the palette.
const pathFind = "/find"

// maxFound is how many the palette shows: one types on rather than scrolls.
const maxFound = 8

// found is an experiment that the palette offers.
type found struct {
	Key    string            `json:"key"`
	Name   string            `json:"name"`
	Status experiment.Status `json:"status"`
	URL    string            `json:"url"`
}

// find answers with the experiments whose key, name or owner holds the text;
// those whose key or name begins with it come first.
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
		hit := found{Key: e.Key, Name: e.Name, Status: e.Status, URL: pathExperiments + "/" + e.Key}
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
	hits := slices.Concat(first, later)
	body, err := json.Marshal(hits[:min(maxFound, len(hits))])
	if err != nil {
		s.problem(w, r, err)
		return
	}
	writeJSONBytes(w, http.StatusOK, body)
}
