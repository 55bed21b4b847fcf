package clustertool

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"cobble/slots"
	"cobble/tools/topology"
)

// cluster is all nodes that one of them knows of, each asked for its own view.
type cluster struct {
	peers       []*peer
	unreachable []string // what is wrong with nodes that could not be asked
}

// load starts from any node.
func (t *tool) load(addr string) (*cluster, error) {
	seed, err := t.dial(addr)
	if err != nil {
		return nil, err
	}
	c := &cluster{peers: []*peer{seed}}
	var (
		wg sync.WaitGroup
		mu sync.Mutex
	)
	for _, n := range seed.view {
		if n.ID == seed.me.ID {
			continue
		}
		if n.Has("handshake") {
			continue // it is not a member yet, or never will be
		}
		if !n.Reachable() {
			c.unreachable = append(c.unreachable, fmt.Sprintf("node %s %s is flagged %s", n.ID, n.Addr(), strings.Join(n.Flags, ",")))
			continue
		}
		wg.Go(func() {
			p, err := t.dial(n.Addr())
			if err == nil && p.me.ID != n.ID {
				err = fmt.Errorf("node %s should be at %s, but %s is there", n.ID, n.Addr(), p.me.ID)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.unreachable = append(c.unreachable, err.Error())
				return
			}
			c.peers = append(c.peers, p)
		})
	}
	wg.Wait()
	sort.Slice(c.peers, func(i, j int) bool { return less(c.peers[i], c.peers[j]) })
	sort.Strings(c.unreachable)
	return c, nil
}

// less orders peers by their first slot, then by address, primaries before replicas: the order people expect.
func less(a, b *peer) bool {
	firstA, hasA := a.me.Slots.Next(0)
	firstB, hasB := b.me.Slots.Next(0)
	switch {
	case a.me.IsReplica() != b.me.IsReplica():
		return b.me.IsReplica()
	case hasA != hasB:
		return hasA
	case hasA && firstA != firstB:
		return firstA < firstB
	}
	return a.addr < b.addr
}

func (c *cluster) refresh() error {
	for _, p := range c.peers {
		if err := p.refresh(); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) primaries() []*peer {
	var all []*peer
	for _, p := range c.peers {
		if p.me.IsPrimary() {
			all = append(all, p)
		}
	}
	return all
}

func (c *cluster) replicasOf(id string) []*peer {
	var all []*peer
	for _, p := range c.peers {
		if p.me.IsReplica() && p.me.Primary == id {
			all = append(all, p)
		}
	}
	return all
}

func (c *cluster) byID(id string) *peer {
	for _, p := range c.peers {
		if p.me.ID == id {
			return p
		}
	}
	return nil
}

// find takes an id, the beginning of one, or an address.
func (c *cluster) find(name string) (*peer, error) {
	var found []*peer
	for _, p := range c.peers {
		if p.addr == name || p.me.ID == name || p.me.Addr() == name {
			return p, nil
		}
		if len(name) >= 4 && strings.HasPrefix(p.me.ID, strings.ToLower(name)) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, usagef("no reachable node of the cluster is %q", name)
	}
	return nil, usagef("%q is the beginning of %d node ids", name, len(found))
}

// owner finds who serves a slot, by the nodes' own words.
func (c *cluster) owners(slot slots.Slot) []*peer {
	var all []*peer
	for _, p := range c.primaries() {
		if p.me.Slots.Has(slot) {
			all = append(all, p)
		}
	}
	return all
}

// agreement is nil when every node has the same owners of the same slots and knows every other.
func (c *cluster) agreement() error {
	want := topology.Signature(c.peers[0].view)
	for _, p := range c.peers[1:] {
		if topology.Signature(p.view) != want {
			return fmt.Errorf("nodes %s and %s do not agree on who serves which slots", c.peers[0].addr, p.addr)
		}
	}
	for _, p := range c.peers {
		for _, q := range c.peers {
			n := p.sees(q.me.ID)
			if n == nil || n.Has("handshake") {
				return fmt.Errorf("node %s does not know %s", p.addr, q.addr)
			}
		}
	}
	return nil
}

// waitAgreement refreshes until the nodes agree and also meet another condition.
func (t *tool) waitAgreement(c *cluster, also func() error) error {
	return t.eventually("the nodes to agree", func() error {
		if err := c.refresh(); err != nil {
			return err
		}
		if err := c.agreement(); err != nil {
			return err
		}
		if also != nil {
			return also()
		}
		return nil
	})
}

// stateOK is nil when every node says that the cluster serves.
func (c *cluster) stateOK() error {
	for _, p := range c.peers {
		r, err := p.do("CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if !strings.Contains(r.Text, "cluster_state:ok") {
			return fmt.Errorf("node %s says that the cluster is not ok", p.addr)
		}
	}
	return nil
}

var errProblems = errors.New("the cluster has problems")

// sound refuses to change a cluster that is not whole.
func (t *tool) sound(c *cluster) error {
	f := c.findings()
	if len(f.Problems) == 0 {
		return nil
	}
	for _, p := range f.Problems {
		t.say("[problem] %s", p)
	}
	return fmt.Errorf("%w; mend them first (`cobble cluster fix`)", errProblems)
}
