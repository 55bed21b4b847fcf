package command

import (
	"fmt"
	"math/rand/v2"
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
	if got := do("SET", "n", "1000"); got != "+OK\r\n" {
		t.Fatal(got)
	}
	inPlace = 0
	for i := range 200 {
		was := end()
		if got := do("INCR", "n"); got != fmt.Sprintf(":%d\r\n", 1001+i) || end() == was || int64(c.LSN) != end() {
			t.Fatalf("INCR replied %q, the log is at %d after %d, the reply waits for %d", got, end(), was, c.LSN)
		}
		if c.over.skip == 0 {
			inPlace++
		}
	}
	if inPlace < 100 {
		t.Fatalf("%d of 200 INCRs of one key were in place", inPlace)
	}
	ours := c.Env.View.Load()
	others := &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "h", Port: 1}}}
	others.Owner[slots.Of([]byte("k"))] = 1
	others.Owner[slots.Of([]byte("n"))] = 1
	c.Env.View.Store(others)
	c.over = overwriting{}
	was := end()
	if got := do("SET", "k", "other"); !strings.HasPrefix(got, "-MOVED") || end() != was {
		t.Errorf("SET of a slot that is not ours: %q", got)
	}
	c.over = overwriting{}
	if got := do("INCR", "n"); !strings.HasPrefix(got, "-MOVED") || end() != was {
		t.Errorf("INCR of a slot that is not ours: %q", got)
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
	if got := do("INCR", "n"); got != "+QUEUED\r\n" {
		t.Errorf("INCR in MULTI: %q", got)
	}
	do("DISCARD")
	do("CLIENT", "REPLY", "SKIP")
	if got := do("INCRBY", "n", "2"); got != "" {
		t.Errorf("INCRBY without a reply: %q", got)
	}
	if got := do("DECRBY", "n", "3"); got != ":1199\r\n" {
		t.Errorf("DECRBY: %q", got)
	}
	do("CLIENT", "REPLY", "SKIP")
	if got := do("SET", "k", "quiet"); got != "" {
		t.Errorf("SET without a reply: %q", got)
	}
	if got := do("GET", "k"); got != "$5\r\nquiet\r\n" {
		t.Errorf("GET: %q", got)
	}
}

