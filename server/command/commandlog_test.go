package command

import (
	"strings"
	"testing"
)

// The logs of COMMANDLOG hold what was large, with its bytes, also in a pipeline where
// short commands share a look at the clock; slow ones are those of SLOWLOG.
func TestCommandLog(t *testing.T) {
	c, do := newRunner(t)
	long := strings.Repeat("x", 200)
	do("CONFIG", "SET", "commandlog-request-larger-than", "100", "commandlog-reply-larger-than", "200")
	c.Follows = true
	do("SET", "k", long)
	do("GET", "k")
	c.Follows = false
	do("MULTI")
	do("SET", "k2", long)
	do("GET", "k2")
	do("EXEC")
	got := do("COMMANDLOG", "GET", "-1", "large-reply")
	if !strings.HasPrefix(got, "*2\r\n") || !strings.Contains(got, ":208\r\n*2\r\n$3\r\nGET\r\n$2\r\nk2\r\n") || !strings.Contains(got, ":208\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n") {
		t.Errorf("large replies: %q", got)
	}
	got = do("COMMANDLOG", "GET", "-1", "large-request")
	if !strings.HasPrefix(got, "*2\r\n*6\r\n:1\r\n") || !strings.Contains(got, "\r\n:228\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$147\r\n"+long[:128]+"... (72 more bytes)\r\n") {
		t.Errorf("large requests: %q", got)
	}
	do("CONFIG", "SET", "commandlog-request-larger-than", "-1", "commandlog-execution-slower-than", "0")
	do("SET", "k", long)
	sameReplies(t, do, `
		COMMANDLOG LEN large-request => :2
		COMMANDLOG RESET large-request => +OK
		COMMANDLOG LEN large-request => :0
		CONFIG GET slowlog-log-slower-than => *2 $23 slowlog-log-slower-than $1 0`)
	if slow, log := do("SLOWLOG", "LEN"), do("COMMANDLOG", "LEN", "slow"); slow == ":0\r\n" || log == ":0\r\n" {
		t.Error(slow, log)
	}
}
