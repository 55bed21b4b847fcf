package proc

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"cobble/tools/topology"
)

// Cluster is a set of servers that know each other.
type Cluster struct {
	Servers []*Server
	t       testing.TB
}

// StartServers starts n servers with the same options, side by side, and waits until all are ready. They do not know
// each other yet.
func StartServers(t testing.TB, n int, o Options) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range n {
		o.Dir, o.Port = "", 0
		s := prepare(t, o)
		s.launch()
		c.Servers = append(c.Servers, s)
	}
	for _, s := range c.Servers {
		s.WaitReady()
	}
	return c
}

// StartCluster starts primaries × (1 + replicas) servers and makes them a cluster with stock redis-cli, then waits
// until all of them agree that it is whole.
func StartCluster(t testing.TB, primaries, replicas int, o Options) *Cluster {
	t.Helper()
	c := StartServers(t, primaries*(1+replicas), o)
	args := append([]string{"--cluster", "create"}, c.Addrs()...)
	args = append(args, "--cluster-replicas", fmt.Sprint(replicas), "--cluster-yes")
	c.CLI(args...)
	c.WaitOK()
	return c
}

// Addrs are the addresses of the servers, in order.
func (c *Cluster) Addrs() []string {
	var all []string
	for _, s := range c.Servers {
		all = append(all, s.Addr)
	}
	return all
}

// CLI runs stock redis-cli and gives its output; the test fails when it exits with an error or takes a minute.
func (c *Cluster) CLI(args ...string) string {
	c.t.Helper()
	return c.CLIWithin(readyTimeout, args...)
}

// CLIWithin is CLI for what may take longer, or must not take so long.
func (c *Cluster) CLIWithin(limit time.Duration, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	out, err := exec.CommandContext(ctx, RedisCLI(c.t), args...).CombinedOutput()
	if ctx.Err() != nil {
		c.t.Fatalf("redis-cli %q was cut off after %v\n%s", args, limit, tail(out, 2000))
	}
	if err != nil {
		c.t.Fatalf("redis-cli %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

// Each runs f on every server at the same time.
func (c *Cluster) Each(f func(s *Server)) {
	var wg sync.WaitGroup
	for _, s := range c.Servers {
		wg.Go(func() { f(s) })
	}
	wg.Wait()
}

// WaitOK waits until every running server says that the cluster is ok, and all print the same owners of the same slots.
func (c *Cluster) WaitOK() {
	c.t.Helper()
	WaitOK(c.t, c.Servers...)
}

// WaitOK is Cluster.WaitOK for servers that were started one by one.
func WaitOK(t testing.TB, servers ...*Server) {
	t.Helper()
	Eventually(t, readyTimeout, "an agreed and whole cluster", func() error {
		signature := ""
		for _, s := range servers {
			if !s.Alive() {
				continue
			}
			info, err := s.Try("CLUSTER", "INFO")
			if err != nil {
				return fmt.Errorf("port %d: %w", s.Port, err)
			}
			if !strings.Contains(info.Text, "cluster_state:ok") {
				return fmt.Errorf("port %d is not ok:\n%s", s.Port, info.Text)
			}
			nodes, err := s.Try("CLUSTER", "NODES")
			if err != nil {
				return fmt.Errorf("port %d: %w", s.Port, err)
			}
			view, err := topology.ParseNodes(nodes.Text)
			if err != nil {
				return fmt.Errorf("port %d: %w", s.Port, err)
			}
			sig := topology.Signature(view)
			if signature == "" {
				signature = sig
			}
			if sig != signature {
				return fmt.Errorf("port %d sees %s, another %s", s.Port, sig, signature)
			}
		}
		return nil
	})
}
