package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/topology"
)

// nodesOf reads CLUSTER NODES of one server.
func nodesOf(s *proc.Server) ([]*topology.Node, error) {
	reply, err := s.Try("CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	text, err := reply.Str()
	if err != nil {
		return nil, err
	}
	return topology.ParseNodes(text)
}

// shard is one primary of a running cluster, and its replica.
type shard struct {
	primary, replica *proc.Server
	key              string // a key that the primary serves
}

// shardsOf finds who serves what, by asking every server about itself.
func shardsOf(t *testing.T, c *proc.Cluster) []shard {
	t.Helper()
	var nodes []*topology.Node
	proc.Eventually(t, time.Minute, "a replica for each primary", func() (err error) {
		if nodes, err = nodesOf(c.Servers[0]); err != nil {
			return err
		}
		replicas := 0
		for _, n := range nodes {
			if n.IsReplica() {
				replicas++
			}
		}
		if replicas != len(c.Servers)/2 {
			return fmt.Errorf("%d replicas", replicas)
		}
		return nil
	})
	server := map[string]*proc.Server{}
	for _, n := range nodes {
		for _, s := range c.Servers {
			if s.Port == n.Port {
				server[n.ID] = s
			}
		}
	}
	var out []shard
	for _, n := range nodes {
		if !n.IsReplica() {
			continue
		}
		sh := shard{primary: server[n.Primary], replica: server[n.ID]}
		for i := 0; sh.key == ""; i++ {
			key := fmt.Sprintf("probe:%d", i)
			if _, err := sh.primary.Try("GET", key); err == nil {
				sh.key = key
			}
		}
		out = append(out, sh)
	}
	return out
}

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

// waitReplicaOf waits until s follows primary with its link up.
func waitReplicaOf(t *testing.T, s, primary *proc.Server) {
	t.Helper()
	proc.Eventually(t, time.Minute, fmt.Sprintf("port %d to replicate port %d", s.Port, primary.Port), func() error {
		reply, err := s.Try("INFO", "replication")
		if err != nil {
			return err
		}
		text, err := reply.Str()
		if err != nil {
			return err
		}
		for _, want := range []string{"role:slave", fmt.Sprintf("master_port:%d\r", primary.Port), "master_link_status:up"} {
			if !strings.Contains(text, want) {
				return fmt.Errorf("no %q in\n%s", want, text)
			}
		}
		return nil
	})
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
		shards := shardsOf(t, c)
		sh := shards[round%len(shards)]
		waitReplicaOf(t, sh.replica, sh.primary)
		begin := time.Now()
		sh.primary.Kill9()
		took = append(took, untilWritable(t, sh.replica, sh.key, begin))
		sh.primary.Restart()
		waitReplicaOf(t, sh.primary, sh.replica)
		c.WaitOK()
	}
	report(t, "kill -9 of a primary to its replica taking writes", took)
	w.waitWrites(t, 300)
	w.halt()
}

// TestPausedPrimaryIsReplaced stops a primary with SIGSTOP; when it wakes up it must not go on as if nothing was.
func TestPausedPrimaryIsReplaced(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options())
	var took []time.Duration
	for round := range number("COBBLE_ROUNDS", 1) {
		shards := shardsOf(t, c)
		sh := shards[round%len(shards)]
		waitReplicaOf(t, sh.replica, sh.primary)
		begin := time.Now()
		sh.primary.Pause()
		took = append(took, untilWritable(t, sh.replica, sh.key, begin))
		if _, err := sh.replica.Try("SET", sh.key, "after"); err != nil {
			t.Fatal(err)
		}
		sh.primary.Cont()
		waitReplicaOf(t, sh.primary, sh.replica)
		c.WaitOK()
		if _, err := sh.primary.Try("SET", sh.key, "stale"); err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
			t.Errorf("the replaced primary answers a write with %v", err)
		}
		if reply := sh.replica.Do("GET", sh.key); reply.Text != "after" {
			t.Errorf("the write after the failover is %v", reply)
		}
	}
	report(t, "SIGSTOP of a primary to its replica taking writes (node timeout 2 s)", took)
}

// TestManualFailover moves a primary's role by CLUSTER FAILOVER under load: no acknowledged write may be lost.
func TestManualFailover(t *testing.T) {
	t.Parallel()
	c := proc.StartCluster(t, 3, 1, options())
	w := startWorkload(t, c, 2000, 4)
	for range number("COBBLE_ROUNDS", 2) {
		w.waitWrites(t, 500)
		sh := shardsOf(t, c)[0]
		waitReplicaOf(t, sh.replica, sh.primary)
		sh.replica.Do("CLUSTER", "FAILOVER")
		untilWritable(t, sh.replica, sh.key, time.Now())
		waitReplicaOf(t, sh.primary, sh.replica)
		c.WaitOK()
	}
	w.halt()
	w.verify(t)
}
