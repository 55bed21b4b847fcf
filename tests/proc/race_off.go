//go:build !race

package proc

// RaceEnabled says that the servers are built with the race detector: what they hold and use says nothing.
const RaceEnabled = false
