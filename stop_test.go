package main

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/splitcast/splitcast/internal/pgtest"
)

// A client that stands still is broken off when a server stops, and takes nothing
// of the time in which it writes what it owes.
func TestStopBreaksOffWhatWouldNotEnd(t *testing.T) {
	dsn := pgtest.New(t)
	p := startTestPlatform(t, dsn)
	r := remote{Server: p.url(), Token: testToken}
	var answer any
	document := strings.Replace(commandDocument, "    audience: {", "    # audience: {", 1)
	if err := r.call(t.Context(), http.MethodPost, "/api/v1/experiments", "application/yaml", []byte(document), &answer); err != nil {
		t.Fatal(err)
	}
	still, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer still.Close()
	fmt.Fprintf(still, "POST /v1/exposures HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n", testToken)
	if line, err := bufio.NewReader(still).ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") { // the handler reads now
		t.Fatalf("the server says %q, %v", line, err)
	}
	evaluation := []byte(`{"context":{"targetingKey":"v-1"}}`)
	if err := r.call(t.Context(), http.MethodPost, "/ofrep/v1/evaluate/flags/abr-safety-75", "application/json", evaluation, &answer); err != nil {
		t.Fatal(err)
	}
	p.drain = time.Millisecond
	if err := p.close(); err != nil {
		t.Errorf("close = %v", err)
	}
	db, err := sql.Open("postgres", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stored := 0
	if err := db.QueryRowContext(t.Context(), "select count(*) from exposures").Scan(&stored); err != nil || stored != 1 {
		t.Errorf("%d exposures are stored, %v, want 1", stored, err)
	}
}

// The stop waits for the tasks, which must not wait for somebody to hear why they
// failed.
func TestFailuresDoNotKeepTheStopWaiting(t *testing.T) {
	p := startTestPlatform(t, pgtest.New(t))
	first := errors.New("the first failure")
	p.fail(first)
	p.fail(errors.New("another failure"))
	if err := p.wait(t.Context()); !errors.Is(err, first) {
		t.Errorf("wait = %v, want the first failure", err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}
