package command

import (
	"fmt"
	"sync"
	"sync/atomic"

	"cobble/storage"
)

// SlowLog keeps the slowest commands' arguments. It is safe from any goroutine.
type SlowLog struct {
	max atomic.Int64

	mu      sync.Mutex
	nextID  int64
	entries []slowEntry // newest last
}

type slowEntry struct {
	id, at, micros int64
	args           []string
	addr, name     string
}

// Redis keeps at most 32 arguments of 128 bytes of a slow command.
const (
	slowArgs = 32
	slowArg  = 128
)

func (s *SlowLog) setMax(n int64) {
	s.max.Store(n)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
}

func (s *SlowLog) trim() {
	if over := int64(len(s.entries)) - s.max.Load(); over > 0 {
		s.entries = append(s.entries[:0], s.entries[over:]...)
	}
}

func (s *SlowLog) add(c *Call, micros int64) {
	if s.max.Load() == 0 {
		return
	}
	args := c.Args
	e := slowEntry{at: c.Now / 1000, micros: micros, addr: c.Client.Addr}
	for i, arg := range args {
		if i == slowArgs-1 && len(args) > slowArgs {
			e.args = append(e.args, fmt.Sprintf("... (%d more arguments)", len(args)-i))
			break
		}
		e.args = append(e.args, shortened(arg))
	}
	switch c.Cmd.FullName() { // no passwords
	case "auth", "hello":
		e.args = append(e.args[:1], "(redacted)")
	case "config|set", "acl|setuser", "acl|deluser", "acl|getuser":
		e.args = append(e.args[:2], "(redacted)")
	}
	c.Client.mu.Lock()
	e.name = c.Client.info.name
	c.Client.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	e.id = s.nextID
	s.nextID++
	s.entries = append(s.entries, e)
	s.trim()
}

func shortened(arg []byte) string {
	if len(arg) <= slowArg {
		return string(arg)
	}
	return fmt.Sprintf("%s... (%d more bytes)", arg[:slowArg], len(arg)-slowArg)
}

func slowlogGet(c *Call) error {
	count := int64(10)
	if len(c.Args) > 3 {
		return c.badSubcommand()
	}
	if len(c.Args) == 3 {
		var ok bool
		if count, ok = storage.ParseInt(c.Args[2]); !ok || count < -1 {
			return Error("ERR count should be greater than or equal to -1")
		}
	}
	s := &c.Env.Slow
	s.mu.Lock()
	defer s.mu.Unlock()
	n := int64(len(s.entries))
	if count >= 0 {
		n = min(n, count)
	}
	c.Out.Array(int(n))
	for i := range n {
		e := &s.entries[int64(len(s.entries))-1-i]
		c.Out.Array(6)
		c.Out.Int(e.id)
		c.Out.Int(e.at)
		c.Out.Int(e.micros)
		c.Out.Array(len(e.args))
		for _, arg := range e.args {
			c.Out.BulkString(arg)
		}
		c.Out.BulkString(e.addr)
		c.Out.BulkString(e.name)
	}
	return nil
}

func slowlogLen(c *Call) error {
	c.Env.Slow.mu.Lock()
	n := len(c.Env.Slow.entries)
	c.Env.Slow.mu.Unlock()
	c.Out.Int(int64(n))
	return nil
}

func slowlogReset(c *Call) error {
	c.Env.Slow.mu.Lock()
	c.Env.Slow.entries = nil
	c.Env.Slow.mu.Unlock()
	c.Out.OK()
	return nil
}
