package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/splitcast/splitcast/experiment"
)

// Limits of one request, well within those of the server.
const (
	maxBatchRecords = 1_000
	maxBatchBytes   = 512 << 10
)

// send posts exposures and reports, all batches at the same time: none depends
// on another.
func (d *Driver) send(ctx context.Context, exposures []experiment.Exposure, due []Parcel) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.Concurrency)
	for part := range slices.Chunk(exposures, maxBatchRecords) {
		g.Go(func() error {
			body, err := json.Marshal(part)
			if err != nil {
				return fmt.Errorf("encode exposures: %w", err)
			}
			_, err = d.client.post(ctx, "/v1/exposures", "application/json", body)
			return err
		})
	}
	for _, to := range [...]struct {
		format Format
		path   string
	}{{Heartbeat, "/v1/heartbeats"}, {UnitEvent, "/v1/events"}, {BroadcastBeat, "/v1/broadcasts"}} {
		for _, body := range bodies(due, to.format) {
			g.Go(func() error {
				_, err := d.client.post(ctx, to.path, "application/x-ndjson", body)
				return err
			})
		}
	}
	for _, body := range bodies(due, CMCD) {
		g.Go(func() error {
			_, err := d.client.post(ctx, "/v1/cmcd/"+d.IngestKey, "application/cmcd", body)
			return err
		})
	}
	return g.Wait()
}

// bodies packs the records of one format, a line each, into requests.
func bodies(due []Parcel, f Format) [][]byte {
	var out [][]byte
	var b []byte
	n := 0
	for i := range due {
		if due[i].Format != f {
			continue
		}
		if n == maxBatchRecords || len(b)+len(due[i].Body) > maxBatchBytes {
			out = append(out, b)
			b, n = nil, 0
		}
		b = append(append(b, due[i].Body...), '\n')
		n++
	}
	if n > 0 {
		out = append(out, b)
	}
	return out
}
