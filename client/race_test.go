//go:build race

package client_test

// raceEnabled tells that the race detector slows everything down tenfold.
const raceEnabled = true
