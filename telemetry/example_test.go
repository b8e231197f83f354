package telemetry_test

import (
	"fmt"

	"github.com/splitcast/splitcast/telemetry"
)

// Two records of one viewing arrive in the wrong order, and one again: the
// state is that of the higher seq.
func ExampleFoldBatch() {
	body := `[
		{"session_id":"7c1e","seq":2,"mono_ms":21000,"first_frame_ms":800,"play_ms":18000,"stall_ms":1500,"stall_n":1},
		{"session_id":"7c1e","seq":1,"mono_ms":11000,"first_frame_ms":800,"play_ms":10000,"stall_ms":0,"stall_n":0},
		{"session_id":"7c1e","seq":1,"mono_ms":11000,"first_frame_ms":800,"play_ms":10000,"stall_ms":0,"stall_n":0},
		{"session_id":"7c1e","seq":3,"mono_ms":31000,"play_ms":-5}
	]`
	beats, rejected, err := telemetry.DecodeHeartbeats([]byte(body), "application/json")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range telemetry.FoldBatch(beats, 1_795_384_837_389) {
		fmt.Println(s.SessionID, s.PlayMs, s.StallMs, *s.FirstFrameMs, s.Observed.Has(telemetry.ObservedBitrate))
	}
	fmt.Println(rejected[0].Field, rejected[0].Reason)
	// Output:
	// 7c1e 18000 1500 800 false
	// play_ms range
}

// A player answers a live stall by seeking (k) to the live edge and waiting
// (w) there: all of it is one stall.
func ExampleFoldCMCD() {
	body := `e=ps,sid="7c1e",sn=0,sta=s,ts=1795384837000,v=2
e=ps,sid="7c1e",sn=1,sta=p,ts=1795384838200,v=2
e=ps,sid="7c1e",sn=2,sta=r,ts=1795384848200,v=2
e=ps,sid="7c1e",sn=3,sta=k,ts=1795384850200,v=2
e=ps,sid="7c1e",sn=4,sta=w,ts=1795384850300,v=2
e=ps,sid="7c1e",sn=5,sta=p,ts=1795384853200,v=2
`
	records, _, err := telemetry.DecodeCMCD([]byte(body))
	if err != nil {
		fmt.Println(err)
		return
	}
	s := telemetry.FoldCMCD(records)
	fmt.Println(s.Tier, *s.FirstFrameMs, s.PlayMs, s.StallMs, s.StallN)
	// Output:
	// B 1200 10000 5000 1
}
