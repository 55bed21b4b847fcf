package command

import "testing"

// A command that was held back sees the time at which it goes on: what expired
// meanwhile is gone, as in Redis.
func TestPausedCommandRunsInThePresent(t *testing.T) {
	c, do := newRunner(t)
	clock := c.Now
	c.Env.Process.Micros = func() int64 { return clock * 1000 }
	c.Env.Process.After = func(ms int64) <-chan struct{} {
		clock += ms
		done := make(chan struct{})
		close(done)
		return done
	}
	do("SET", "k", "v", "PX", "100")
	c.Env.Pause.All(clock + 200)
	if got := do("GET", "k"); got != "$-1\r\n" {
		t.Errorf("GET behind the key's time: %q", got)
	}
}

// So does one that was fenced.
func TestFencedCommandRunsInThePresent(t *testing.T) {
	c, do := newRunner(t)
	clock := c.Now
	c.Env.Process.Micros = func() int64 { return clock * 1000 }
	tries := 0
	c.Env.Process.After = func(ms int64) <-chan struct{} {
		clock += ms
		if tries++; tries == 40 {
			c.Env.Engine.SetFollower(false)
		}
		done := make(chan struct{})
		close(done)
		return done
	}
	do("SET", "k", "v", "PX", "100")
	c.Env.Engine.SetFollower(true)
	if got := do("APPEND", "k", "w"); got != ":1\r\n" {
		t.Errorf("APPEND behind the key's time: %q", got)
	}
}

// CLIENT PAUSE WRITE holds back what Redis holds back: writes, and what may write or be replicated.
func TestPauseWriteHoldsBack(t *testing.T) {
	c, _ := newRunner(t)
	for name, held := range map[string]bool{"set": true, "pfcount": true, "publish": true, "spublish": true, "eval": true, "fcall": true, "get": false, "eval_ro": false, "subscribe": false, "wait": false} {
		c.Cmd = c.Env.Table.Find([]byte(name))
		if c.mayWrite() != held {
			t.Errorf("%s is held back: %v", name, !held)
		}
	}
}
