package main

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// recordProfile runs every test at every depth against a Cobble that was built with
// the tag "profile", and leaves its CPU profile in s.profile.
func recordProfile(s *settings) error {
	if err := os.Setenv("COBBLE_PROFILE", s.profile); err != nil {
		return err
	}
	p, err := newProcess(s, "cobble", "everysec")
	if err != nil {
		return err
	}
	defer p.remove()
	if err := p.start(); err != nil {
		return err
	}
	if err := p.join(); err != nil {
		return err
	}
	if err := p.load(s.keyspace, keyPattern, fixedValue); err != nil {
		return err
	}
	if err := os.Remove(s.profile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	for _, test := range s.tests {
		for _, depth := range s.pipelines {
			n := int(s.seconds * 40_000 * float64(min(depth, 8)))
			if _, err := measureOnce(s, p, cell{test, depth, s.keyspace}, n); err != nil {
				return err
			}
		}
	}
	if err := p.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	var size int64
	for range 100 { // it is written when it is complete
		time.Sleep(200 * time.Millisecond)
		info, err := os.Stat(s.profile)
		if err == nil && info.Size() > 0 && info.Size() == size {
			return nil
		}
		if err == nil {
			size = info.Size()
		}
	}
	return errors.New("no profile was written: was the server built with -tags profile?")
}
