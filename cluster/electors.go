package cluster

import "sort"

const (
	changeHangs   Duration = 300 // a change of the set that hangs this long is finished by anybody
	electorPeriod Duration = 100
	electorTurn   Duration = 400 // between the attempts of two electors at the same change
)

// latest returns the greatest set known of a cluster, or nil.
func (m *Machine) latest(cluster ID) *Electors {
	for _, e := range m.known {
		if e.Cluster == cluster {
			return e
		}
	}
	return nil
}

// finalCluster follows dissolved clusters to the one that took them in, as far
// as this node knows.
func (m *Machine) finalCluster(cluster ID) ID {
	for range m.known {
		e := m.latest(cluster)
		if e == nil || e.Into.IsZero() || m.latest(e.Into) == nil {
			return cluster
		}
		cluster = e.Into
	}
	return cluster
}

// inForce returns the set this node obeys. While the set of the cluster that
// took its own in is unknown, that is still the old set.
func (m *Machine) inForce() *Electors {
	if m.force == nil {
		m.force = m.latest(m.finalCluster(m.self().Cluster))
	}
	return m.force
}

// setKnown replaces the known sets.
func (m *Machine) setKnown(known []*Electors) { m.known, m.force = known, nil }

// learnElectors hears of a decided set.
func (m *Machine) learnElectors(e *Electors) {
	if e == nil || e.Cluster.IsZero() || len(e.Members) == 0 {
		return
	}
	old := m.latest(e.Cluster)
	if old != nil && old.Ver >= e.Ver {
		m.install(old)
		return
	}
	kept := []*Electors{e}
	for _, k := range m.known {
		if k.Cluster != e.Cluster {
			kept = append(kept, k)
		}
	}
	sort.Slice(kept, func(i, j int) bool { return kept[i].Cluster.Less(kept[j].Cluster) })
	m.setKnown(kept)
	m.changed.view, m.changed.table = true, true
	m.install(e)
	if now := m.finalCluster(m.self().Cluster); now != m.self().Cluster && m.me != nil {
		m.note('-', "cluster "+m.self().Cluster.String()+" is dissolved into "+now.String())
		m.amend(false, func(r *Record) { r.Cluster = now })
	}
	m.wakeBy(m.now)
}

// install makes a decided set the one this node's acceptor serves, or copies
// registers for.
func (m *Machine) install(e *Electors) {
	d := m.domainOf(e.Cluster)
	if d == nil {
		if !e.Includes(m.member()) || !e.Into.IsZero() {
			return
		}
		d = m.newDomain(e)
		m.rememberDomain(d)
	} else if d.Electors.Ver < e.Ver {
		d.Electors, d.Carried, d.copying = e, false, nil
		d.drop(ID{})
		m.rememberDomain(d)
	}
	m.wakeBy(m.now)
}

// electorTimers copies registers for sets this node was added to, and finishes
// changes of the set that hang.
func (m *Machine) electorTimers() {
	for _, d := range m.domains {
		if !d.Electors.Into.IsZero() || !d.Electors.Includes(m.member()) {
			continue
		}
		if d.Complete < d.Electors.Ver {
			m.catchUp(d)
			continue
		}
		r := d.find(ID{})
		if r == nil || r.Electors == nil {
			continue
		}
		if due := m.changeAt.After(changeHangs + Duration(m.rank(d.Electors))*changeHangs); m.now < due {
			m.wakeBy(due)
		} else {
			m.propose(&proposal{why: forElectors, cluster: d.Cluster, set: d.Electors})
		}
	}
	if m.now >= m.electorAt {
		m.electorAt = m.now.After(electorPeriod)
		m.repairElectors()
	}
	m.wakeBy(m.electorAt)
}

// rank is this node's place among the members of e.
func (m *Machine) rank(e *Electors) int {
	for i, member := range e.Members {
		if member.ID == m.id() {
			return i
		}
	}
	return len(e.Members)
}

// electorsWanted is how many electors n nodes have.
func electorsWanted(n int) int {
	switch {
	case n < 3:
		return 1
	case n < 5:
		return 3
	case n < 10:
		return 5
	}
	return 7
}

