package command

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
)

// LatencyMonitor keeps the worst latency of each second, per event. It is safe
// from any goroutine.
type LatencyMonitor struct {
	threshold atomic.Int64 // milliseconds, 0 is off

	mu     sync.Mutex
	events map[string]*latencyEvent
}

type latencyEvent struct {
	samples []latencySample // oldest first
	worst   int64
}

type latencySample struct{ at, ms int64 }

// latencySamples is how many samples an event keeps.
const latencySamples = 160

// Add records that event took ms milliseconds at a Unix time in seconds.
func (l *LatencyMonitor) Add(event string, at, ms int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.events == nil {
		l.events = map[string]*latencyEvent{}
	}
	e := l.events[event]
	if e == nil {
		e = &latencyEvent{}
		l.events[event] = e
	}
	e.worst = max(e.worst, ms)
	if n := len(e.samples); n > 0 && e.samples[n-1].at == at {
		e.samples[n-1].ms = max(e.samples[n-1].ms, ms)
		return
	}
	if len(e.samples) == latencySamples {
		e.samples = append(e.samples[:0], e.samples[1:]...)
	}
	e.samples = append(e.samples, latencySample{at, ms})
}

func (c *Call) latencyEvent() string {
	if c.Cmd.Flags&Fast != 0 {
		return "fast-command"
	}
	return "command"
}

func latencyLatest(c *Call) error {
	l := &c.Env.Latency
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, 0, len(l.events))
	for name := range l.events {
		names = append(names, name)
	}
	sort.Strings(names)
	c.Out.Array(len(names))
	for _, name := range names {
		e := l.events[name]
		last := e.samples[len(e.samples)-1]
		c.Out.Array(4)
		c.Out.BulkString(name)
		c.Out.Int(last.at)
		c.Out.Int(last.ms)
		c.Out.Int(e.worst)
	}
	return nil
}

func latencyHistory(c *Call) error {
	l := &c.Env.Latency
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.events[string(c.Args[2])]
	if e == nil {
		c.Out.Array(0)
		return nil
	}
	c.Out.Array(len(e.samples))
	for _, s := range e.samples {
		c.Out.Array(2)
		c.Out.Int(s.at)
		c.Out.Int(s.ms)
	}
	return nil
}

func latencyReset(c *Call) error {
	l := &c.Env.Latency
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	if len(c.Args) == 2 {
		n = len(l.events)
		l.events = nil
	}
	for _, name := range c.Args[2:] {
		if l.events[string(name)] != nil {
			delete(l.events, string(name))
			n++
		}
	}
	c.Out.Int(int64(n))
	return nil
}

func latencyGraph(c *Call) error {
	l := &c.Env.Latency
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.events[string(c.Args[2])]
	if e == nil {
		return errorf("ERR No samples available for event '%s'", c.Args[2])
	}
	var b strings.Builder
	low, high := e.samples[0].ms, e.samples[0].ms
	for _, s := range e.samples {
		low, high = min(low, s.ms), max(high, s.ms)
	}
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n%s\n", c.Args[2], high, low, e.worst, strings.Repeat("-", 80))
	for _, s := range e.samples {
		fmt.Fprintf(&b, "%d %s %d ms\n", s.at, strings.Repeat("#", int(1+s.ms*40/max(high, 1))), s.ms)
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

func latencyDoctor(c *Call) error {
	l := &c.Env.Latency
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	switch {
	case l.threshold.Load() == 0:
		b.WriteString("Latency monitoring is disabled in this instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to enable it.\n")
	case len(l.events) == 0:
		b.WriteString("No latency spike was observed.\n")
	}
	names := make([]string, 0, len(l.events))
	for name := range l.events {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		e := l.events[name]
		sum := int64(0)
		for _, s := range e.samples {
			sum += s.ms
		}
		fmt.Fprintf(&b, "%s: %d latency spikes (average %dms). Worst all time event %dms.\n", name, len(e.samples), sum/int64(len(e.samples)), e.worst)
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

func latencyHistogram(c *Call) error {
	var rows []*Command
	if len(c.Args) == 2 {
		rows = c.Env.Table.all
	}
	for _, name := range c.Args[2:] {
		if cmd := c.Env.Table.findFull(name); cmd != nil {
			rows = append(rows, cmd)
			for i := range cmd.Sub {
				rows = append(rows, &cmd.Sub[i])
			}
		}
	}
	c.Flush()
	var found []*Command
	for _, cmd := range rows {
		if c.Env.Stats.of(cmd).times.Load() != nil {
			found = append(found, cmd)
		}
	}
	c.Out.Map(len(found))
	for _, cmd := range found {
		stats := c.Env.Stats.of(cmd)
		c.Out.BulkString(cmd.FullName())
		c.Out.Map(2)
		c.Out.BulkString("calls")
		c.Out.Int(stats.calls.Load())
		c.Out.BulkString("histogram_usec")
		var micros, counts []int64
		if h := stats.times.Load(); h != nil {
			micros, counts = h.cumulative()
		}
		c.Out.Map(len(micros))
		for i := range micros {
			c.Out.Int(micros[i])
			c.Out.Int(counts[i])
		}
	}
	return nil
}
