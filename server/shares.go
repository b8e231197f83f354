package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/splitcast/splitcast/experiment"
	"github.com/splitcast/splitcast/postgres"
	"github.com/splitcast/splitcast/report"
)

// DefaultShareDays is how long a shared report can be read unless somebody says
// otherwise.
const DefaultShareDays = 30

// maxSharedJSON bounds a shared report when it is unpacked: what is kept may
// compress well.
const maxSharedJSON = 64 << 20

// shareTokens signs the links of shared reports, so that guessing one costs no look
// into the database. The key is read once.
type shareTokens struct {
	db *postgres.DB

	mu  sync.Mutex
	key []byte
}

func (t *shareTokens) signed(ctx context.Context, text string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.key == nil {
		key, err := t.db.ShareKey(ctx)
		if err != nil {
			return "", err
		}
		t.key = key
	}
	mac := hmac.New(sha256.New, t.key)
	mac.Write([]byte("report share " + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// token returns the part of a link that opens a share: its id, when it ends, and
// the seal of both.
func (t *shareTokens) token(ctx context.Context, s *postgres.Share) (string, error) {
	text := s.ID + "." + strconv.FormatInt(s.ExpiresAt.Unix(), 10)
	seal, err := t.signed(ctx, text)
	return text + "." + seal, err
}

// open returns the id of a token. It returns CodeNotFound for one that is not
// ours, and CodeGone for one that has expired.
func (t *shareTokens) open(ctx context.Context, token string, now time.Time) (id string, err error) {
	at := strings.LastIndexByte(token, '.')
	if at < 0 {
		return "", noShare()
	}
	seal, err := t.signed(ctx, token[:at])
	if err != nil {
		return "", err
	}
	if !hmac.Equal([]byte(seal), []byte(token[at+1:])) {
		return "", noShare()
	}
	id, ends, _ := strings.Cut(token[:at], ".")
	unix, err := strconv.ParseInt(ends, 10, 64)
	if err != nil {
		return "", noShare()
	}
	if !now.Before(time.Unix(unix, 0)) {
		return "", experiment.Errorf(experiment.CodeGone, "", "this link has expired; ask for another one")
	}
	return id, nil
}

func noShare() error {
	return experiment.Errorf(experiment.CodeNotFound, "", "there is no such shared report")
}

// packReport returns a report as it is kept.
func packReport(r *report.Report) ([]byte, error) {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	if err := errors.Join(json.NewEncoder(zip).Encode(r), zip.Close()); err != nil {
		return nil, fmt.Errorf("pack report: %w", err)
	}
	return buf.Bytes(), nil
}

// unpackReport reads what packReport wrote.
func unpackReport(packed []byte) (report.Report, error) {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return report.Report{}, fmt.Errorf("unpack report: %w", err)
	}
	var r report.Report
	if err := json.NewDecoder(io.LimitReader(zip, maxSharedJSON)).Decode(&r); err != nil {
		return report.Report{}, fmt.Errorf("unpack report: %w", err)
	}
	return r, nil
}

// share freezes the report of an experiment at a look, 0 for the newest.
func (s *Server) share(ctx context.Context, key string, look, days int, who string) (postgres.Share, error) {
	exp, err := s.db.Get(ctx, key)
	if err != nil {
		return postgres.Share{}, err
	}
	rep, _, err := s.reports.build(ctx, &exp, look, s.now())
	if err != nil {
		return postgres.Share{}, err
	}
	packed, err := packReport(&rep)
	if err != nil {
		return postgres.Share{}, err
	}
	return s.db.CreateShare(ctx, postgres.NewShare{
		Experiment: &exp, Look: rep.Head.Look, Report: packed,
		Life: time.Duration(days) * 24 * time.Hour, Actor: who, Now: s.wall(),
	})
}

// ShareLink is a shared report with the address that opens it.
type ShareLink struct {
	postgres.Share

	Path string `json:"path" doc:"where the report can be read without signing in"`
}

func (s *Server) shareLink(ctx context.Context, sh *postgres.Share) (ShareLink, error) {
	token, err := s.shares.token(ctx, sh)
	return ShareLink{Share: *sh, Path: pathShared + token}, err
}

// shareLinks returns the links of an experiment that are open.
func (s *Server) shareLinks(ctx context.Context, key string) ([]ShareLink, error) {
	open, err := s.db.Shares(ctx, key, s.wall())
	if err != nil {
		return nil, err
	}
	out := make([]ShareLink, 0, len(open))
	for i := range open {
		link, err := s.shareLink(ctx, &open[i])
		if err != nil {
			return nil, err
		}
		out = append(out, link)
	}
	return out, nil
}

type shareInput struct {
	KeyInPath
	Body struct {
		Look int `json:"look,omitempty" minimum:"0" doc:"number of the look to freeze; absent: the newest"`
		Days int `json:"days,omitempty" minimum:"1" maximum:"90" default:"30" doc:"how long the link can be opened"`
	}
}

type shareOutput struct{ Body ShareLink }

type shareList struct {
	Body struct {
		Shares []ShareLink `json:"shares"`
	}
}

type shareID struct {
	KeyInPath
	ID string `path:"id" maxLength:"64"`
}

// shareAPI freezes reports for people who do not sign in.
func (s *Server) shareAPI(api huma.API) {
	const pattern = "/experiments/{key}/shares"
	serve(s, api, operation(http.MethodGet, pattern, "list-shares", "The links to frozen reports that are open", experiment.ScopeRead), experiment.ScopeRead,
		func(ctx context.Context, _ string, in *KeyInPath) (*shareList, error) {
			out := &shareList{}
			_, err := s.db.Get(ctx, in.Key)
			if err == nil {
				out.Body.Shares, err = s.shareLinks(ctx, in.Key)
			}
			return out, err
		})
	create := operation(http.MethodPost, pattern, "share-report", "Freeze the report at a look and make a link that opens it without signing in", experiment.ScopeWrite)
	create.DefaultStatus = http.StatusCreated
	serve(s, api, create, experiment.ScopeWrite, func(ctx context.Context, who string, in *shareInput) (*shareOutput, error) {
		sh, err := s.share(ctx, in.Key, in.Body.Look, in.Body.Days, who)
		if err != nil {
			return nil, err
		}
		link, err := s.shareLink(ctx, &sh)
		return &shareOutput{link}, err
	})
	serve(s, api, operation(http.MethodDelete, pattern+"/{id}", "revoke-share", "End a link", experiment.ScopeWrite), experiment.ScopeWrite,
		func(ctx context.Context, who string, in *shareID) (*struct{}, error) {
			return nil, s.db.RevokeShare(ctx, in.Key, in.ID, who, s.wall())
		})
}
