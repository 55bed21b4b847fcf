package command

import (
	"fmt"
	"sync"
	"sync/atomic"

	"cobble/storage"
)

// SlowLog keeps the arguments of commands that were slow, or large. It is safe from any goroutine.
type SlowLog struct {
	max atomic.Int64

	mu      sync.Mutex
	nextID  int64
	entries []slowEntry // newest last
}

type slowEntry struct {
	id, at, value int64 // value: microseconds, or bytes
	args          []string
	addr, name    string
}

const errLogCount Error = "ERR count should be greater than or equal to -1"

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

func (s *SlowLog) add(c *Call, value int64) {
	if s.max.Load() == 0 {
		return
	}
	args := c.Args
	e := slowEntry{at: c.Now / 1000, value: value, addr: c.Client.Addr}
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
			return errLogCount
		}
	}
	c.Env.Slow.write(c, count)
	return nil
}

// write replies with the newest entries, -1: all of them.
func (s *SlowLog) write(c *Call, count int64) {
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
		c.Out.Int(e.value)
		c.Out.Array(len(e.args))
		for _, arg := range e.args {
			c.Out.BulkString(arg)
		}
		c.Out.BulkString(e.addr)
		c.Out.BulkString(e.name)
	}
}

func slowlogLen(c *Call) error {
	c.Out.Int(c.Env.Slow.length())
	return nil
}

func (s *SlowLog) length() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.entries))
}

func (s *SlowLog) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = nil
}

func slowlogReset(c *Call) error {
	c.Env.Slow.reset()
	c.Out.OK()
	return nil
}
