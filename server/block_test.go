package server

import (
	"fmt"
	"strings"
	"testing"
)

// waiting waits until so many clients are blocked.
func (n *running) waiting(c *client, clients int) {
	n.t.Helper()
	want := fmt.Sprintf("blocked_clients:%d\r\n", clients)
	eventually(n.t, "blocked clients", func() bool { return strings.Contains(c.do("INFO clients"), want) })
}

func TestBlockedClients(t *testing.T) {
	n := start(t)
	a, b, c := n.dial(), n.dial(), n.dial()
	b.send("PING\r\nBLPOP l 0\r\nPING\r\n")
	if got := b.reply(); got != "+PONG\r\n" { // what stands before it is answered
		t.Errorf("%q", got)
	}
	n.waiting(a, 1)
	if list := a.do("CLIENT LIST"); !strings.Contains(list, "flags=b ") || !strings.Contains(list, "cmd=blpop") {
		t.Errorf("CLIENT LIST: %s", list)
	}
	if info := a.do("INFO clients"); !strings.Contains(info, "total_blocking_keys:1\r\n") {
		t.Errorf("INFO clients: %s", info)
	}
	a.want("RPUSH l v", ":1\r\n")
	if got := b.reply() + b.reply(); got != "*2\r\n$1\r\nl\r\n$1\r\nv\r\n+PONG\r\n" {
		t.Errorf("%q", got)
	}
	a.want("LLEN l", ":0\r\n")
	b.want("BLPOP l 0.01", "*-1\r\n")

	id := strings.TrimSpace(b.do("CLIENT ID"))[1:]
	a.want("CLIENT UNBLOCK "+id, ":0\r\n")
	b.send("BLPOP l 0\r\n")
	n.waiting(a, 1)
	a.want("CLIENT UNBLOCK "+id, ":1\r\n")
	if got := b.reply(); got != "*-1\r\n" {
		t.Errorf("unblocked: %q", got)
	}
	b.send("BLMOVE l l LEFT LEFT 100\r\n")
	n.waiting(a, 1)
	a.want("CLIENT UNBLOCK "+id+" ERROR", ":1\r\n")
	if got := b.reply(); got != "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n" {
		t.Errorf("unblocked: %q", got)
	}

	b.send("BLPOP l 0\r\n")
	n.waiting(a, 1)
	c.send("BLPOP l 0\r\n")
	n.waiting(a, 2)
	b.Close() // the first in the queue leaves
	n.waiting(a, 1)
	a.want("RPUSH l w", ":1\r\n")
	if got := c.reply(); got != "*2\r\n$1\r\nl\r\n$1\r\nw\r\n" {
		t.Errorf("%q", got)
	}
	c.send("BLPOP l 0\r\n")
	n.waiting(a, 1)
	a.want("CLIENT KILL ID "+strings.TrimSpace(a.do("CLIENT ID"))[1:]+" SKIPME yes", ":0\r\n")
	a.want("CLIENT KILL TYPE normal", ":1\r\n")
	n.waiting(a, 0)
	a.want("RPUSH l x", ":1\r\n")
	a.want("LLEN l", ":1\r\n")
}

func TestBlockedClientsOnTheEventLoop(t *testing.T) {
	onTheLoop(t)
	TestBlockedClients(t)
}

// A client that waits does not hold up the end of the server.
func TestBlockedClientsAtTheEnd(t *testing.T) {
	for _, loop := range []bool{false, true} {
		was := *eventLoop
		*eventLoop = loop
		n := start(t)
		a, b := n.dial(), n.dial()
		b.send("BLPOP l 0\r\n")
		n.waiting(a, 1)
		if err := n.Close(); err != nil {
			t.Error(err)
		}
		*eventLoop = was
	}
}
