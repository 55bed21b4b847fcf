package psync

import (
	"fmt"
	"strconv"
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

// settled waits until a follower has all that its primary has written, and compares them.
func settled(t *testing.T, primary, r *proc.Server) {
	t.Helper()
	mark := fmt.Sprint("mark ", time.Now().UnixNano())
	primary.Do("SET", "mark", mark)
	proc.Eventually(t, 20*time.Second, "the follower to have everything", func() error {
		if got := r.Do("GET", "mark"); got.Text != mark {
			return fmt.Errorf("it has %v", got)
		}
		return nil
	})
	proc.Eventually(t, 5*time.Second, "keys that expire just now to be gone", func() error {
		return differences(content(t, primary), content(t, r))
	})
}

func TestFollower(t *testing.T) {
	t.Parallel()
	s := filled(t, proc.Options{Standalone: true})
	r := follower(t, s)
	settled(t, s, r)
	c := s.Conn()
	defer c.Close()
	fill(t, c, "live ")
	settled(t, s, r)
}
