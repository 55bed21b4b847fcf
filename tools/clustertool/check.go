package clustertool

import (
	"fmt"
	"sort"
	"strings"

	"cobble/slots"
	"cobble/tools/topology"
)

// findings are what check has to say. Problems make it fail, warnings do not.
type findings struct {
	Problems []string `json:"problems"`
	Warnings []string `json:"warnings"`
}

func (f *findings) problem(format string, args ...any) {
	f.Problems = append(f.Problems, fmt.Sprintf(format, args...))
}

func (f *findings) warn(format string, args ...any) {
	f.Warnings = append(f.Warnings, fmt.Sprintf(format, args...))
}

// nodeReport is a node in the output of check and info.
type nodeReport struct {
	Addr     string   `json:"addr"`
	ID       string   `json:"id"`
	Role     string   `json:"role"`
	Primary  string   `json:"primary,omitempty"`
	Epoch    int64    `json:"epoch"`
	Slots    string   `json:"slots,omitempty"`
	Count    int      `json:"slot_count"`
	Keys     int64    `json:"keys"`
	Replicas []string `json:"replicas,omitempty"`
}

func check(t *tool, args []string) (any, error) {
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	nodes, err := t.printNodes(c)
	if err != nil {
		return nil, err
	}
	f := c.findings()
	for _, w := range f.Warnings {
		t.say("[warning] %s", w)
	}
	for _, p := range f.Problems {
		t.say("[problem] %s", p)
	}
	result := struct {
		Nodes []nodeReport `json:"nodes"`
		findings
	}{nodes, f}
	if len(f.Problems) > 0 {
		return result, fmt.Errorf("%w: %d found", errProblems, len(f.Problems))
	}
	t.say("[ok] all %d nodes agree, and all %d slots are covered.", len(c.peers), slots.Count)
	return result, nil
}

func info(t *tool, args []string) (any, error) {
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	nodes, err := t.printNodes(c)
	if err != nil {
		return nil, err
	}
	var keys int64
	primaries := 0
	for _, n := range nodes {
		if n.Role == "primary" {
			keys += n.Keys
			primaries++
		}
	}
	t.say("%d keys on %d primaries, %.2f keys per slot on average.", keys, primaries, float64(keys)/slots.Count)
	for _, u := range c.unreachable {
		t.say("[warning] %s", u)
	}
	return map[string]any{"nodes": nodes, "keys": keys, "unreachable": c.unreachable}, nil
}

// printNodes prints one line a node, replicas under their primary.
func (t *tool) printNodes(c *cluster) ([]nodeReport, error) {
	var all []nodeReport
	line := func(p *peer, indent string) error {
		r := nodeReport{Addr: p.addr, ID: p.me.ID, Role: "primary", Epoch: p.me.Epoch, Slots: p.me.Slots.String(), Count: p.me.Slots.Len()}
		keys, err := p.integer("DBSIZE")
		if err != nil {
			return err
		}
		r.Keys = keys
		for _, q := range c.replicasOf(p.me.ID) {
			r.Replicas = append(r.Replicas, q.me.ID)
		}
		if p.me.IsReplica() {
			r.Role, r.Primary, r.Slots, r.Count = "replica", p.me.Primary, "", 0
			t.say("%sreplica %s %s: %d keys", indent, p.addr, p.me.ID, keys)
		} else {
			t.say("%sprimary %s %s: %d keys, %d slots (%s), %d replicas", indent, p.addr, p.me.ID, keys, r.Count, orNone(r.Slots), len(r.Replicas))
		}
		all = append(all, r)
		return nil
	}
	printed := map[string]bool{}
	for _, p := range c.primaries() {
		printed[p.me.ID] = true
		if err := line(p, ""); err != nil {
			return nil, err
		}
		for _, q := range c.replicasOf(p.me.ID) {
			printed[q.me.ID] = true
			if err := line(q, "  "); err != nil {
				return nil, err
			}
		}
	}
	for _, p := range c.peers {
		if !printed[p.me.ID] {
			if err := line(p, ""); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// findings looks at everything that one can see from outside.
func (c *cluster) findings() findings {
	f := findings{Problems: []string{}, Warnings: []string{}}
	f.Problems = append(f.Problems, c.unreachable...)
	if err := c.agreement(); err != nil {
		f.problem("%v", err)
	}
	c.checkSlots(&f)
	c.checkReplicas(&f)
	epochs := map[int64]string{}
	for _, p := range c.primaries() {
		if p.me.Slots.Empty() {
			continue
		}
		if other := epochs[p.me.Epoch]; other != "" {
			f.warn("primaries %s and %s have the same configuration epoch %d", other, p.addr, p.me.Epoch)
		}
		epochs[p.me.Epoch] = p.addr
	}
	return f
}

func (c *cluster) checkSlots(f *findings) {
	var covered slots.Set
	for _, p := range c.peers {
		if p.me.IsPrimary() {
			if p.me.Slots.Intersects(&covered) {
				f.problem("node %s claims slots that another claims too", p.addr)
			}
			covered.Union(&p.me.Slots)
		}
		for _, open := range openSlots(p.me) {
			f.problem("node %s has an open slot: %s", p.addr, open)
		}
	}
	if missing := uncovered(covered); !missing.Empty() {
		f.problem("%d slots are not covered: %s", missing.Len(), missing.String())
	}
}

func uncovered(covered slots.Set) slots.Set {
	missing := slots.Full()
	missing.Subtract(&covered)
	return missing
}

func openSlots(n *topology.Node) []string {
	var all []string
	for slot, id := range n.Migrating {
		all = append(all, fmt.Sprintf("%d is migrating to %.8s", slot, id))
	}
	for slot, id := range n.Importing {
		all = append(all, fmt.Sprintf("%d is being imported from %.8s", slot, id))
	}
	sort.Strings(all)
	return all
}

func (c *cluster) checkReplicas(f *findings) {
	some := false
	for _, p := range c.peers {
		if !p.me.IsReplica() {
			continue
		}
		some = true
		switch q := c.byID(p.me.Primary); {
		case q == nil:
			f.problem("replica %s follows %.8s, which is not reachable", p.addr, p.me.Primary)
		case !q.me.IsPrimary():
			f.problem("replica %s follows %s, which is no primary", p.addr, q.addr)
		case q.host() == p.host() && !c.oneHost():
			f.warn("replica %s is on the host of its primary %s", p.addr, q.addr)
		}
	}
	if !some {
		return
	}
	var bare []string
	for _, p := range c.primaries() {
		if !p.me.Slots.Empty() && len(c.replicasOf(p.me.ID)) == 0 {
			bare = append(bare, p.addr)
		}
	}
	if len(bare) > 0 {
		f.warn("no replica follows %s", strings.Join(bare, ", "))
	}
}

func (c *cluster) oneHost() bool {
	for _, p := range c.peers {
		if p.host() != c.peers[0].host() {
			return false
		}
	}
	return true
}
