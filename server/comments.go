package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/web"
)

type commentList struct {
	Body struct {
		Comments []postgres.Comment `json:"comments"`
	}
}

type commentInput struct {
	KeyInPath
	Body struct {
		Look   int    `json:"look" minimum:"1" doc:"number of the look that the comment is about"`
		Metric string `json:"metric,omitempty" doc:"metric of the row; absent: the report as a whole"`
		Arm    string `json:"arm,omitempty" doc:"key of the row's treatment"`
		Text   string `json:"text" minLength:"1" maxLength:"2000"`
	}
}

type commentOutput struct{ Body postgres.Comment }

// commentAPI reads and adds what people say about reports.
func (s *Server) commentAPI(api huma.API) {
	const pattern = "/experiments/{key}/comments"
	serve(s, api, operation(http.MethodGet, pattern, "list-comments", "What people said about a report, oldest first", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *KeyInPath) (*commentList, error) {
			out := &commentList{}
			exp, err := s.db.Get(ctx, in.Key)
			if err == nil {
				out.Body.Comments, err = s.db.Comments(ctx, exp.ID)
			}
			return out, err
		})
	create := operation(http.MethodPost, pattern, "add-comment", "Say something about a row of a report at a look", experiment.ScopeWrite)
	create.DefaultStatus = http.StatusCreated
	serve(s, api, create, experiment.ScopeWrite, func(ctx context.Context, who string, in *commentInput) (*commentOutput, error) {
		c, err := s.comment(ctx, in.Key, postgres.Comment{Look: in.Body.Look, Metric: in.Body.Metric, Arm: in.Body.Arm, Text: in.Body.Text, Author: who})
		return &commentOutput{c}, err
	})
}

func (s *Server) comment(ctx context.Context, key string, c postgres.Comment) (postgres.Comment, error) {
	exp, err := s.db.Get(ctx, key)
	if err != nil {
		return postgres.Comment{}, err
	}
	c.At = s.wall()
	return s.db.AddComment(ctx, &exp, c)
}

// commentByForm adds what the form below a report says.
func (s *Server) commentByForm(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBody)
	if err := r.ParseForm(); err != nil {
		s.problemPage(w, r, formFault(err))
		return
	}
	look, err := strconv.Atoi(r.PostForm.Get(web.ParamLook))
	if err != nil {
		s.rejectForm(w, r, web.FormComment, experiment.Invalidf(web.ParamLook, "must be the number of a look"))
		return
	}
	key := chi.URLParam(r, "key")
	// Browsers send line ends as CR LF.
	c := postgres.Comment{Look: look, Text: strings.ReplaceAll(r.PostForm.Get(web.ParamText), "\r\n", "\n"), Author: s.web.GetString(r.Context(), sessionUser)}
	c.Metric, c.Arm, _ = strings.Cut(r.PostForm.Get(web.ParamRow), " ")
	added, err := s.comment(r.Context(), key, c)
	if err != nil {
		s.rejectForm(w, r, web.FormComment, err)
		return
	}
	http.Redirect(w, r, pathExperiments+"/"+key+"#comment-"+strconv.FormatInt(added.ID, 10), http.StatusSeeOther)
}
