package server

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/report"
)

type reportInput struct {
	KeyInPath
	Look int `query:"look" minimum:"0" doc:"number of the look to go back to; 0 or absent: the newest"`
}

type reportOutput struct{ Body report.Report }

type fileOutput struct {
	Type        string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (s *Server) reportAPI(api huma.API) {
	serve(s, api, operation(http.MethodGet, "/experiments/{key}/report", "get-report", "The report of an experiment, now or as of any past look", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *reportInput) (*reportOutput, error) {
			r, err := s.report(ctx, in)
			return &reportOutput{r}, err
		})
	csv := operation(http.MethodGet, "/experiments/{key}/report.csv", "get-report-csv", "The rows of a report as CSV", experiment.ScopeRead)
	serve(s, api, csv, experiment.ScopeRead, func(ctx context.Context, _ string, in *reportInput) (*fileOutput, error) {
		r, err := s.report(ctx, in)
		if err != nil {
			return nil, err
		}
		var buf bytes.Buffer
		if err := r.WriteCSV(&buf); err != nil {
			return nil, err
		}
		return &fileOutput{"text/csv; charset=utf-8", fmt.Sprintf("attachment; filename=%q", in.Key+".csv"), buf.Bytes()}, nil
	})
}

func (s *Server) report(ctx context.Context, in *reportInput) (report.Report, error) {
	exp, err := s.db.Get(ctx, in.Key)
	if err != nil {
		return report.Report{}, err
	}
	r, _, err := s.reports.build(ctx, &exp, in.Look, s.now())
	return r, err
}
