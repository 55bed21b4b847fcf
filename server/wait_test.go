package server

import (
	"strings"
	"testing"
)

func TestWaitForTheLog(t *testing.T) {
	n := start(t, "--appendfsync", "always", "--appendonly", "yes")
	a, b := n.dial(), n.dial()
	a.want("SET k v", "+OK\r\n")
	a.want("WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n")
	a.want("WAITAOF 0 0 0", "*2\r\n:1\r\n:0\r\n")
	a.want("WAITAOF 0 1 10", "*2\r\n:1\r\n:0\r\n")
	a.want("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1\r\n")
	a.want("WAITAOF 1 -1 0", "-ERR value is out of range, must be positive\r\n")
	a.want("WAITAOF 1 0 -1", "-ERR timeout is negative\r\n")
	id := strings.TrimSpace(a.do("CLIENT ID"))[1:]
	for reason, want := range map[string]string{"TIMEOUT": "*2\r\n:1\r\n:0\r\n", "ERROR": "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"} {
		a.send("WAITAOF 1 1 0\r\n")
		n.waiting(b, 1)
		eventually(t, "the client that can be unblocked", func() bool { return b.do("CLIENT UNBLOCK "+id+" "+reason) == ":1\r\n" })
		if got := a.reply(); got != want {
			t.Errorf("%s: %q", reason, got)
		}
	}
}

func TestWaitForTheLogOnTheEventLoop(t *testing.T) {
	onTheLoop(t)
	TestWaitForTheLog(t)
}
