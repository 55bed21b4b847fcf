package cluster

import (
	"errors"
	"sort"
)

// ConfChange is what makes one NodesConf out of another: a record of the
// journal beside nodes.conf. Applied to the state it was made against, or to a
// later one that came by way of it, it gives what it was made for.
type ConfChange struct {
	Self         ID
	Boot         uint64
	CurrentEpoch uint64
	Records      []*Record // new and changed ones, ascending by ID
	Gone         []ID      // ascending
	Migrating    []OpenSlot
	Importing    []OpenSlot
	Electors     *Electors
	Bans         []Ban
	Failed       []ID
}

// ChangeSince returns what leads from old (nil: nothing) to c. Records are
// compared by pointer: they are immutable, and one too many does no harm.
func (c *NodesConf) ChangeSince(old *NodesConf) *ConfChange {
	change := &ConfChange{
		Self: c.Self, Boot: c.Boot, CurrentEpoch: c.CurrentEpoch, Migrating: c.Migrating, Importing: c.Importing,
		Electors: c.Electors, Bans: c.Bans, Failed: c.Failed,
	}
	var before []*Record
	if old != nil {
		before = old.Records
	}
	for _, r := range c.Records {
		for len(before) > 0 && before[0].ID.Less(r.ID) {
			change.Gone = append(change.Gone, before[0].ID)
			before = before[1:]
		}
		same := false
		if len(before) > 0 && before[0].ID == r.ID {
			same = before[0] == r
			before = before[1:]
		}
		if !same {
			change.Records = append(change.Records, r)
		}
	}
	for _, r := range before {
		change.Gone = append(change.Gone, r.ID)
	}
	return change
}

// Apply returns c with the change made; c itself stays as it is. A result
// without the record of the node itself is refused.
func (c *NodesConf) Apply(change *ConfChange) (*NodesConf, error) {
	next := &NodesConf{
		Generation: c.Generation, Self: change.Self, Boot: change.Boot, CurrentEpoch: change.CurrentEpoch,
		Migrating: change.Migrating, Importing: change.Importing, Electors: change.Electors, Bans: change.Bans, Failed: change.Failed,
	}
	replaced := map[ID]bool{}
	for _, r := range change.Records {
		replaced[r.ID] = true
	}
	for _, id := range change.Gone {
		replaced[id] = true
	}
	for _, r := range c.Records {
		if !replaced[r.ID] {
			next.Records = append(next.Records, r)
		}
	}
	next.Records = append(next.Records, change.Records...)
	sort.SliceStable(next.Records, func(i, j int) bool { return next.Records[i].ID.Less(next.Records[j].ID) })
	there := false
	for i, r := range next.Records {
		if i > 0 && next.Records[i-1].ID == r.ID {
			return nil, errors.New("cluster: a change names the same node twice")
		}
		there = there || r.ID == next.Self
	}
	if !there {
		return nil, errors.New("cluster: a change without the record of the node itself")
	}
	return next, nil
}
