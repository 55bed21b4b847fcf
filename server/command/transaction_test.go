package command

import (
	"strings"
	"testing"

	"cobble/slots"
)

// In one session: MULTI, what may be queued, EXEC's replies, WATCH.
func TestTransactionsAreRedis(t *testing.T) {
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		for _, line := range strings.Split(`MULTI|SET a 1|INCR a|HSET a f 1|GET a|PING|ECHO hi|DBSIZE|EXEC|DBSIZE
WATCH a|SET a 5|MULTI|GET a|EXEC|EXEC|DISCARD
WATCH a|UNWATCH|SET a 6|MULTI|GET a|EXEC
WATCH b c|MULTI|DISCARD|MULTI|EXEC
WATCH b|SET b 1|MULTI|INCR b|EXEC|GET b
WATCH b|DEL b|MULTI|INCR b|EXEC|GET b
WATCH none|DEL none|MULTI|SET none 1|EXEC|GET none
WATCH a|MULTI|SET a 7|EXEC|MULTI|GET a|EXEC
MULTI|MULTI|WATCH a|SET a|GET a|EXEC
MULTI|NOSUCH|EXEC|MULTI|SET x 1|FLUSHALL|SET y 2|DBSIZE|EXEC|MGET x y
MULTI|INCR y|INCRBY y 5 6|EXEC|MULTI|SET s abc|APPEND s d|INCR s|SETRANGE s 1 zz|GET s|EXEC
MULTI|CLIENT REPLY X|SELECT 0|DEBUG SLEEP 0|SHUTDOWN NOSAVE|EXEC
MULTI|SET s 1 EX 100|PERSIST s|TTL s|EXEC|MULTI|RENAME nokey other|GETDEL s|EXISTS s|EXEC
MULTI|MSET k1 1 k2 2 k3 3|MGET k1 k2 k3|DEL k1 k2|EXEC|MGET k1 k2 k3
MULTI|HSET h f v|HGET h f|SET h x|HGET h f|TYPE h|EXEC|TYPE h|RESET|MULTI|SET r 1|RESET|EXEC|GET r
WATCH|EXEC now|MULTI|WATCH|EXEC`, "\n") {
			for _, command := range strings.Split(line, "|") {
				p.same(command)
			}
		}
	}
}

func TestWatchAcrossSessions(t *testing.T) {
	c, do := newRunner(t)
	other := NewCall(c.Env, &Client{})
	other.Now = c.Now
	for _, change := range [][]string{{"SET", "k", "2"}, {"DEL", "k"}, {"EXPIRE", "k", "100"}, {"FLUSHALL"}, {"RENAME", "k", "l"}, {"APPEND", "k", "x"}} {
		do("SET", "k", "1")
		do("WATCH", "k")
		if got := execute(other, change...); strings.HasPrefix(got, "-") {
			t.Fatalf("%q: %q", change, got)
		}
		do("MULTI")
		do("SET", "k", "mine")
		if got := do("EXEC"); got != "*-1\r\n" {
			t.Errorf("after %q EXEC replied %q", change, got)
		}
		if got := do("GET", "k"); strings.Contains(got, "mine") {
			t.Errorf("after %q the transaction was run", change)
		}
	}
	// A change that is none, and one of another key, do not count.
	for _, change := range [][]string{{"DEL", "none"}, {"SET", "kk", "2"}, {"GET", "k"}, {"PERSIST", "k"}} {
		do("SET", "k", "1")
		do("WATCH", "k")
		execute(other, change...)
		do("MULTI")
		do("GET", "k")
		if got := do("EXEC"); got != "*1\r\n$1\r\n1\r\n" {
			t.Errorf("after %q EXEC replied %q", change, got)
		}
	}
}

// A watched key that expires between WATCH and EXEC has changed.
func TestWatchSeesExpiry(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "k", "1", "PX", "1000")
	do("WATCH", "k")
	c.Now += 1001
	do("MULTI")
	do("SET", "other", "1")
	if got := do("EXEC"); got != "*-1\r\n" {
		t.Errorf("EXEC after the expiry: %q", got)
	}
	do("WATCH", "k") // expired when it was watched, and still
	do("MULTI")
	do("SET", "other", "2")
	if got := do("EXEC"); got != "*1\r\n+OK\r\n" {
		t.Errorf("EXEC when the key was gone already: %q", got)
	}
}

// One EXEC is one record of the log, and a command that fails in the middle
// leaves nothing of itself.
func TestExecIsOneRecord(t *testing.T) {
	c, do := newRunner(t)
	do("SET", "text", "abc")
	do("MULTI")
	for range 10 {
		do("INCR", "n")
	}
	do("INCR", "text")
	do("SET", "m", "1")
	if got := do("EXEC"); !strings.HasPrefix(got, "*12\r\n:1\r\n:2\r\n") || !strings.Contains(got, "-ERR value is not an integer") {
		t.Fatalf("%q", got)
	}
	first, last := c.Env.Engine.Counters(slots.Of([]byte("n"))).LSN, c.Env.Engine.Counters(slots.Of([]byte("m"))).LSN
	if first != last || last != c.LSN {
		t.Errorf("the first and the last write of EXEC are the records %d and %d, the reply waits for %d", first, last, c.LSN)
	}
	if got := do("MGET", "n", "text", "m"); got != "*3\r\n$2\r\n10\r\n$3\r\nabc\r\n$1\r\n1\r\n" {
		t.Errorf("%q", got)
	}
}

// A transaction that meets the fence behind its first part is not run again: it
// says why it ended.
func TestFenceWithinATransaction(t *testing.T) {
	c, do := newRunner(t)
	c.Env.Process.Micros = func() int64 { // called by TIME
		c.Env.Engine.SetFollower(true)
		return c.Now * 1000
	}
	for _, command := range []string{"MULTI", "SET a 1", "TIME", "SET b 1"} {
		do(strings.Fields(command)...)
	}
	if got := do("EXEC"); !strings.HasPrefix(got, "-READONLY ") {
		t.Errorf("EXEC: %q", got)
	}
	c.Env.Engine.SetFollower(false)
	if got := do("GET", "b"); got != "$-1\r\n" {
		t.Errorf("behind the fence: %q", got)
	}
}
