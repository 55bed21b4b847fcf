package proc

import (
	"fmt"
	"strings"

	"cobble/tools/topology"
)

// Nodes reads CLUSTER NODES of the server.
func (s *Server) Nodes() ([]*topology.Node, error) {
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

// Shard is a primary of a running cluster with slots, and its replica.
type Shard struct {
	Primary, Replica *Server
	Key              string // a key that the primary serves
}

// Shards finds who serves what in a cluster of one replica for each primary; it waits until there is one.
func (c *Cluster) Shards() (shards []Shard) {
	c.t.Helper()
	var nodes []*topology.Node
	Eventually(c.t, readyTimeout, "a replica for each primary", func() (err error) {
		if nodes, err = c.Servers[0].Nodes(); err != nil {
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
	server := map[string]*Server{}
	for _, n := range nodes {
		for _, s := range c.Servers {
			if s.Port == n.Port {
				server[n.ID] = s
			}
		}
	}
	for _, n := range nodes {
		if !n.IsReplica() {
			continue
		}
		sh := Shard{Primary: server[n.Primary], Replica: server[n.ID]}
		for i := 0; sh.Key == ""; i++ {
			key := fmt.Sprintf("probe:%d", i)
			if _, err := sh.Primary.Try("GET", key); err == nil {
				sh.Key = key
			}
		}
		shards = append(shards, sh)
	}
	return shards
}

// WaitReplicaOf waits until the server follows primary with its link up.
func (s *Server) WaitReplicaOf(primary *Server) {
	s.t.Helper()
	Eventually(s.t, readyTimeout, fmt.Sprintf("port %d to replicate port %d", s.Port, primary.Port), func() error {
		reply, err := s.Try("INFO", "replication")
		if err != nil {
			return err
		}
		for _, want := range []string{"role:slave", fmt.Sprintf("master_port:%d\r", primary.Port), "master_link_status:up"} {
			if !strings.Contains(reply.Text, want) {
				return fmt.Errorf("no %q in\n%s", want, reply.Text)
			}
		}
		return nil
	})
}
