package command

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Pause holds clients back: CLIENT PAUSE, a manual failover, DEBUG SLEEP. Its
// methods are safe from any goroutine.
type Pause struct {
	active atomic.Bool // something may be paused; the only thing the hot path looks at

	mu      sync.Mutex
	until   [4]int64 // Unix milliseconds, by pauseKind
	changed chan struct{}
}

type pauseKind int

const (
	pauseWrites pauseKind = iota
	pauseAll
	pauseFailover // writes, whatever CLIENT UNPAUSE says
	pauseShutdown // so, too
)

// Writes holds writes back until the given time, Unix milliseconds, at least.
func (p *Pause) Writes(until int64) { p.hold(pauseWrites, until) }

// All holds every command back until the given time, Unix milliseconds, at least.
func (p *Pause) All(until int64) { p.hold(pauseAll, until) }

// Failover holds writes back until the given time, Unix milliseconds, or EndFailover.
func (p *Pause) Failover(until int64) { p.hold(pauseFailover, until) }

func (p *Pause) hold(kind pauseKind, until int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until[kind] = max(p.until[kind], until)
	p.active.Store(true)
}

// End lets everybody go on whom CLIENT PAUSE holds back.
func (p *Pause) End() { p.end(pauseWrites, pauseAll) }

// Shutdown holds writes back until the given time, Unix milliseconds, or EndShutdown.
func (p *Pause) Shutdown(until int64) { p.hold(pauseShutdown, until) }

// EndShutdown ends Shutdown.
func (p *Pause) EndShutdown() { p.end(pauseShutdown) }

// EndFailover ends Failover.
func (p *Pause) EndFailover() { p.end(pauseFailover) }

func (p *Pause) end(kinds ...pauseKind) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, kind := range kinds {
		p.until[kind] = 0
	}
	p.active.Store(p.until != [4]int64{})
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// left returns for how many milliseconds a command is still held back, and a
// channel that is closed when that ends early.
func (p *Pause) left(now int64, writes bool) (int64, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	left := p.until[pauseAll] - now
	if writes {
		left = slices.Max(p.until[:]) - now
	}
	if slices.Max(p.until[:]) <= now {
		p.active.Store(false)
	}
	if left > 0 && p.changed == nil {
		p.changed = make(chan struct{})
	}
	return left, p.changed
}

// paused reports whether the admitted command has to wait.
func (c *Call) paused() bool {
	left, _ := c.Env.Pause.left(c.Env.Process.Micros()/1000, c.mayWrite())
	return left > 0
}

func (c *Call) mayWrite() bool {
	const writes = Write | MayReplicate
	return c.Cmd.Flags&writes != 0 || c.Cmd.Name == "exec" && c.Client.multi.flags&writes != 0
}

// wait blocks until the command of c may run (true), or stop is closed.
func (p *Pause) wait(c *Call, stop <-chan struct{}) bool {
	for {
		left, changed := p.left(c.Env.Process.Micros()/1000, c.mayWrite())
		if left <= 0 {
			return true
		}
		timer := c.Env.Process.After(left)
		select {
		case <-changed:
		case <-timer:
		case <-stop:
			return false
		}
	}
}
