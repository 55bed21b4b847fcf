package migrate

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/slots"
	"cobble/tests/proc"
	"cobble/tools/respconn"
	"cobble/tools/topology"
)

// library is loaded into every primary; its function writes, so that calling it shows that it works.
const library = `#!lua name=moved
redis.register_function('put', function(keys, args) redis.call('RPUSH', keys[1], args[1]) return redis.call('LLEN', keys[1]) end)`

// view is the cluster as one server that runs sees it.
func view(t testing.TB, c *proc.Cluster) []*topology.Node {
	t.Helper()
	for _, s := range c.Servers {
		if !s.Alive() {
			continue
		}
		nodes, err := topology.ParseNodes(s.Do("CLUSTER", "NODES").Text)
		if err != nil {
			t.Fatal(err)
		}
		return nodes
	}
	t.Fatal("no server runs")
	return nil
}

// server is the process of a node.
func server(c *proc.Cluster, n *topology.Node) *proc.Server {
	for _, s := range c.Servers {
		if s.Port == n.Port {
			return s
		}
	}
	return nil
}

// owners gives a function that tells the primary of a key, as of now.
func owners(t testing.TB, c *proc.Cluster) func(key string) *proc.Server {
	t.Helper()
	nodes := view(t, c)
	return func(key string) *proc.Server {
		for _, n := range nodes {
			if n.IsPrimary() && n.Slots.Has(slots.Of([]byte(key))) {
				return server(c, n)
			}
		}
		t.Fatalf("nobody serves %s", key)
		return nil
	}
}

// replicas gives the running replica of each primary, by the primary's port.
func replicas(t testing.TB, c *proc.Cluster) map[int]*proc.Server {
	t.Helper()
	nodes := view(t, c)
	of := map[int]*proc.Server{}
	for _, n := range nodes {
		for _, p := range nodes {
			if n.IsReplica() && n.Primary == p.ID && server(c, n).Alive() {
				of[p.Port] = server(c, n)
			}
		}
	}
	return of
}

// readOnly asks a replica.
func readOnly(t testing.TB, s *proc.Server) asker {
	t.Helper()
	conn := s.Conn()
	ask := func(args ...string) respconn.Reply {
		t.Helper()
		r, err := conn.Do(args...)
		if err == nil {
			err = r.Err()
		}
		if err != nil {
			t.Fatalf("port %d, %q: %v", s.Port, args, err)
		}
		return r
	}
	ask("READONLY")
	return ask
}

// sameEverywhere compares all keys with what they must be, at their primaries and at the replicas.
func sameEverywhere(t *testing.T, c *proc.Cluster, what string, want map[string]string) {
	t.Helper()
	owner, replicaOf := owners(t, c), replicas(t, c)
	for port, r := range replicaOf {
		primary := server(c, &topology.Node{Port: port})
		proc.Eventually(t, time.Minute, fmt.Sprintf("port %d having what %d has", r.Port, port), func() error {
			p, q := primary.Do("DEBUG", "DIGEST").Text, r.Do("DEBUG", "DIGEST").Text
			f, g := primary.Do("FUNCTION", "LIST", "WITHCODE").String(), r.Do("FUNCTION", "LIST", "WITHCODE").String()
			if p != q || f != g {
				return fmt.Errorf("digests %s and %s; functions %s and %s", p, q, f, g)
			}
			return nil
		})
	}
	readers := map[*proc.Server]asker{}
	for key, w := range want {
		r := replicaOf[owner(key).Port]
		if r == nil { // where nothing is copied but by MIGRATE
			sameButExpiry(t, what+": "+key, value(owner(key).Do, key), w)
			continue
		}
		if got := value(owner(key).Do, key); got != w {
			differ(t, what+": "+key+" at its primary", got, w)
		}
		if readers[r] == nil {
			readers[r] = readOnly(t, r)
		}
		if got := value(readers[r], key); got != w {
			differ(t, what+": "+key+" at a replica", got, w)
		}
	}
}

// writeOn sends what may follow to every key, to the cluster and to the reference, whose replies must be the same, and
// returns what the keys are then.
func writeOn(t *testing.T, c *proc.Cluster, reference *proc.Server, keys int) map[string]string {
	t.Helper()
	owner, want := owners(t, c), map[string]string{}
	for i := range keys {
		for _, command := range samples[i%len(samples)].further(name(i)) {
			got, ref := owner(name(i)).Do(command...), reference.Do(command...)
			if got.String() != ref.String() && command[0] != "XAUTOCLAIM" {
				t.Errorf("%q replied\n%.300s\nwant %.300s", command, got, ref)
			}
		}
		want[name(i)] = value(reference.Do, name(i))
	}
	for _, tag := range []string{"a", "b", "c"} {
		key := "calls{" + tag + "}"
		n := owner(key).Do("LLEN", key).Text
		before, _ := strconv.Atoi(n)
		if r := owner(key).Do("FCALL", "put", "1", key, "x"); r.Text != strconv.Itoa(before+1) {
			t.Errorf("FCALL put %s: %v after %d", key, r, before)
		}
	}
	return want
}

