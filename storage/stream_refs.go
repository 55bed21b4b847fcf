package storage

// Referrers are the groups of a stream, as those who may still need an entry. Their changes are in the transaction after
// Save, the stream's after its own.
type Referrers struct {
	groups  []*Group
	changed []bool
}

// Referrers returns the groups of the stream.
func (s *Stream) Referrers() (*Referrers, error) {
	r := &Referrers{}
	err := s.EachGroup(func(g *Group) error { r.groups = append(r.groups, g); return nil })
	r.changed = make([]bool, len(r.groups))
	return r, err
}

// None reports whether there are no groups.
func (r *Referrers) None() bool { return len(r.groups) == 0 }

// Need reports whether a group has yet to read the entry, or a consumer of one to acknowledge it.
func (r *Referrers) Need(id StreamID) (bool, error) {
	for _, g := range r.groups {
		if g.Last.Less(id) {
			return true, nil
		}
	}
	for _, g := range r.groups {
		if _, ok, err := g.PendingOf(id); err != nil || ok {
			return ok, err
		}
	}
	return false, nil
}

// Drop ends that the entry is pending anywhere.
func (r *Referrers) Drop(id StreamID) error {
	for i, g := range r.groups {
		if _, err := r.acknowledge(i, g, id); err != nil {
			return err
		}
	}
	return nil
}

// Acknowledge ends that the entry is pending in the group of that name. It reports whether it was.
func (r *Referrers) Acknowledge(name []byte, id StreamID) (bool, error) {
	for i, g := range r.groups {
		if string(g.Name) == string(name) {
			return r.acknowledge(i, g, id)
		}
	}
	return false, nil
}

func (r *Referrers) acknowledge(i int, g *Group, id StreamID) (bool, error) {
	ok, err := g.Acknowledge(id)
	r.changed[i] = r.changed[i] || ok
	return ok, err
}

// Save writes the groups that have changed.
func (r *Referrers) Save() {
	for i, g := range r.groups {
		if r.changed[i] {
			g.Save()
			g.s.changed = true
		}
	}
}

// Acknowledge ends that an entry is pending in the group, and reports whether it was. The group must be saved.
func (g *Group) Acknowledge(id StreamID) (bool, error) {
	p, ok, err := g.PendingOf(id)
	if err != nil || !ok {
		return false, err
	}
	if err := g.Lose(p); err != nil {
		return false, err
	}
	g.Take(p)
	g.Pending--
	return true, nil
}
