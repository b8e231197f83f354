package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// probeTimeout is shorter than the timeout of HEALTHCHECK in Dockerfile, so that the
// reason is told.
const probeTimeout = 4 * time.Second

type probeCmd struct {
	Server string `default:"http://127.0.0.1:8080" env:"SPLITCAST_SERVER" help:"Address of the server."`
}

// Run prints whether the server is ready, and fails when it is not: containers
// without a shell have no other way to ask.
func (c *probeCmd) Run(rt *runtime) error {
	ctx, cancel := context.WithTimeout(rt.ctx, probeTimeout)
	defer cancel()
	var answer struct {
		Status   string   `json:"status"`
		Warnings []string `json:"warnings"`
	}
	server := remote{Server: c.Server}
	if err := server.call(ctx, http.MethodGet, "/readyz", "", nil, &answer); err != nil {
		return err
	}
	_, err := fmt.Fprintln(rt.out, strings.Join(append([]string{answer.Status}, answer.Warnings...), "\n"))
	return err
}
