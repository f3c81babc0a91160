//go:build !race

package indexfile

const raceEnabled = false
