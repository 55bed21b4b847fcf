package command

import (
	"testing"

	"cobble/slots"
)

// What ends a wait from outside: where the slot is served, and what this node is.
func TestWhatEndsAWait(t *testing.T) {
	slot := slots.Of([]byte("l"))
	here := func() *slots.View {
		return &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "10.0.0.1", Port: 7000}}}
	}
	for name, test := range map[string]struct {
		change func(*slots.View)
		demote bool
		want   string // "" = it waits on
	}{
		"nothing":           {},
		"another slot":      {change: func(v *slots.View) { v.Owner[slot+1] = 1 }},
		"moved":             {change: func(v *slots.View) { v.Owner[slot] = 1 }, want: "-MOVED 11562 10.0.0.1:7000\r\n"},
		"unbound":           {change: func(v *slots.View) { v.Owner[slot] = slots.NoNode }, want: "-CLUSTERDOWN Hash slot not served\r\n"},
		"down":              {change: func(v *slots.View) { v.Down, v.ReadsWhenDown = true, true }, want: "-CLUSTERDOWN The cluster is down\r\n"},
		"about to leave":    {change: func(v *slots.View) { v.Migrating = map[slots.Slot]uint16{slot: 1} }},
		"not yet arrived":   {change: func(v *slots.View) { v.Owner[slot], v.Importing = 1, map[slots.Slot]uint16{slot: 1} }},
		"no more a primary": {demote: true, want: "-" + string(ErrDemoted) + "\r\n"},
	} {
		first, _ := newTestCall(t)
		env := first.Env
		env.View.Store(here())
		env.Process.AfterFunc = func(int64, func()) func() bool { return func() bool { return true } }
		c := NewCall(env, &Client{})
		c.Execute([][]byte{[]byte("BLPOP"), []byte("l"), []byte("0")})
		if c.Wait == nil {
			t.Fatalf("%s: it does not wait: %q", name, c.Out.Bytes())
		}
		over := false
		c.Wait.Notify(func() { over = true })
		if test.change != nil {
			v := here()
			test.change(v)
			env.View.Store(v)
			env.Reroute()
		}
		if test.demote {
			env.EndWaits()
		}
		if over != (test.want != "") {
			t.Errorf("%s: over is %v", name, over)
			continue
		}
		if over {
			c.Unpark()
			if got := string(c.Out.Bytes()); got != test.want || c.Client.Closing != test.demote {
				t.Errorf("%s: %q, closing %v", name, got, c.Client.Closing)
			}
		} else if !c.Wait.finish(c.Wait.empty) {
			t.Errorf("%s: the wait cannot be ended", name)
		}
		if keys, _ := env.Engine.WaitingKeys(); keys != 0 {
			t.Errorf("%s: %d keys are still waited for", name, keys)
		}
	}
}

// A view that changes between the routing of a command and its wait is not missed.
func TestViewChangesWhileParking(t *testing.T) {
	c, _ := newTestCall(t)
	view := &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "h", Port: 1}}}
	c.Env.View.Store(view)
	c.Args = [][]byte{[]byte("blpop"), []byte("l"), []byte("0")}
	c.Cmd = c.Env.Table.Find(c.Args[0])
	if err := c.Run(); err != nil || c.Wait == nil {
		t.Fatal(err)
	}
	moved := *view
	moved.Owner[slots.Of([]byte("l"))] = 1
	c.Env.View.Store(&moved)
	c.park()
	c.Later(nil)
	if got := string(c.Out.Bytes()); got != "-MOVED 11562 h:1\r\n" {
		t.Errorf("%q", got)
	}
}

func TestReachedOutlastsTheRound(t *testing.T) {
	c, do := newTestCall(t)
	do("set", "k", "v")
	wrote := c.LSN
	c.Flush()
	c.LSN = 0 // as a driver does when the replies are out
	if wrote == 0 || c.Reached() != wrote {
		t.Errorf("wrote up to %d, reached %d", wrote, c.Reached())
	}
}