// repairElectors proposes a new set when the present one is too small or has a
// member that was forgotten, reset or gone for long. Every elector looks, in
// turns by rank; the others look when an elector was forgotten, for it may have
// been the only one.
func (m *Machine) repairElectors() {
	e := m.inForce()
	d := m.domainOf(e.Cluster)
	if d != nil && d.changing() || m.mergePending() && m.leaving == nil {
		m.repairAt = 0
		return
	}
	next := m.betterElectors(e)
	elector := d != nil && m.serving(d)
	if next == nil || !elector && !m.electorForgotten(e) {
		m.repairAt = 0
		return
	}
	if m.repairAt == 0 {
		m.repairAt = m.now.After(electorPeriod + Duration(m.rank(e))*electorTurn)
		if !elector {
			m.repairAt += Time(m.random.Below(int64(electorTurn)))
		}
	}
	if m.now < m.repairAt && m.leaving == nil {
		m.wakeBy(m.repairAt)
		return
	}
	m.repairAt = 0
	m.propose(&proposal{why: forElectors, cluster: e.Cluster, set: e, electors: next})
}

// electorForgotten reports whether a member of e is in the table no more.
func (m *Machine) electorForgotten(e *Electors) bool {
	for _, member := range e.Members {
		if m.find(member.ID) == nil {
			return true
		}
	}
	return false
}

// betterElectors returns the set that should follow e, or nil if e is good.
func (m *Machine) betterElectors(e *Electors) *Electors {
	var keep []Member
	population := 0
	for _, n := range m.nodes {
		if n.record.Cluster == e.Cluster && !m.leaves(n) {
			population++
		}
	}
	for _, member := range e.Members {
		n := m.find(member.ID)
		if n != nil && n.record.Incarnation == member.Inc && n.record.Cluster == e.Cluster && !m.longGone(n) && !m.leaves(n) {
			keep = append(keep, member)
		}
	}
	wanted := electorsWanted(population)
	if len(keep) == len(e.Members) && len(keep) >= wanted {
		return nil // a set too large is left alone: fewer electors are no repair
	}
	keep = m.addElectors(keep, wanted, e.Cluster)
	if len(keep)%2 == 0 {
		keep = dropElector(keep, e)
	}
	if len(keep) == 0 || sameMembers(keep, e.Members) {
		return nil
	}
	sort.Slice(keep, func(i, j int) bool { return keep[i].ID.Less(keep[j].ID) })
	return &Electors{Cluster: e.Cluster, Ver: e.Ver + 1, Members: keep, Prev: e.Members}
}

// longGone reports whether an elector was failed for so long that it is
// replaced.
func (m *Machine) longGone(n *node) bool {
	return n != m.me && n.fail && m.now.Since(n.failedAt) > m.config.ElectorPatience
}

// addElectors fills keep up to wanted with living nodes, spread over hosts.
func (m *Machine) addElectors(keep []Member, wanted int, cluster ID) []Member {
	for len(keep) < wanted {
		var best *node
		bestShared := 0
		for _, n := range m.nodes {
			if n.record.Cluster != cluster || n.record.Incarnation == 0 || !m.alive(n) || m.leaves(n) || hasMember(keep, n.id()) {
				continue
			}
			shared := 0
			for _, member := range keep {
				if o := m.find(member.ID); o != nil && o.addr().IP == n.addr().IP {
					shared++
				}
			}
			if best == nil || shared < bestShared {
				best, bestShared = n, shared
			}
		}
		if best == nil {
			break
		}
		keep = append(keep, Member{best.id(), best.record.Incarnation})
	}
	return keep
}

// leaves reports whether n is this node and about to be reset.
func (m *Machine) leaves(n *node) bool { return n == m.me && m.leaving != nil }

// alive reports whether n answered a probe of late.
func (m *Machine) alive(n *node) bool {
	return n == m.me || !n.fail && !n.pfail && n.heard != 0 && n.misses == 0 && m.now.Since(n.acked) <= m.config.NodeTimeout
}

func hasMember(members []Member, id ID) bool {
	for _, member := range members {
		if member.ID == id {
			return true
		}
	}
	return false
}

// dropElector makes the number odd, and leaves out a newcomer rather than an
// elector.
func dropElector(members []Member, e *Electors) []Member {
	if len(members) == 0 {
		return nil
	}
	for i := len(members) - 1; i >= 0; i-- {
		if !e.Includes(members[i]) {
			return append(members[:i], members[i+1:]...)
		}
	}
	return members[:len(members)-1]
}

func sameMembers(a, b []Member) bool {
	if len(a) != len(b) {
		return false
	}
	for _, member := range a {
		found := false
		for _, other := range b {
			found = found || member == other
		}
		if !found {
			return false
		}
	}
	return true
}

// electorsForgot looks at the set at once after a FORGET.
func (m *Machine) electorsForgot() { m.wakeBy(m.now) }
