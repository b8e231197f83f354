//go:build race

package simulate

// raceEnabled tells tests that play whole populations to stay away: they take
// minutes under the race detector, which finds what it can in the small ones.
const raceEnabled = true
