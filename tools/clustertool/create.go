package clustertool

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"cobble/slots"
	"cobble/tools/topology"
)

func createFlags(t *tool, fs *flag.FlagSet) {
	fs.IntVar(&t.replicas, "replicas", 0, "replicas for each primary")
}

// dialEmpty connects to a node that is to become a member: alone, without keys and slots.
func (t *tool) dialEmpty(addr string) (*peer, error) {
	p, err := t.dial(addr)
	if err != nil {
		return nil, err
	}
	if len(p.view) > 1 {
		return nil, fmt.Errorf("node %s is in a cluster of %d already; CLUSTER RESET makes it forget that", addr, len(p.view))
	}
	keys, err := p.integer("DBSIZE")
	if err != nil {
		return nil, err
	}
	if keys > 0 {
		return nil, fmt.Errorf("node %s is not empty: it has %d keys; FLUSHALL removes them", addr, keys)
	}
	if !p.me.Slots.Empty() {
		return nil, fmt.Errorf("node %s has slots already (%s); CLUSTER RESET takes them away", addr, p.me.Slots.String())
	}
	return p, nil
}

func create(t *tool, addrs []string) (any, error) {
	if t.replicas < 0 {
		return nil, usagef("--replicas cannot be negative")
	}
	c := &cluster{}
	var sites []site
	seen := map[string]bool{}
	for _, addr := range addrs {
		p, err := t.dialEmpty(addr)
		if err != nil {
			return nil, err
		}
		if seen[p.me.ID] {
			return nil, usagef("%s is named twice", addr)
		}
		seen[p.me.ID] = true
		c.peers = append(c.peers, p)
		sites = append(sites, site{p.addr, p.host()})
	}
	shards, warnings, err := place(sites, t.replicas)
	if err != nil {
		return nil, err
	}
	if len(shards) < 3 {
		warnings = append(warnings, fmt.Sprintf("%d primaries: Redis needs three for a failover to find a majority", len(shards)))
	}
	for _, s := range shards {
		t.say("primary %s gets slots %s (%d)", s.Primary, s.Slots, s.Range.Last-s.Range.First+1)
		for _, r := range s.Replicas {
			t.say("  replica %s", r)
		}
	}
	for _, w := range warnings {
		t.say("[warning] %s", w)
	}
	result := map[string]any{"shards": shards, "warnings": warnings}
	if err := t.confirm(); err != nil {
		return result, err
	}
	return result, t.build(c, shards)
}

// build carries a plan of create out.
func (t *tool) build(c *cluster, shards []shard) error {
	byAddr := map[string]*peer{}
	for _, p := range c.peers {
		byAddr[p.addr] = p
	}
	for i, s := range shards {
		p := byAddr[s.Primary]
		if err := p.addSlots(s.Range); err != nil {
			return err
		}
		// Distinct epochs from the start spare the nodes to settle collisions. A node that has one already says so.
		if _, err := p.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1)); err != nil && !isReplyError(err) {
			return err
		}
	}
	first := c.peers[0]
	for _, p := range c.peers[1:] {
		if err := p.meet(first); err != nil {
			return err
		}
	}
	t.say("The nodes meet.")
	if err := t.waitAgreement(c, nil); err != nil {
		return err
	}
	following := 0
	for _, s := range shards {
		for _, addr := range s.Replicas {
			if err := t.replicate(byAddr[addr], byAddr[s.Primary]); err != nil {
				return err
			}
			following++
		}
	}
	if following > 0 {
		t.say("%d replicas follow their primaries.", following)
	}
	err := t.waitAgreement(c, func() error {
		if err := c.rolesSeen(); err != nil {
			return err
		}
		return c.stateOK()
	})
	if err != nil {
		return err
	}
	t.say("[ok] the cluster of %d nodes serves all %d slots.", len(c.peers), slots.Count)
	return nil
}

// rolesSeen is nil when each node sees the others in the roles they see themselves in.
func (c *cluster) rolesSeen() error {
	for _, p := range c.peers {
		for _, q := range c.peers {
			n := p.sees(q.me.ID)
			if n == nil || n.IsReplica() != q.me.IsReplica() || n.Primary != q.me.Primary {
				return fmt.Errorf("node %s does not see %s in its role yet", p.addr, q.addr)
			}
		}
	}
	return nil
}

func isReplyError(err error) bool {
	var e *replyError
	return errors.As(err, &e)
}

// addSlots claims a range; nodes before 7.0 take single slots only.
func (p *peer) addSlots(r slots.Range) error {
	_, err := p.do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(r.First), fmt.Sprint(r.Last))
	var e *replyError
	if !errors.As(err, &e) || !strings.Contains(strings.ToLower(string(e.reply)), "unknown subcommand") {
		return err
	}
	args := []string{"CLUSTER", "ADDSLOTS"}
	for s := int(r.First); s <= int(r.Last); s++ {
		args = append(args, strconv.Itoa(s))
	}
	_, err = p.do(args...)
	return err
}

// meet introduces p to a member.
func (p *peer) meet(member *peer) error {
	args := []string{"CLUSTER", "MEET", member.me.Host, strconv.Itoa(member.me.Port)}
	if member.me.BusPort != member.me.Port+10000 && member.me.BusPort != 0 {
		args = append(args, strconv.Itoa(member.me.BusPort))
	}
	_, err := p.do(args...)
	return err
}

// replicate makes p a replica, once p knows its primary.
func (t *tool) replicate(p, primary *peer) error {
	return t.eventually(fmt.Sprintf("%s to follow %s", p.addr, primary.addr), func() error {
		if _, err := p.do("CLUSTER", "REPLICATE", primary.me.ID); err != nil {
			return err
		}
		if err := p.refresh(); err != nil {
			return err
		}
		if p.me.Primary != primary.me.ID {
			return fmt.Errorf("it follows %q", p.me.Primary)
		}
		return nil
	})
}

// announced is the address of a node as another node sees it, which is the one nodes reach each other by.
func announced(seen *topology.Node, p *peer) (host, port string) {
	if seen != nil && seen.Host != "" && seen.Port != 0 {
		return seen.Host, strconv.Itoa(seen.Port)
	}
	return p.me.Host, strconv.Itoa(p.me.Port)
}
