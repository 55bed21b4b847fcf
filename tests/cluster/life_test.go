package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/topology"
)

// patience bounds a hang; nothing here is measured against it.
const patience = time.Minute

func text(t *testing.T, s *proc.Server, args ...string) string {
	t.Helper()
	r, err := s.Try(args...)
	if err != nil {
		t.Fatalf("%q at port %d: %v", args, s.Port, err)
	}
	return r.Text
}

func view(s *proc.Server) ([]*topology.Node, error) {
	r, err := s.Try("CLUSTER", "NODES")
	if err != nil {
		return nil, err
	}
	return topology.ParseNodes(r.Text)
}

// healthy waits until no node thinks ill of another. After a restart of all a verdict on an earlier life may still be
// under way, and redis-cli leaves out who is flagged.
func healthy(t *testing.T, c *proc.Cluster) {
	t.Helper()
	proc.Eventually(t, patience, "nobody is flagged", func() error {
		for _, s := range c.Servers {
			r, err := s.Try("CLUSTER", "NODES")
			if err != nil {
				return err
			}
			for _, flag := range []string{"fail", "noaddr", "handshake", "disconnected"} {
				if strings.Contains(r.Text, flag) {
					return fmt.Errorf("port %d says\n%s", s.Port, r.Text)
				}
			}
		}
		return nil
	})
}

// check runs redis-cli --cluster check, which must find nothing wrong.
func check(t *testing.T, c *proc.Cluster, addr string) {
	t.Helper()
	healthy(t, c)
	out := c.CLI("--cluster", "check", addr)
	for _, want := range []string{"[OK] All nodes agree about slots configuration.", "[OK] All 16384 slots covered."} {
		if !strings.Contains(out, want) {
			t.Fatalf("redis-cli --cluster check says\n%s", out)
		}
	}
}

// One cluster lives through it all, for making it takes longest.
func TestLifeOfACluster(t *testing.T) {
	t.Parallel()
	began := time.Now()
	c := proc.StartCluster(t, 3, 1, proc.Options{})
	t.Logf("six processes were a cluster after %v", time.Since(began).Round(time.Millisecond))
	check(t, c, c.Servers[0].Addr)
	t.Run("all print the same slots", func(t *testing.T) { sameSlots(t, c) })
	t.Run("kill all and restart", func(t *testing.T) { killAll(t, c) })
	t.Run("a node is added and removed", func(t *testing.T) { addAndRemove(t, c) })
	t.Run("meet nobody", func(t *testing.T) { meetNobody(t, c) })
	t.Run("stop all and restart elsewhere", func(t *testing.T) { restartOrderly(t, c) })
}

// CLUSTER SLOTS is the same text on every node, the order of replicas included.
func sameSlots(t *testing.T, c *proc.Cluster) {
	proc.Eventually(t, patience, "CLUSTER SLOTS is the same everywhere", func() error {
		want := ""
		for _, s := range c.Servers {
			r, err := s.Try("CLUSTER", "SLOTS")
			if err != nil {
				return err
			}
			if want == "" {
				want = r.String()
			}
			if got := r.String(); got != want {
				return fmt.Errorf("port %d: %s, another %s", s.Port, got, want)
			}
			if len(r.Elems) != 3 || len(r.Elems[0].Elems) != 4 {
				return fmt.Errorf("not three ranges with a primary and a replica each: %s", want)
			}
		}
		return nil
	})
}

func killAll(t *testing.T, c *proc.Cluster) {
	before := shardsBefore(t, c.Servers[0])
	c.Each(func(s *proc.Server) { s.Kill9() })
	c.Each(func(s *proc.Server) { s.Restart() })
	sameShards(t, c, before)
	check(t, c, c.Servers[3].Addr)
}

