package psync

import (
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// What REPLCONF, SYNC and PSYNC reply, compared with redis-server, on both drivers of connections.
func TestReplies(t *testing.T) {
	t.Parallel()
	redis := proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true})
	for _, loop := range []string{"yes", "no"} {
		s := proc.Start(t, proc.Options{Standalone: true, Args: []string{"--event-loop", loop}})
		c, oracle := s.Conn(), redis.Conn()
		defer c.Close()
		defer oracle.Close()
		for _, line := range strings.Split(`
REPLCONF
REPLCONF capa
REPLCONF listening-port 1234
REPLCONF listening-port x
REPLCONF ip-address 10.0.0.1
REPLCONF capa eof capa psync2 capa nosuch
REPLCONF nosuch 1
REPLCONF rdb-only 1
REPLCONF rdb-only 0 rdb-only 2
REPLCONF rdb-only x
REPLCONF rdb-filter-only functions
REPLCONF rdb-filter-only "
REPLCONF rdb-filter-only data
REPLCONF listening-port 1 ip-address `+strings.Repeat("x", 300)+`
PSYNC
PSYNC ?
PSYNC ? x
SYNC x
PSYNC ? 1 FAILOVER
MULTI
SYNC
PSYNC ? -1
EXEC
EVAL return(redis.call('SYNC')) 0
EVAL return(redis.pcall('PSYNC','?','-1')) 0
PING`, "\n") {
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			if got, want := do(t, c, words...), do(t, oracle, words...); !got.Equal(want) {
				t.Errorf("event-loop %s: %.60s: %v, where redis-server says %v", loop, line, got, want)
			}
		}
		// No reply, whatever stands beside it.
		for _, conn := range []*respconn.Conn{c, oracle} {
			conn.Send("REPLCONF", "ACK", "7")
			conn.Send("REPLCONF", "GETACK", "*")
			if got := do(t, conn, "ECHO", "after"); got.Text != "after" {
				t.Errorf("an acknowledgement is answered: %v", got)
			}
		}
		notCapable(t, s)
	}
}

// notCapable has a client without EOF ask for a part of the file, and one that does not read be cut off.
func notCapable(t *testing.T, s *proc.Server) {
	t.Helper()
	c := s.Conn()
	defer c.Close()
	do(t, c, "REPLCONF", "rdb-filter-only", "functions")
	if got := do(t, c, "SYNC"); got.Err() == nil || got.Text != "ERR Filtered replica requires EOF capability" {
		t.Errorf("%v", got)
	}
	s.Do("CONFIG", "SET", "repl-timeout", "1")
	silent := s.Conn()
	defer silent.Close()
	silent.Send("PSYNC", "?", "-1")
	if err := silent.Flush(); err != nil {
		t.Fatal(err)
	}
	proc.Eventually(t, time.Minute, "a follower that says nothing to be cut off", func() error {
		_, err := silent.Read(make([]byte, 1<<16))
		if err == nil {
			return errAlive
		}
		return nil
	})
	s.WaitLog("is cut: it has said nothing for repl-timeout")
}

var errAlive = respconn.ReplyError("it is still there")
