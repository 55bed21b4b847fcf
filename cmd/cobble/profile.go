//go:build profile

package main

import (
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// With the tag "profile" the binary writes a CPU profile to the file that
// COBBLE_PROFILE names, from SIGUSR1 to the next SIGUSR1: make pgo uses it.
var _ = func() bool {
	path := os.Getenv("COBBLE_PROFILE")
	if path == "" {
		return false
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	go func() {
		for {
			<-c
			f, err := os.Create(path)
			if err != nil {
				return
			}
			if pprof.StartCPUProfile(f) == nil {
				<-c
				pprof.StopCPUProfile()
			}
			f.Close()
		}
	}()
	return true
}()
