//go:build race

package web

// raceEnabled tells that the race detector slows everything down tenfold.
const raceEnabled = true
