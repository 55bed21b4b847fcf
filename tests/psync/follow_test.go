package psync

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

// follower is a redis-server that replicates from a server.
func follower(t *testing.T, of *proc.Server) *proc.Server {
	t.Helper()
	r := proc.Start(t, proc.Options{Program: proc.Redis, Standalone: true, Args: []string{"--repl-diskless-load", "disabled"}})
	r.Do("REPLICAOF", "127.0.0.1", strconv.Itoa(of.Port))
	return r
}

// followed is a follower that has everything.
func followed(t *testing.T, of *proc.Server) *proc.Server {
	t.Helper()
	r := follower(t, of)
	settled(t, of, r)
	return r
}

// copies fails if a server has not sent so many full copies, or let followers go on so many times.
func copies(t *testing.T, s *proc.Server, full, partial int) {
	t.Helper()
	info := s.Do("INFO", "stats").Text
	if field(info, "sync_full") != strconv.Itoa(full) || field(info, "sync_partial_ok") != strconv.Itoa(partial) {
		t.Errorf("not %d full and %d partial copies:\n%s", full, partial, info)
	}
}

// oneWaits waits until one client is blocked.
func oneWaits(t *testing.T, s *proc.Server) {
	t.Helper()
	proc.Eventually(t, 60*time.Second, "the client to wait", func() error {
		if n := field(s.Do("INFO", "clients").Text, "blocked_clients"); n != "1" {
			return fmt.Errorf("%s clients are blocked", n)
		}
		return nil
	})
}

// settled waits until a follower has all that its primary has written, and compares them.
func settled(t *testing.T, primary, r *proc.Server) {
	t.Helper()
	mark := fmt.Sprint("mark ", time.Now().UnixNano())
	primary.Do("SET", "mark", mark)
	proc.Eventually(t, 60*time.Second, "the follower to have everything", func() error {
		if got := r.Do("GET", "mark"); got.Text != mark {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
	proc.Eventually(t, time.Minute, "keys that expire just now to be gone", func() error {
		return differences(content(t, primary), content(t, r))
	})
}

func TestFollower(t *testing.T) {
	t.Parallel()
	s := filled(t, proc.Options{Standalone: true})
	r := followed(t, s)
	c := s.Conn()
	defer c.Close()
	fill(t, c, "live ")
	settled(t, s, r)
}

// A follower whose connection breaks goes on where it was, with what was written meanwhile; one that comes when its
// backlog is gone, or comes to a server that has started again, gets a new copy.
func TestResync(t *testing.T) {
	t.Parallel()
	s := filled(t, proc.Options{Standalone: true})
	r := followed(t, s)
	broken := func() {
		t.Helper()
		if n := s.Do("CLIENT", "KILL", "TYPE", "replica"); n.Text != "1" {
			t.Fatalf("%v replicas were killed", n)
		}
		r.WaitLog("Connection with master lost")
	}
	for range 3 {
		broken()
		s.Do("APPEND", "text", strings.Repeat("x", 100))
		settled(t, s, r)
	}
	copies(t, s, 1, 3)
	if !strings.Contains(r.Log(), "Successful partial resynchronization with master") {
		t.Error("the follower knows nothing of it")
	}
	s.Do("CONFIG", "SET", "repl-backlog-ttl", "1")
	r.Pause()
	s.Do("CLIENT", "KILL", "TYPE", "replica")
	s.WaitLog("Replication backlog freed after 1 seconds without its replica.")
	r.Cont()
	settled(t, s, r)
	copies(t, s, 2, 3)
	s.Kill9()
	s.Restart()
	s.Do("SET", "after", "the start")
	settled(t, s, r)
	copies(t, s, 1, 0)
	if s.Stop() != 0 {
		t.Error("the server did not stop well beside a follower")
	}
}

// What a primary tells of its followers.
func TestWhatIsTold(t *testing.T) {
	t.Parallel()
	s := proc.Start(t, proc.Options{Standalone: true})
	r := followed(t, s)
	proc.Eventually(t, 60*time.Second, "INFO to show the follower with everything", func() error {
		info := s.Do("INFO", "replication").Text
		end := field(info, "master_repl_offset")
		want := fmt.Sprintf("slave0:ip=127.0.0.1,port=%d,state=online,offset=%s,lag=", r.Port, end)
		if !strings.Contains(info, "connected_slaves:1\r\n"+want) || end == "0" {
			return fmt.Errorf("%s is not in\n%s", want, info)
		}
		role := s.Do("ROLE").String()
		if want := fmt.Sprintf("*3[$\"master\" :%s *1[*3[$\"127.0.0.1\" $\"%d\" $\"%s\"]]]", end, r.Port, end); role != want {
			return fmt.Errorf("ROLE is %s, not %s", role, want)
		}
		return nil
	})
	if list := s.Do("CLIENT", "LIST", "TYPE", "replica").Text; strings.Count(list, "\n") != 1 || !strings.Contains(list, " flags=S ") {
		t.Errorf("CLIENT LIST TYPE replica: %s", list)
	}
	if list := s.Do("CLIENT", "LIST", "TYPE", "normal").Text; strings.Contains(list, "flags=S") {
		t.Errorf("CLIENT LIST TYPE normal: %s", list)
	}
	if n := s.Do("WAIT", "1", "100"); n.Text != "0" {
		t.Errorf("WAIT counts %v", n)
	}
	info := r.Do("INFO", "replication").Text
	if field(info, "master_link_status") != "up" || field(info, "master_sync_in_progress") != "0" {
		t.Errorf("the follower says\n%s", info)
	}
}

func field(info, name string) string {
	_, rest, _ := strings.Cut(info, "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// Blocked clients, functions and expiry reach a follower as what they did.
func TestLive(t *testing.T) {
	t.Parallel()
	s := proc.Start(t, proc.Options{Standalone: true, Args: []string{"--event-loop", "no"}})
	r := followed(t, s)
	blocked, c := s.Conn(), s.Conn()
	defer blocked.Close()
	defer c.Close()
	blocked.Send("BLMOVE", "from", "to", "LEFT", "RIGHT", "0")
	if err := blocked.Flush(); err != nil {
		t.Fatal(err)
	}
	oneWaits(t, s)
	do(t, c, "RPUSH", "from", "a", "b")
	if got, err := blocked.Receive(); err != nil || got.Text != "a" {
		t.Fatalf("%v, %v", got, err)
	}
	do(t, c, "FUNCTION", "LOAD", library)
	do(t, c, "SET", "soon", "gone", "PX", "30")
	do(t, c, "HSET", "hash", "f", "v", "g", "w")
	do(t, c, "HPEXPIRE", "hash", "20", "FIELDS", "1", "f")
	settled(t, s, r)
	if list := r.Do("FUNCTION", "LIST").String(); !strings.Contains(list, "seven") {
		t.Errorf("the follower has functions %s", list)
	}
	do(t, c, "FUNCTION", "FLUSH")
	do(t, c, "FLUSHALL")
	settled(t, s, r)
	if list := r.Do("FUNCTION", "LIST"); len(list.Elems) != 0 {
		t.Errorf("the follower still has functions %v", list)
	}
	sane(t, r)
}