// A SET that is not plain, or of a session that may wait or hears of changes, is not made in place; nor is one where
// who serves the slot has changed, or may have.
func TestSetInPlaceIsPlain(t *testing.T) {
	c, do := newRunner(t)
	c.Client.authenticated, c.NoWait = true, true
	slot := slots.Of([]byte("k"))
	away := slots.Request{Slot: slot ^ 1} // what Run would replace
	inPlace := func(args ...string) (reply string, done bool) {
		c.over, c.route = overwriting{}, away
		reply = do(args...)
		return reply, c.route == away
	}
	hot := func() {
		t.Helper()
		for range 3 {
			if reply, done := inPlace("SET", "k", "value"); done {
				return
			} else if reply != "+OK\r\n" {
				t.Fatalf("SET: %q", reply)
			}
		}
		t.Fatal("a plain SET of a key that was just set is not in place")
	}
	never := func(want string, args ...string) {
		t.Helper()
		hot()
		if reply, done := inPlace(args...); done || reply != want {
			t.Errorf("%v: %q, in place: %v; want %q", args, reply, done, want)
		}
	}
	never("$-1\r\n", "SET", "k", "other", "NX")
	never("$5\r\nvalue\r\n", "SET", "k", "other", "GET")
	never("+OK\r\n", "SET", "k", "other", "EX", "100")
	never(":1\r\n", "SETNX", "j", "other")
	never("+OK\r\n", "MSET", "k", "other")

	hot()
	for _, line := range []string{"INCR n", "DECR n", "INCRBY n 7", "DECRBY n -7", "incrby n -9"} {
		args := strings.Fields(line)
		added := false
		for range 3 {
			reply, done := inPlace(args...)
			if reply[0] != ':' {
				t.Fatalf("%s: %q", line, reply)
			}
			added = added || done
		}
		if !added {
			t.Errorf("%s was never in place", line)
		}
		c.Client.track.on = true
		if reply, done := inPlace(args...); done {
			t.Errorf("%s of a client that hears of changes: %q, in place", line, reply)
		}
		c.Client.track.on = false
	}

	hot()
	c.NoWait = false
	if reply, done := inPlace("INCR", "n"); done || reply[0] != ':' {
		t.Errorf("INCR of a session that may wait: %q, in place: %v", reply, done)
	}
	if reply, done := inPlace("SET", "k", "other"); done || reply != "+OK\r\n" {
		t.Errorf("SET of a session that may wait: %q, in place: %v", reply, done)
	}
	c.NoWait = true

	hot()
	now, env := c.Now, c.Env
	ours := env.View.Load()
	cluster := func() *slots.View {
		return &slots.View{Enabled: true, Primary: slots.NoNode, Nodes: []slots.Node{{}, {Endpoint: "h", Port: 1}}}
	}
	env.View.Store(cluster())
	hot()
	env.ServeUntil.Store(now - 1)
	if reply, done := inPlace("SET", "k", "other"); done || !strings.HasPrefix(reply, "-CLUSTERDOWN") {
		t.Errorf("SET where nobody knows who serves: %q, in place: %v", reply, done)
	}
	env.ServeUntil.Store(0)
	hot()
	for _, v := range []func(v *slots.View){
		func(v *slots.View) { v.Down = true },
		func(v *slots.View) { v.Migrating = map[slots.Slot]uint16{slot: 1} },
		func(v *slots.View) { v.Owner[slot], v.Importing = 1, map[slots.Slot]uint16{slot: 1} },
		func(v *slots.View) { v.Self, v.Primary, v.Owner[slot] = 1, 0, 0 },
		func(v *slots.View) { v.Owner[slot] = slots.NoNode },
	} {
		hot()
		view := cluster()
		v(view)
		env.View.Store(view)
		if reply, done := inPlace("SET", "k", "other"); done {
			t.Errorf("SET in place: %q, of view with %+v", reply, view.Migrating)
		}
		env.View.Store(ours)
		do("SET", "k", "value")
	}
	env.View.Store(ours)
}

// What adds in place replies as Redis does, whatever stands there and is added.
func TestSumsInPlaceAreRedis(t *testing.T) {
	p := newPair(t, 2)
	c := p.call
	c.Client.authenticated, c.NoWait = true, true
	rnd := rand.New(rand.NewPCG(1, 2))
	numbers := []string{"0", "1", "-1", "9", "99", "-10", "4294967296", "9223372036854775807", "-9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"01", "+1", "-0", " 1", "1 ", "1.0", "", "abc", "99999999999999999999999"}
	number := func() string {
		if rnd.IntN(3) > 0 {
			return fmt.Sprint(rnd.IntN(2000) - 1000)
		}
		return numbers[rnd.IntN(len(numbers))]
	}
	added := 0
	for range 3000 {
		key := fmt.Sprint("n", rnd.IntN(4))
		away := slots.Request{Slot: slots.Of([]byte(key)) ^ 1}
		c.over, c.route = overwriting{}, away
		switch n := rnd.IntN(24); n {
		case 0:
			p.sameArgs("SET", key, number())
		case 1:
			p.sameArgs("SET", key, number(), "PX", "1000000")
		case 2:
			p.sameArgs("DEL", key)
		case 3:
			p.sameArgs("APPEND", key, "1")
		case 4:
			p.sameArgs("DEL", key)
			p.sameArgs("SADD", key, "1")
		case 5:
			p.sameArgs("PERSIST", key)
			p.sameArgs("OBJECT", "ENCODING", key)
		default:
			args := [][]string{{"INCR", key}, {"DECR", key}, {"INCRBY", key, number()}, {"DECRBY", key, number()}}[n%4]
			if reply := p.sameArgs(args...); reply[0] == ':' && c.route == away {
				added++
			}
		}
	}
	if added < 500 {
		t.Errorf("only %d of 3000 were added in place", added)
	}
}
