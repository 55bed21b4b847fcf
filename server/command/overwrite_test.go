package command

import (
	"strings"
	"testing"

	"cobble/slots"
)

// A SET in place asks who serves the slot, as any other does, and so for what else may be in its way.
func TestSetInPlaceAsksWhoServes(t *testing.T) {
	c, do := newRunner(t)
	c.Client.authenticated = true
	c.NoWait = true
	end := func() int64 { return int64(c.Env.Engine.Log().End()) }
	inPlace := 0
	for range 200 {
		was := end()
		if got := do("SET", "k", "value"); got != "+OK\r\n" || end() == was || int64(c.LSN) != end() {
			t.Fatalf("SET replied %q, the log is at %d after %d, the reply waits for %d", got, end(), was, c.LSN)
		}
		if c.over.skip == 0 {
			inPlace++
		}
	}
	if inPlace < 100 {
		t.Fatalf("%d of 200 SETs of one key were in place", inPlace)
	}
	ours := c.Env.View.Load()
	others := &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "h", Port: 1}}}
	others.Owner[slots.Of([]byte("k"))] = 1
	c.Env.View.Store(others)
	c.over = overwriting{}
	was := end()
	if got := do("SET", "k", "other"); !strings.HasPrefix(got, "-MOVED") || end() != was {
		t.Errorf("SET of a slot that is not ours: %q", got)
	}
	c.Env.View.Store(ours)
	c.over = overwriting{}
	if got := do("GET", "k"); got != "$5\r\nvalue\r\n" {
		t.Errorf("GET: %q", got)
	}
	do("MULTI")
	if got := do("SET", "k", "queue"); got != "+QUEUED\r\n" {
		t.Errorf("SET in MULTI: %q", got)
	}
	do("DISCARD")
	do("CLIENT", "REPLY", "SKIP")
	if got := do("SET", "k", "quiet"); got != "" {
		t.Errorf("SET without a reply: %q", got)
	}
	if got := do("GET", "k"); got != "$5\r\nquiet\r\n" {
		t.Errorf("GET: %q", got)
	}
}
