package server

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"cobble/server/command"
	"cobble/server/resp"
	"cobble/slots"
)

// The commands that make up most traffic must not feed the garbage collector: parser,
// dispatch, engine, log and reply together.
func TestPipelinesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	n := start(t, "--appendonly", "no")
	s := session{srv: n.Server, client: &command.Client{Kill: func() {}}}
	s.call = command.NewCall(n.Env(), s.client)
	s.call.NoWait = true
	s.in.Limits = resp.Limits{Bulk: 512 << 20}
	n.Env().Clients.Add(s.client, n.Env())
	now := time.Now().UnixMilli()
	run := func(input []byte) {
		s.in.Filled(copy(s.in.Space(), input))
		for next := s.advance(now); next != stepInput; next = s.advance(now) {
			if next != stepLater {
				t.Fatalf("step %d", next)
			}
			s.call.Later(nil)
		}
		s.call.Flush()
		if err := n.Env().Engine.Await(s.call.LSN); err != nil {
			t.Fatal(err)
		}
		if out := s.call.Out.Bytes(); len(out) == 0 || out[0] == '-' {
			t.Fatalf("%q", out)
		}
		s.call.LSN = 0
		s.call.Out.Reset()
	}
	const depth = 16
	for _, line := range []string{"SET key:%d value", "GET key:%d", "INCR count:%d", "HSET hash:%d f v", "HGET hash:%d f", "EXISTS key:%d",
		"EXPIRE key:%d 1000", "MGET {m}%d {m}x {m}y", "SET key:%d v EX 100"} {
		var input []byte
		for i := range depth {
			words := bytes.Fields(fmt.Appendf(nil, line, i))
			input = fmt.Appendf(input, "*%d\r\n", len(words))
			for _, w := range words {
				input = fmt.Appendf(input, "$%d\r\n%s\r\n", len(w), w)
			}
		}
		for range 3 {
			run(input)
		}
		if n := testing.AllocsPerRun(50, func() { run(input) }); n > 1 {
			t.Errorf("%s: %v allocations for %d commands", line, n, depth)
		}
	}
}

// The slot of a key that was read ahead belongs to what then stood in the buffer, not
// to what comes to stand there.
func TestSlotsOfWhatWasReadAhead(t *testing.T) {
	n := start(t, "--appendonly", "no")
	s := session{srv: n.Server, client: &command.Client{Kill: func() {}}}
	s.call = command.NewCall(n.Env(), s.client)
	n.Env().Clients.Add(s.client, n.Env())
	for _, names := range [][]string{{"a1", "a2"}, {"b1", "b2"}, {"c2", "c1"}, {"d1"}, {"e1", "e1"}} {
		var input []byte
		for _, name := range names {
			input = fmt.Appendf(input, "*3\r\n$3\r\nSET\r\n$2\r\n%s\r\n$1\r\nv\r\n", name)
		}
		s.in.Filled(copy(s.in.Space(), input))
		if next := s.advance(time.Now().UnixMilli()); next != stepInput {
			t.Fatalf("step %d", next)
		}
		for _, name := range names {
			if slot := slots.Of([]byte(name)); n.Env().Engine.KeysIn(slot) != 1 {
				t.Errorf("after SET %s there are %d keys in its slot", name, n.Env().Engine.KeysIn(slot))
			}
		}
	}
}
