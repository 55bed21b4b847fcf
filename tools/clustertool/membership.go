package clustertool

import (
	"flag"
	"fmt"
)

func addNodeFlags(t *tool, fs *flag.FlagSet) {
	fs.BoolVar(&t.asReplica, "replica", false, "add it as a replica, of the primary that has fewest unless --primary says which")
	fs.BoolVar(&t.asReplica, "slave", false, "the same as --replica")
	fs.StringVar(&t.primary, "primary", "", "the `NODE` it is to follow")
	fs.StringVar(&t.primary, "master-id", "", "the same as --primary")
}

func addNode(t *tool, args []string) (any, error) {
	c, err := t.load(args[1])
	if err != nil {
		return nil, err
	}
	if err := t.sound(c); err != nil {
		return nil, err
	}
	p, err := t.dialEmpty(args[0])
	if err != nil {
		return nil, err
	}
	var primary *peer
	if t.primary != "" {
		if primary, err = c.primary(t.primary); err != nil {
			return nil, err
		}
	} else if t.asReplica {
		primary = c.neediest(p.host())
	}
	result := map[string]any{"addr": p.addr, "id": p.me.ID, "role": "primary"}
	if primary == nil {
		t.say("%s joins as a primary without slots; `cobble cluster rebalance --use-empty` gives it some.", p.short())
	} else {
		result["role"], result["primary"] = "replica", primary.me.ID
		t.say("%s joins as a replica of %s.", p.short(), primary.short())
	}
	if err := t.confirm(); err != nil {
		return result, err
	}
	if err := copyFunctions(c.peers[0], p); err != nil {
		return result, err
	}
	if err := p.meet(c.peers[0]); err != nil {
		return result, err
	}
	c.peers = append(c.peers, p)
	if err := t.waitAgreement(c, nil); err != nil {
		return result, err
	}
	if primary != nil {
		if err := t.replicate(p, primary); err != nil {
			return result, err
		}
		if err := t.waitAgreement(c, c.rolesSeen); err != nil {
			return result, err
		}
	}
	t.say("[ok] %s is a member, and all %d nodes know it.", p.short(), len(c.peers))
	return result, nil
}

// neediest is the primary with slots that has fewest replicas; among equals, one on another host.
func (c *cluster) neediest(host string) *peer {
	var best *peer
	rank := func(p *peer) int {
		n := 2 * len(c.replicasOf(p.me.ID))
		if p.host() == host {
			n++
		}
		if p.me.Slots.Empty() {
			n += 1 << 20
		}
		return n
	}
	for _, p := range c.primaries() {
		if best == nil || rank(p) < rank(best) {
			best = p
		}
	}
	return best
}

// copyFunctions gives a new node the cluster's functions, which no replication would bring to a primary. Nodes without
// functions, or without the command, have none to copy.
func copyFunctions(from, to *peer) error {
	r, err := from.do("FUNCTION", "DUMP")
	if err != nil {
		if isReplyError(err) {
			return nil
		}
		return err
	}
	list, err := from.do("FUNCTION", "LIST")
	if err != nil || len(list.Elems) == 0 {
		return nil
	}
	_, err = to.do("FUNCTION", "RESTORE", r.Text)
	return err
}

func delNodeFlags(t *tool, fs *flag.FlagSet) {
	moveFlags(t, fs)
	fs.BoolVar(&t.drain, "drain", false, "move its slots to the other primaries first")
}

func delNode(t *tool, args []string) (any, error) {
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	p, err := c.find(args[1])
	if err != nil {
		return delLost(t, c, args[1], err)
	}
	if len(c.peers) == 1 {
		return nil, usagef("%s is the only node", p.addr)
	}
	if err := c.agreement(); err != nil {
		return nil, err
	}
	result := map[string]any{"addr": p.addr, "id": p.me.ID}
	if !p.me.Slots.Empty() {
		if !t.drain {
			return result, fmt.Errorf("node %s has %d slots; move them away first, or use --drain", p.short(), p.me.Slots.Len())
		}
		moves, err := t.drainTo(c, p)
		if err != nil {
			return result, err
		}
		t.say("%s is drained, then removed.", p.short())
		moved, err := t.carryOut(c, moves)
		result["drained"] = moved
		if err != nil {
			return result, err
		}
		t.yes = true // the removal was part of the question
	}
	replicas := c.replicasOf(p.me.ID)
	t.say("%s is forgotten by the other %d nodes and reset.", p.short(), len(c.peers)-1)
	for _, q := range replicas {
		t.say("  its replica %s follows the primary that has fewest", q.short())
	}
	if err := t.confirm(); err != nil {
		return result, err
	}
	return result, t.expel(c, p, replicas)
}

func (t *tool) expel(c *cluster, p *peer, replicas []*peer) error {
	rest := &cluster{}
	for _, q := range c.peers {
		if q != p {
			rest.peers = append(rest.peers, q)
		}
	}
	for _, q := range replicas {
		primary := rest.neediest(q.host())
		if primary == nil {
			return fmt.Errorf("no primary is left that %s could follow", q.addr)
		}
		if err := t.replicate(q, primary); err != nil {
			return err
		}
	}
	if err := rest.forget(p.me.ID); err != nil {
		return err
	}
	if _, err := p.do("CLUSTER", "RESET", "SOFT"); err != nil {
		return fmt.Errorf("the others forgot it, but: %w", err)
	}
	if err := t.waitAgreement(rest, nil); err != nil {
		return err
	}
	t.say("[ok] %s is no longer a member.", p.addr)
	return nil
}

func (c *cluster) forget(id string) error {
	for _, q := range c.peers {
		if _, err := q.do("CLUSTER", "FORGET", id); err != nil {
			return err
		}
	}
	return nil
}

// drainTo plans to deal a node's slots out to the other primaries that have some.
func (t *tool) drainTo(c *cluster, p *peer) ([]move, error) {
	if err := t.sound(c); err != nil {
		return nil, err
	}
	nodes, weights := []*peer{p}, []float64{0}
	for _, q := range c.primaries() {
		if q != p && !q.me.Slots.Empty() {
			nodes = append(nodes, q)
			weights = append(weights, 1)
		}
	}
	if len(nodes) == 1 {
		return nil, fmt.Errorf("no other primary has slots that could take those of %s", p.addr)
	}
	return balance(nodes, weights, 0), nil
}

// delLost forgets a node that cannot be reached and is known by id only.
func delLost(t *tool, c *cluster, id string, notFound error) (any, error) {
	for _, n := range c.peers[0].view {
		if n.ID != id && n.Addr() != id {
			continue
		}
		if !n.Slots.Empty() {
			return nil, fmt.Errorf("node %s cannot be reached and has slots; a replica must take over first, or `cobble cluster fix` give them away", id)
		}
		t.say("%s %s cannot be reached; the other %d nodes forget it.", n.ID, n.Addr(), len(c.peers))
		result := map[string]any{"addr": n.Addr(), "id": n.ID}
		if err := t.confirm(); err != nil {
			return result, err
		}
		if err := c.forget(n.ID); err != nil {
			return result, err
		}
		t.say("[ok] it is no longer a member.")
		return result, nil
	}
	return nil, notFound
}
