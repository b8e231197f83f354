package server

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
)

type layerList struct {
	Body struct {
		Layers []postgres.LayerMap `json:"layers"`
	}
}

type holdoutList struct {
	Body struct {
		Holdouts []experiment.Holdout `json:"holdouts"`
	}
}

type freezeList struct {
	Body struct {
		Freezes []experiment.Freeze `json:"freezes"`
	}
}

type listList struct {
	Body struct {
		Lists []postgres.ListInfo `json:"lists"`
	}
}

// ListInPath is the part of an input that names a list.
type ListInPath struct {
	Key string `path:"key" doc:"key of the list" example:"beta-testers"`
}

type listInput struct {
	ListInPath
	Unit    experiment.UnitType `query:"unit" doc:"what the ids of a text are of, if they are of units"`
	Type    string              `header:"Content-Type"`
	RawBody []byte
}

type listOutput struct{ Body postgres.AppliedList }

type listText struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// maxListBytes is the largest upload: a full list of the longest ids in JSON.
const maxListBytes = experiment.MaxListIDs * (experiment.MaxUnitIDBytes + 4)

// programmeAPI is what experiments share: layers, holdouts, windows, lists.
func (s *Server) programmeAPI(api huma.API) {
	const read, write = experiment.ScopeRead, experiment.ScopeWrite
	serve(s, api, operation(http.MethodGet, "/layers", "list-layers", "All layers, and which experiment owns which slots", read), read,
		func(ctx context.Context, _ string, _ *struct{}) (out *layerList, err error) {
			out = &layerList{}
			out.Body.Layers, err = s.db.Layers(ctx)
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/holdouts", "list-holdouts", "All holdouts, ended ones too", read), read,
		func(ctx context.Context, _ string, _ *struct{}) (out *holdoutList, err error) {
			out = &holdoutList{}
			out.Body.Holdouts, err = s.db.Holdouts(ctx)
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/freezes", "list-freezes", "The freeze windows that are not over", read), read,
		func(ctx context.Context, _ string, _ *struct{}) (out *freezeList, err error) {
			out = &freezeList{}
			out.Body.Freezes, err = s.db.Freezes(ctx, s.now())
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/lists", "list-lists", "All lists, without their ids", read), read,
		func(ctx context.Context, _ string, _ *struct{}) (out *listList, err error) {
			out = &listList{}
			out.Body.Lists, err = s.db.Lists(ctx)
			return out, err
		})
	serve(s, api, operation(http.MethodGet, "/lists/{key}", "get-list", "The ids of a list, one a line", read), read,
		func(ctx context.Context, _ string, in *ListInPath) (*listText, error) {
			text, err := s.db.ListText(ctx, in.Key)
			return &listText{"text/plain; charset=us-ascii", []byte(text)}, err
		})
	put := operation(http.MethodPut, "/lists/{key}", "put-list", "Create a list or replace its ids", write)
	put.MaxBodyBytes = maxListBytes + 1
	put.SkipValidateBody = true
	put.RequestBody = &huma.RequestBody{
		Required: true, Description: "One id a line, or the list in JSON.",
		Content: map[string]*huma.MediaType{
			"text/plain":       {Schema: &huma.Schema{Type: huma.TypeString}},
			"application/json": {Schema: &huma.Schema{Type: huma.TypeObject}},
		},
	}
	serve(s, api, put, write, s.putList)
	serve(s, api, operation(http.MethodDelete, "/lists/{key}", "remove-list", "Remove a list that no experiment refers to", write), write,
		func(ctx context.Context, who string, in *ListInPath) (*struct{}, error) {
			err := s.db.RemoveList(ctx, in.Key, s.applyOptions(ctx, who))
			if err == nil {
				s.published(ctx)
			}
			return nil, err
		})
}

func (s *Server) putList(ctx context.Context, who string, in *listInput) (*listOutput, error) {
	if len(in.RawBody) > maxListBytes {
		return nil, experiment.Errorf(experiment.CodeTooLarge, "", "the list is larger than %d bytes", maxListBytes)
	}
	list := experiment.List{Unit: in.Unit}
	var err error
	if strings.Contains(in.Type, "json") {
		strict := json.NewDecoder(bytes.NewReader(in.RawBody))
		strict.DisallowUnknownFields()
		if err = strict.Decode(&list); err != nil && len(experiment.Faults(err)) == 0 {
			err = experiment.Invalidf("", "%v", err)
		}
	} else {
		list.IDs, err = experiment.ParseIDSet(string(in.RawBody))
	}
	if err != nil {
		return nil, err
	}
	list.Key = in.Key
	out, err := s.db.ApplyDocument(ctx, experiment.Document{Lists: []experiment.List{list}}, s.applyOptions(ctx, who))
	if err != nil {
		return nil, err
	}
	s.published(ctx)
	return &listOutput{out.Lists[0]}, nil
}
