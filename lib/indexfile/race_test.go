//go:build race

package indexfile

// raceEnabled: the race detector makes pools forget.
const raceEnabled = true
