package faults

import (
	"slices"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
)

// untilWritable waits until s takes a write and gives the time since begin.
func untilWritable(t *testing.T, s *proc.Server, key string, begin time.Time) time.Duration {
	t.Helper()
	conn := s.Conn()
	for deadline := begin.Add(time.Minute); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		reply, err := conn.Do("SET", key, "1")
		if err != nil {
			t.Fatal(err)
		}
		if reply.Err() == nil {
			return time.Since(begin)
		}
	}
	t.Fatalf("port %d was not promoted within a minute\n%s", s.Port, s.Log())
	return 0
}

func report(t *testing.T, what string, took []time.Duration) {
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	t.Logf("%s: %d rounds, median %v, maximum %v", what, len(took), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
}

// TestKill9FailsOver kills a primary that is being written to, and measures until its replica takes writes.
func TestKill9FailsOver(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options())
	w := startWorkload(t, c, 3000, 6)
	var took []time.Duration
	for round := range number("COBBLE_ROUNDS", 3) {
		w.waitWrites(t, 300)
		shards := c.Shards()
		sh := shards[round%len(shards)]
		sh.Replica.WaitReplicaOf(sh.Primary)
		begin := time.Now()
		sh.Primary.Kill9()
		took = append(took, untilWritable(t, sh.Replica, sh.Key, begin))
		sh.Primary.Restart()
		sh.Primary.WaitReplicaOf(sh.Replica)
		c.WaitOK()
	}
	report(t, "kill -9 of a primary to its replica taking writes", took)
	w.waitWrites(t, 300)
	w.halt()
}

// TestPausedPrimaryIsReplaced stops a primary with SIGSTOP; when it wakes up it must not go on as if nothing was.
func TestPausedPrimaryIsReplaced(t *testing.T) {
	t.Parallel()
	o := options()
	o.NodeTimeout = 5000 // the test waits for it, a busy machine does not reach it
	c := proc.StartCluster(t, 3, 1, o)
	var took []time.Duration
	for round := range number("COBBLE_ROUNDS", 1) {
		shards := c.Shards()
		sh := shards[round%len(shards)]
		sh.Replica.WaitReplicaOf(sh.Primary)
		begin := time.Now()
		sh.Primary.Pause()
		took = append(took, untilWritable(t, sh.Replica, sh.Key, begin))
		if _, err := sh.Replica.Try("SET", sh.Key, "after"); err != nil {
			t.Fatal(err)
		}
		sh.Primary.Cont()
		sh.Primary.WaitReplicaOf(sh.Replica)
		c.WaitOK()
		if _, err := sh.Primary.Try("SET", sh.Key, "stale"); err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
			t.Errorf("the replaced primary answers a write with %v", err)
		}
		if reply := sh.Replica.Do("GET", sh.Key); reply.Text != "after" {
			t.Errorf("the write after the failover is %v", reply)
		}
	}
	report(t, "SIGSTOP of a primary to its replica taking writes (node timeout 5 s)", took)
}

// TestManualFailover moves a primary's role by CLUSTER FAILOVER under load: no acknowledged write may be lost.
func TestManualFailover(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options())
	w := startWorkload(t, c, 2000, 4)
	for range number("COBBLE_ROUNDS", 2) {
		w.waitWrites(t, 500)
		sh := c.Shards()[0]
		sh.Replica.WaitReplicaOf(sh.Primary)
		sh.Replica.Do("CLUSTER", "FAILOVER")
		untilWritable(t, sh.Replica, sh.Key, time.Now())
		sh.Primary.WaitReplicaOf(sh.Replica)
		c.WaitOK()
	}
	w.halt()
	w.verify(t)
}
