package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	beatsPerRequest   = 200 // what a collector in front of players gathers
	recordsPerRequest = 20  // what a player with CMCD v2 events sends at once
	openers           = 16  // connections that open viewings
)

// request is one POST.
type request struct {
	path, key, contentType string
	body                   []byte
	status                 int // of the answer that acknowledges it
}

// viewing returns the id of viewing i; consecutive ones lie far apart in an
// index, as random ids would.
func viewing(i int) string {
	h := uint64(i) * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4000-8000-%012x", h>>32, h>>16&0xffff, i)
}

// beatRequest is heartbeats number seq of the viewings of request i.
func beatRequest(i, seq, viewings int) request {
	body := []byte{'['}
	for n := range beatsPerRequest {
		v := (i*beatsPerRequest + n) % viewings
		if n > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"schema":1,"session_id":%q,"seq":%d,"viewer_id":"viewer-%08d","device_id":"device-%08d","channel_id":"channel-%05d",`+
			`"broadcaster_id":"caster-%05d","country":"DE","asn":"3320","device_class":"tv","os":"tizen","player":"hls.js","player_version":"1.6.2",`+
			`"net_class":"wifi","mono_ms":%d,"play_requested":true,"first_frame_ms":650,"play_ms":%d,"stall_ms":%d,"stall_n":%d,"bytes":%d,`+
			`"latency_ms_sum":%d,"latency_samples":%d}`,
			viewing(v), seq, v, v, v%20_000, v%20_000, 1_000+seq*10_000, seq*9_000, seq*100, seq/6, seq*7_000_000, seq*30_000, seq*10)
	}
	return request{path: "/v1/heartbeats", contentType: "application/json", body: append(body, ']'), status: http.StatusOK}
}

// recordRequest is the next records of a player, of 10,000 players in turn.
func recordRequest(i int, key string) request {
	const players = 10_000
	player, turn := i%players, i/players
	now := time.Now().UnixMilli()
	var body []byte
	for n := range recordsPerRequest {
		body = fmt.Appendf(body, "br=(3200),bl=(11900),cid=\"channel-17\",e=ps,ltc=2900,mtp=(18300),pr=1,sf=h,sid=%q,sn=%d,st=l,sta=p,ts=%d,v=2\n",
			viewing(1<<30+player), turn*recordsPerRequest+n, now-int64(recordsPerRequest-n))
	}
	return request{path: "/v1/cmcd/" + key, contentType: "application/cmcd", body: body, status: http.StatusNoContent}
}

// openViewings sends the first heartbeat of each viewing.
func openViewings(ctx context.Context, s *splitcast, viewings int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(openers)
	for i := range viewings / beatsPerRequest {
		g.Go(func() error { return s.post(ctx, beatRequest(i, 0, viewings)) })
	}
	return g.Wait()
}

// pace sends requests at a steady rate, whether or not earlier ones have been
// answered, and returns how long after it was due each was acknowledged.
func pace(ctx context.Context, s *splitcast, rate int, lasting time.Duration, next func(i int) request) ([]time.Duration, error) {
	g, ctx := errgroup.WithContext(ctx)
	var mu sync.Mutex
	var times []time.Duration
	began := time.Now()
	for i := range int(lasting.Seconds() * float64(rate)) {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		if ctx.Err() != nil {
			break
		}
		q := next(i)
		g.Go(func() error {
			if err := s.post(ctx, q); err != nil {
				return err
			}
			took := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took)
			return nil
		})
	}
	return times, g.Wait()
}

// post sends a request and waits for its acknowledgement.
func (s *splitcast) post(ctx context.Context, q request) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+q.path, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", q.contentType)
	r.Header.Set("Authorization", "Bearer "+s.ingestKey)
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != q.status || bytes.Contains(answer, []byte(`"rejected":[{`)) {
		return fmt.Errorf("%s: status %s: %.200s", q.path, strconv.Itoa(resp.StatusCode), answer)
	}
	return nil
}
