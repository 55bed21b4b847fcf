package command

import (
	"slices"
	"sync"
	"sync/atomic"

	"cobble/server/script"
	"cobble/slots"
	"cobble/storage"
)

// Scripts are the server's scripts, functions, and what runs now. It is safe from any goroutine.
type Scripts struct {
	store     script.Store
	libraries atomic.Pointer[script.Libraries]
	version   atomic.Uint64 // of the engine's shared values that libraries was made of
	loading   sync.Mutex    // held to change libraries
	count     atomic.Int64  // how many run
	threshold atomic.Int64  // milliseconds after which a script is busy, 0: never

	mu   sync.Mutex
	runs map[*scriptRun]struct{}
}

// scriptRun is one command that runs a script, from its first try to its end.
type scriptRun struct {
	began  int64 // Process.Nanos
	done   chan struct{}
	locked []slots.Slot
	now    *script.Run // the try that is under way
	killed error
	atOnce bool // others wait for this try
	late   bool // it has had its time
	fcall  bool
	name   string
	args   []string // of the command, for FUNCTION STATS
}

// begin registers a run.
func (s *Scripts) begin(r *scriptRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs == nil {
		s.runs = map[*scriptRun]struct{}{}
	}
	s.runs[r] = struct{}{}
	s.count.Add(1)
}

func (s *Scripts) end(r *scriptRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runs, r)
	s.count.Add(-1)
	close(r.done)
}

// try sets what runs now and the slots that it holds; nil when it stopped.
func (s *Scripts) try(r *scriptRun, now *script.Run, locked []slots.Slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.now, r.locked = now, locked
	switch {
	case now == nil:
	case r.killed != nil:
		now.Stop(r.killed)
	case r.late:
		now.Stop(storage.ErrWouldBlock)
	}
}

// holder returns a run that holds a slot now, or nil.
func (s *Scripts) holder(slot slots.Slot) *scriptRun {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r := range s.runs {
		if r.now != nil && slices.Contains(r.locked, slot) {
			return r
		}
	}
	return nil
}

// kill stops the runs that are busy, and reports whether there was one; if not, soonest is when one will be (Nanos,
// 0: none runs).
func (s *Scripts) kill(nanos int64, functions bool) (killed bool, soonest int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	threshold := s.threshold.Load() * 1_000_000
	for r := range s.runs {
		if r.fcall != functions {
			continue
		}
		if busyAt := r.began + threshold; busyAt > nanos {
			if soonest == 0 || busyAt < soonest {
				soonest = busyAt
			}
			continue
		}
		killed = true
		r.killed = errKilled
		if r.now != nil {
			r.now.Stop(r.killed)
		}
	}
	return killed, soonest
}

// waitForScripts waits while a script holds a slot that the command needs, until the script counts as busy. It costs
// one load when no script runs. No lock is held.
func (c *Call) waitForScripts() error {
	s := &c.Env.Scripts
	if s.count.Load() == 0 || len(c.keys) == 0 {
		return nil
	}
	r := s.holder(c.route.Slot)
	if r == nil {
		return nil
	}
	threshold := s.threshold.Load()
	if threshold == 0 {
		return nil
	}
	left := threshold - (c.Env.Process.Nanos()-r.began)/1_000_000
	if left > 0 {
		select {
		case <-r.done:
			return nil
		case <-c.Env.Process.After(left):
		}
	}
	select {
	case <-r.done:
		return nil
	default:
		return errBusy
	}
}

func (c *Call) newScriptRun(s *scripted) *scriptRun {
	r := &scriptRun{began: c.Env.Process.Nanos(), done: make(chan struct{}), fcall: s.program == nil}
	if r.fcall {
		r.name = s.function.Name
		for _, arg := range c.Args {
			r.args = append(r.args, string(arg))
		}
	}
	return r
}

// hurry says whether others wait for the tries that follow.
func (s *Scripts) hurry(r *scriptRun, atOnce bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.atOnce, r.late = atOnce, false
}

// interrupt ends a try that others wait for, also one that has not begun: the script needs more time than there is
// here. One that nobody waits for any more goes on: the call may come late.
func (s *Scripts) interrupt(r *scriptRun) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.atOnce {
		return
	}
	r.late = true
	if r.now != nil {
		r.now.Stop(storage.ErrWouldBlock)
	}
}