// takesOver waits until a server is a primary that serves, in the eyes of all that run.
func takesOver(t *testing.T, c *proc.Cluster, s *proc.Server) {
	t.Helper()
	proc.Eventually(t, time.Minute, fmt.Sprintf("port %d taking over", s.Port), func() error {
		for _, n := range view(t, c) {
			if n.Port == s.Port && n.IsPrimary() && !n.Slots.Empty() {
				return nil
			}
		}
		return fmt.Errorf("it is a replica")
	})
	c.WaitOK()
}

// Every type and every function is whole on a replica, on one that was promoted because its primary died, after
// CLUSTER FAILOVER, and on a node that had to copy everything; and each goes on from there as redis-server does.
func TestEveryTypeSurvivesPromotion(t *testing.T) {
	const keys = 68 // each kind four times, somewhere in the cluster
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	proc.Eventually(t, time.Minute, "three replicas", func() error {
		if n := len(replicas(t, c)); n != 3 {
			return fmt.Errorf("%d replicas", n)
		}
		return nil
	})
	reference := start(t, proc.Redis)
	owner := owners(t, c)
	for i := range 3 {
		owner("calls{"+string(rune('a'+i))+"}").Do("FUNCTION", "LOAD", "REPLACE", library)
	}
	want := fillOne(t, reference, keys)
	fill(t, owner, keys)
	sameEverywhere(t, c, "filled", want)

	want = writeOn(t, c, reference, keys)
	sameEverywhere(t, c, "written to", want)

	victim := owner("calls{a}")
	heir := replicas(t, c)[victim.Port]
	victim.Kill9()
	takesOver(t, c, heir)
	sameEverywhere(t, c, "after kill -9", want)
	want = writeOn(t, c, reference, keys)
	victim.Restart()
	c.WaitOK()
	sameEverywhere(t, c, "after kill -9, with the old primary back", want)

	asked := replicas(t, c)[owners(t, c)("calls{b}").Port]
	asked.Do("CLUSTER", "FAILOVER")
	takesOver(t, c, asked)
	want = writeOn(t, c, reference, keys)
	sameEverywhere(t, c, "after CLUSTER FAILOVER", want)

	fresh := proc.Start(t, proc.Options{})
	old := owners(t, c)("calls{c}")
	oldReplica := replicas(t, c)[old.Port]
	oldReplica.Kill9()
	c.CLI("--cluster", "add-node", fresh.Addr, old.Addr, "--cluster-slave", "--cluster-master-id", old.Do("CLUSTER", "MYID").Text)
	c.Servers = append(c.Servers, fresh)
	proc.Eventually(t, time.Minute, "a full copy", func() error {
		info := fresh.Do("INFO", "replication").Text
		if !strings.Contains(info, "master_link_status:up") || fresh.Do("DEBUG", "DIGEST").Text != old.Do("DEBUG", "DIGEST").Text {
			return fmt.Errorf("%s", info)
		}
		return nil
	})
	old.Kill9()
	takesOver(t, c, fresh)
	sameEverywhere(t, c, "after a full copy and kill -9", want)
	sameEverywhere(t, c, "written to after all", writeOn(t, c, reference, keys))
}

// Every type is whole after its slot was moved away and back, and goes on as in redis-server.
func TestEveryTypeSurvivesReshard(t *testing.T) {
	const keys = 51
	c := proc.StartCluster(t, 3, 0, proc.Options{})
	reference := start(t, proc.Redis)
	want := fillOne(t, reference, keys)
	fill(t, owners(t, c), keys)
	for _, s := range c.Servers {
		s.Do("FUNCTION", "LOAD", "REPLACE", library)
	}
	for round := 1; round <= 3; round++ {
		ids := map[*proc.Server]string{}
		for _, s := range c.Servers {
			ids[s] = s.Do("CLUSTER", "MYID").Text
		}
		owner := owners(t, c)
		for i := range keys {
			to := c.Servers[(i+round)%3]
			if from := owner(name(i)); from != to {
				moveSlot(t, c, fmt.Sprint(slots.Of([]byte(name(i)))), to, ids[to])
			}
		}
		sameEverywhere(t, c, fmt.Sprint("round ", round), want)
		want = writeOn(t, c, reference, keys)
	}
	sameEverywhere(t, c, "in the end", want)
}
