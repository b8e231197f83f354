package client_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/splitcast/splitcast/assignment"
	"github.com/splitcast/splitcast/client"
)

// benchContexts are viewers with seven attributes.
func benchContexts(n int) []*assignment.Context {
	out := make([]*assignment.Context, n)
	for i := range out {
		ctx := who(fmt.Sprintf("8f14e45f-ceea-467f-a%03x-%012x", i, i*7919))
		ctx.SetString("platform", "web")
		ctx.SetString("player", "hls.js")
		ctx.SetBool("subscriber", i%3 == 0)
		ctx.SetNumber("followers", float64(i))
		ctx.SetString("device_tier", "mid")
		out[i] = ctx
	}
	return out
}

// BenchmarkGetters are getters of units whose exposure is known.
func BenchmarkGetters(b *testing.B) {
	c := readyClient(b, newServer(b).config())
	ctxs := benchContexts(1024)
	for name, get := range map[string]func(ctx *assignment.Context) client.Details{
		"bool":   func(ctx *assignment.Context) client.Details { _, d := c.Bool("autoplay", ctx, false); return d },
		"string": func(ctx *assignment.Context) client.Details { _, d := c.String("title", ctx, ""); return d },
		"float":  func(ctx *assignment.Context) client.Details { _, d := c.Float("rate", ctx, 0); return d },
		"int":    func(ctx *assignment.Context) client.Details { _, d := c.Int("buffer", ctx, 0); return d },
		"object": func(ctx *assignment.Context) client.Details { _, d := abrOf(c, ctx); return d },
	} {
		b.Run(name, func(b *testing.B) {
			for _, ctx := range ctxs {
				get(ctx)
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if d := get(ctxs[i%len(ctxs)]); d.Err != nil {
					b.Fatal(d.Err)
				}
				i++
			}
		})
	}
	b.Run("bool/parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for i := 0; p.Next(); i++ {
				c.Bool("autoplay", ctxs[i%len(ctxs)], false)
			}
		})
	})
}

// BenchmarkFirstExposure is the getter of a unit that was never met, with the
// server taking what it can.
func BenchmarkFirstExposure(b *testing.B) {
	c := readyClient(b, newServer(b).config())
	ctx := benchContexts(1)[0]
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		ctx.SetTargetingKey(strconv.Itoa(i))
		c.Bool("autoplay", ctx, false)
		i++
	}
	st := c.Stats()
	b.ReportMetric(float64(st.ExposuresSent+uint64(st.ExposuresQueued))/float64(st.ExposuresSent+uint64(st.ExposuresQueued)+st.ExposuresDropped), "kept")
}