// shards is who there is, who belongs together and which slots they have, whoever of them leads.
func shards(s *proc.Server) (string, error) {
	nodes, err := view(s)
	if err != nil {
		return "", err
	}
	members, owned := map[string][]string{}, map[string]string{}
	for _, n := range nodes {
		leader := n.ID
		if n.Primary != "" {
			leader = n.Primary
		}
		members[leader] = append(members[leader], n.ID)
		owned[leader] += n.Slots.String()
	}
	var lines []string
	for leader, ids := range members {
		slices.Sort(ids)
		lines = append(lines, strings.Join(ids, " and ")+": "+owned[leader])
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n"), nil
}

// sameShards waits until the cluster is what it was. Who leads may have changed: under load, processes that are ended
// side by side do not end at once, and a replica may see its primary go first.
func sameShards(t *testing.T, c *proc.Cluster, before string) {
	t.Helper()
	c.WaitOK()
	proc.Eventually(t, patience, "the shards are what they were", func() error {
		for _, s := range c.Servers {
			if after, err := shards(s); err != nil || after != before {
				return fmt.Errorf("before\n%s\nafter, on port %d\n%s (%v)", before, s.Port, after, err)
			}
		}
		return nil
	})
}

func shardsBefore(t *testing.T, s *proc.Server) string {
	t.Helper()
	before, err := shards(s)
	if err != nil {
		t.Fatal(err)
	}
	return before
}

func knows(c *proc.Cluster, n int) func() error {
	return func() error {
		for _, s := range c.Servers {
			nodes, err := view(s)
			if err != nil {
				return err
			}
			if len(nodes) != n {
				return fmt.Errorf("port %d knows %d nodes, want %d", s.Port, len(nodes), n)
			}
		}
		return nil
	}
}

func addAndRemove(t *testing.T, c *proc.Cluster) {
	fresh := proc.Start(t, proc.Options{})
	c.CLI("--cluster", "add-node", fresh.Addr, c.Servers[0].Addr)
	proc.Eventually(t, patience, "all know the new node", knows(c, 7))
	check(t, c, fresh.Addr)
	id := text(t, fresh, "CLUSTER", "MYID")
	c.CLI("--cluster", "del-node", c.Servers[1].Addr, id)
	proc.Eventually(t, patience, "all have forgotten it", knows(c, 6))
	check(t, c, c.Servers[2].Addr)
	nodes, err := view(fresh)
	if err != nil || len(nodes) != 1 {
		t.Fatalf("the removed node knows %d nodes, %v", len(nodes), err)
	}
	// It is banned for a while, but a new identity is not.
	text(t, fresh, "CLUSTER", "RESET", "HARD")
	text(t, fresh, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(c.Servers[0].Port))
	proc.Eventually(t, patience, "all know it again", knows(c, 7))
	healthy(t, c)
	id = text(t, fresh, "CLUSTER", "MYID")
	c.CLI("--cluster", "del-node", c.Servers[1].Addr, id)
	proc.Eventually(t, patience, "all have forgotten it again", knows(c, 6))
}

func meetNobody(t *testing.T, c *proc.Cluster) {
	s := c.Servers[0]
	if got := text(t, s, "CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(proc.FreePort(t))); got != "OK" {
		t.Fatalf("MEET says %s", got)
	}
	if nodes := text(t, s, "CLUSTER", "NODES"); !strings.Contains(nodes, "handshake") {
		t.Fatalf("no handshake in\n%s", nodes)
	}
	proc.Eventually(t, patience, "the handshake is given up", func() error {
		if nodes := text(t, s, "CLUSTER", "NODES"); strings.Contains(nodes, "handshake") {
			return fmt.Errorf("still there:\n%s", nodes)
		}
		return nil
	})
}

func restartOrderly(t *testing.T, c *proc.Cluster) {
	before := shardsBefore(t, c.Servers[5])
	c.Each(func(s *proc.Server) { s.Stop() })
	for _, s := range c.Servers {
		if err := s.ExitError(); err != nil {
			t.Errorf("port %d: %v", s.Port, err)
		}
	}
	c.Each(func(s *proc.Server) { s.Restart() })
	sameShards(t, c, before)
}

func refused(t *testing.T, o proc.Options, want string) {
	t.Helper()
	s := proc.Launch(t, o)
	proc.Eventually(t, patience, "the server gives up", func() error {
		if s.Alive() {
			return fmt.Errorf("it runs")
		}
		return nil
	})
	if s.ExitError() == nil {
		t.Error("exit code 0")
	}
	if !strings.Contains(s.Log(), want) {
		t.Errorf("the log says\n%s\nwithout %q", s.Log(), want)
	}
}

func TestNodesThatMustNotStart(t *testing.T) {
	t.Parallel()
	running := proc.Start(t, proc.Options{})
	shared := filepath.Join(running.Dir, "nodes.conf")
	refused(t, proc.Options{Args: []string{"--cluster-config-file", shared}},
		"Sorry, the cluster configuration file nodes.conf is already used by a different Redis Cluster node. Please make sure that different nodes use different cluster configuration files.")
	refused(t, proc.Options{Args: []string{"--cluster-port", strconv.Itoa(running.Port + proc.BusOffset)}},
		fmt.Sprintf("Failed listening on port %d (cluster), aborting.", running.Port+proc.BusOffset))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nodes.conf"), []byte("no nodes\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused(t, proc.Options{Dir: dir}, "Unrecoverable error: corrupted cluster config file")
	refused(t, proc.Options{Port: portAbove55535(t)}, "Your Redis port number must be 55535 or less.")
}

// portAbove55535 gives a free port so high that its bus port would not exist, and above those that the kernel gives to
// outgoing connections.
func portAbove55535(t *testing.T) int {
	for port := 61000 + os.Getpid()%4000; port < 65536; port++ {
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port above 61000")
	return 0
}
