package clustertool

import (
	"errors"
	"fmt"
	"sort"

	"cobble/slots"
)

// repair is one thing that fix does.
type repair struct {
	what string
	do   func() error
}

// fix plans from what the nodes say, prints, asks, and mends: open slots first, then slots that nobody serves.
func fix(t *tool, args []string) (any, error) {
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	if len(c.unreachable) > 0 {
		for _, u := range c.unreachable {
			t.say("[problem] %s", u)
		}
		return nil, errors.New("not all nodes can be reached, and those that cannot may have the slots or keys in question; bring them back, or make the others forget them (del-node)")
	}
	repairs, err := t.planRepairs(c)
	if err != nil {
		return nil, err
	}
	plan := []string{}
	for _, r := range repairs {
		t.say("%s", r.what)
		plan = append(plan, r.what)
	}
	result := map[string]any{"repairs": plan}
	if len(repairs) == 0 {
		t.say("[ok] there is nothing to fix.")
		return result, t.waitAgreement(c, nil)
	}
	if err := t.confirm(); err != nil {
		return result, err
	}
	for i, r := range repairs {
		t.progress("fixing", i, len(repairs))
		if err := r.do(); err != nil {
			return result, err
		}
	}
	t.progress("fixing", len(repairs), len(repairs))
	if err := t.waitAgreement(c, nil); err != nil {
		return result, err
	}
	if err := t.sound(c); err != nil {
		return result, err
	}
	t.say("[ok] fixed.")
	return result, nil
}

func (t *tool) planRepairs(c *cluster) ([]repair, error) {
	var open, covered slots.Set
	for _, p := range c.primaries() {
		covered.Union(&p.me.Slots)
		for s := range p.me.Migrating {
			open.Add(s)
		}
		for s := range p.me.Importing {
			open.Add(s)
		}
	}
	var repairs []repair
	var failed error
	open.Each(func(s slots.Slot) bool {
		var r repair
		r, failed = t.planOpen(c, s)
		repairs = append(repairs, r)
		return failed == nil
	})
	if failed != nil {
		return nil, failed
	}
	missing := uncovered(covered)
	missing.Subtract(&open)
	missing.Each(func(s slots.Slot) bool {
		var r repair
		r, failed = t.planUncovered(c, s)
		repairs = append(repairs, r)
		return failed == nil
	})
	return repairs, failed
}

// planOpen decides about an open slot. With a migrating owner whose destination is there, the move goes on: it was
// begun for a reason, and going on loses nothing whichever keys are where. With a destination alone, keys that it may
// have go back to the owner. Without an owner, the node with most of the keys becomes it.
func (t *tool) planOpen(c *cluster, s slots.Slot) (repair, error) {
	owners := c.owners(s)
	var openers []*peer
	for _, p := range c.primaries() {
		if p.me.Importing[s] != "" || p.me.Migrating[s] != "" {
			openers = append(openers, p)
		}
	}
	switch {
	case len(owners) > 1:
		return repair{}, fmt.Errorf("slot %d is claimed by %s and %s; wait until the nodes have settled that", s, owners[0].addr, owners[1].addr)
	case len(owners) == 0:
		return t.planOwnerless(c, s, openers)
	}
	owner := owners[0]
	if to := c.byID(owner.me.Migrating[s]); to != nil && to != owner && to.me.IsPrimary() {
		return repair{
			what: fmt.Sprintf("slot %d: finish its move from %s to %s", s, owner.addr, to.addr),
			do: func() error {
				_, err := t.moveSlot(c, move{s, owner, to})
				if err != nil {
					return err
				}
				return t.returnKeys(s, to, without(openers, owner))
			},
		}, nil
	}
	return repair{
		what: fmt.Sprintf("slot %d: close it on %s and bring back keys that others may have", s, owner.addr),
		do:   func() error { return t.returnKeys(s, owner, openers) },
	}, nil
}

func without(all []*peer, p *peer) []*peer {
	var rest []*peer
	for _, q := range all {
		if q != p {
			rest = append(rest, q)
		}
	}
	return rest
}

// returnKeys moves what others, who have the slot open, have of it to its owner, and closes it on all of them.
func (t *tool) returnKeys(s slots.Slot, owner *peer, openers []*peer) error {
	for _, p := range without(openers, owner) {
		if _, err := t.moveKeys(move{s, p, owner}); err != nil {
			return err
		}
		if _, err := p.do("CLUSTER", "SETSLOT", fmt.Sprint(s), "STABLE"); err != nil {
			return err
		}
	}
	_, err := owner.do("CLUSTER", "SETSLOT", fmt.Sprint(s), "STABLE")
	return err
}

func (t *tool) planOwnerless(c *cluster, s slots.Slot, openers []*peer) (repair, error) {
	keep, err := c.richest(s)
	if err != nil {
		return repair{}, err
	}
	return repair{
		what: fmt.Sprintf("slot %d: nobody serves it; %s, which has most of its keys, will", s, keep.addr),
		do: func() error {
			for _, p := range c.primaries() {
				if _, err := p.do("CLUSTER", "SETSLOT", fmt.Sprint(s), "STABLE"); err != nil {
					return err
				}
			}
			if err := keep.claim(s); err != nil {
				return err
			}
			// A node serves MIGRATE of keys in a slot that is not its own while the slot is open there.
			for _, p := range without(openers, keep) {
				if _, err := p.do("CLUSTER", "SETSLOT", fmt.Sprint(s), "IMPORTING", keep.me.ID); err != nil {
					return err
				}
			}
			return t.returnKeys(s, keep, openers)
		},
	}, nil
}

func (t *tool) planUncovered(c *cluster, s slots.Slot) (repair, error) {
	keep, err := c.richest(s)
	if err != nil {
		return repair{}, err
	}
	return repair{
		what: fmt.Sprintf("slot %d: nobody serves it; %s will", s, keep.addr),
		do:   func() error { return keep.claim(s) },
	}, nil
}

// claim makes a node the owner of a slot that has none, with an epoch that wins over claims from before.
func (p *peer) claim(s slots.Slot) error {
	if _, err := p.do("CLUSTER", "ADDSLOTS", fmt.Sprint(s)); err != nil {
		return err
	}
	_, err := p.do("CLUSTER", "BUMPEPOCH")
	return err
}

// richest is the primary with most keys of a slot; when nobody has any, the one with fewest slots.
func (c *cluster) richest(s slots.Slot) (*peer, error) {
	all := c.primaries()
	if len(all) == 0 {
		return nil, errors.New("there is no primary")
	}
	keys := map[*peer]int64{}
	for _, p := range all {
		n, err := p.integer("CLUSTER", "COUNTKEYSINSLOT", fmt.Sprint(s))
		if err != nil {
			return nil, err
		}
		keys[p] = n
	}
	sort.SliceStable(all, func(i, j int) bool {
		if keys[all[i]] != keys[all[j]] {
			return keys[all[i]] > keys[all[j]]
		}
		return all[i].me.Slots.Len() < all[j].me.Slots.Len()
	})
	// It will have the slot, so the next one goes to another.
	all[0].me.Slots.Add(s)
	return all[0], nil
}
