package command

import (
	"strings"
	"testing"

	"cobble/slots"
)

// The bytes are those that Valkey 8.1.1 counts, but for transactions and scripts, which
// the table of commands tells of.
func TestSlotStats(t *testing.T) {
	c, do := newRunner(t)
	c.Env.Cluster = &Cluster{}
	var clock int64
	c.Env.Process.Nanos = func() int64 { clock += 1000; return clock }
	do("CONFIG", "SET", "cluster-slot-stats-enabled", "yes")
	at := slots.Of([]byte("a"))
	sum := func() (in, out int64, timed bool) {
		n := &c.Env.SlotStats.counts.Load()[at]
		return n.in.Load(), n.out.Load(), n.nanos.Load() > 0
	}
	for _, test := range []struct {
		commands string
		in, out  int64
	}{
		{"SET {a}k v", 30, 5},
		{"GET {a}k", 23, 7},
		{"GET {a}none", 26, 5},
		{"LPUSH {a}k v", 32, 68},
		{"GET {a}k v", 0, 0},
		{"SET {a}k v FOO", 39, 19},
		{"MULTI;SET {a}k v;GET {a}k;PING;EXEC", 53, 12},
		{"MULTI;SET {a}k v;DISCARD", 0, 0},
		{"WATCH {a}k;UNWATCH", 25, 5},
		{"SPUBLISH {a}k hello", 39, 4},
		{"CLUSTER KEYSLOT {a}k", 0, 0},
		{"MSET {a}k v {a}k2 w", 49, 5},
		{"OBJECT ENCODING {a}k", 40, 12},
		{"MSET {a}k v {b}k2 w", 0, 0}, // a cluster refuses it
		{"EVAL return{} 1 {a}k", 45, 4},
		{"SET {b}k v", 0, 0},
	} {
		do("CONFIG", "RESETSTAT")
		for _, pipelined := range []bool{false, true} {
			c.Follows = pipelined // then short commands share a look at the clock
			for command := range strings.SplitSeq(test.commands, ";") {
				do(strings.Fields(command)...)
			}
		}
		c.Follows = false
		in, out, timed := sum()
		if in != 2*test.in || out != 2*test.out || timed != (test.in > 0) {
			t.Errorf("%s: in %d, out %d, time %v, want %d, %d", test.commands, in, out, timed, 2*test.in, 2*test.out)
		}
	}
	do("GET", "{a}k")
	view := slots.View{Enabled: true, Self: 0, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "other", Port: 1}}}
	view.Owner[at] = 1
	c.Env.View.Store(&view)
	c.Env.SlotStats.Follow(&view)
	if got := do("GET", "{a}k"); !strings.HasPrefix(got, "-MOVED") {
		t.Fatal(got)
	}
	if in, _, _ := sum(); in != 0 {
		t.Errorf("%d bytes are counted of a slot that has left", in)
	}
	if got := do("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "15494", "15495"); !strings.HasPrefix(got, "*1\r\n*2\r\n:15494\r\n") {
		t.Errorf("slots that are not here: %q", got)
	}
}
