package simulate

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestFull(t *testing.T) {
	if os.Getenv("FULL") == "" {
		t.Skip("x")
	}
	p := newPlatform(t)
	w := NewWorld(Options{Seed: 1, Epoch: epoch})
	d := &Driver{BaseURL: p.url, Token: testToken, World: w}
	t0 := time.Now()
	if err := d.CatchUp(context.Background(), epoch, epoch.AddDate(0, 0, 14)); err != nil {
		t.Fatal(err)
	}
	fmt.Println(time.Since(t0), d.Sent(), len(p.faults), p.sessions(), p.beats, p.lines, p.perArm())
	if len(p.faults) > 0 {
		fmt.Println(p.faults[:1])
	}
}
