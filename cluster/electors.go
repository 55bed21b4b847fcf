package cluster

import "sort"

const (
	changeHangs   Duration = 300 // a change of the set that hangs this long is finished by anybody
	copyRetry     Duration = 200
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

// copying is the transfer of a set's registers out of the set before it.
type copying struct {
	set       *Electors // its Prev are asked
	nonce     uint64
	retryAt   Time
	from      []ID
	lacking   []ID   // members that miss registers themselves
	registers Domain // only Registers is used: the greatest accepted of each
	complete  bool
}

// copyOut (re)starts asking the members of set.Prev for their registers.
func (m *Machine) copyOut(c *copying) {
	if c.complete || m.now < c.retryAt {
		m.wakeBy(c.retryAt)
		return
	}
	c.retryAt = m.now.After(copyRetry)
	m.wakeBy(c.retryAt)
	for _, e := range c.set.Prev {
		m.sendAfter(m.acceptorToken, e.ID, Copy{Electors: c.set, Nonce: c.nonce})
	}
}

func (m *Machine) newCopying(set *Electors) *copying {
	m.nonce++
	return &copying{set: set, nonce: m.nonce}
}

// copyTo gives all registers to a member of the next set. The set named in the
// request is decided, so from now on this node serves the old one no more: what
// a majority of the old set has not accepted by now is never decided there.
func (m *Machine) copyTo(from Member, body Copy) {
	e := body.Electors
	if e == nil {
		return
	}
	if !m.mutated(MutateNoFreeze) {
		m.learnElectors(e)
	}
	d := m.domainOf(e.Cluster)
	if d == nil || d.Complete+1 < e.Ver {
		m.answer(from.ID, CopyOK{Cluster: e.Cluster, Nonce: body.Nonce}) // misses registers itself
		return
	}
	reply := CopyOK{Cluster: e.Cluster, Ver: e.Ver, Nonce: body.Nonce, Epoch: m.currentEpoch}
	for _, r := range d.Registers {
		if !r.Key.IsZero() {
			reply.Registers = append(reply.Registers, r)
		}
	}
	m.answer(from.ID, reply)
}

// copied merges one member's registers; a majority of them misses nothing.
func (m *Machine) copied(from Member, body CopyOK) {
	c := m.findCopying(body.Cluster, body.Nonce)
	prev := Electors{}
	if c != nil {
		prev.Members = c.set.Prev
	}
	if c == nil || c.complete || !prev.Includes(from) {
		return
	}
	if body.Ver == 0 {
		c.lacking = appendOnce(c.lacking, from.ID)
		return
	}
	c.lacking = without(c.lacking, from.ID)
	if c.set.Ver != body.Ver || len(appendOnce(c.from, from.ID)) == len(c.from) {
		return
	}
	m.currentEpoch = max(m.currentEpoch, body.Epoch)
	c.from = append(c.from, from.ID)
	for _, r := range body.Registers {
		if old := c.registers.find(r.Key); old == nil || old.Accepted.Less(r.Accepted) {
			c.registers.put(r)
		}
	}
	c.complete = len(c.from) >= prev.Majority()
	m.wakeBy(m.now)
}

// appendOnce returns ids with id.
func appendOnce(ids []ID, id ID) []ID {
	for _, other := range ids {
		if other == id {
			return ids
		}
	}
	return append(ids, id)
}

// without returns ids less id.
func without(ids []ID, id ID) []ID {
	for i, other := range ids {
		if other == id {
			return append(ids[:i], ids[i+1:]...)
		}
	}
	return ids
}

func (m *Machine) findCopying(cluster ID, nonce uint64) *copying {
	for _, d := range m.domains {
		if d.copying != nil && d.copying.nonce == nonce && d.Cluster == cluster {
			return d.copying
		}
	}
	for _, job := range m.carries {
		if job.copying != nil && job.copying.nonce == nonce && job.copying.set.Cluster == cluster {
			return job.copying
		}
	}
	return nil
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

// catchUp copies the registers of the previous set into d.
func (m *Machine) catchUp(d *domain) {
	if d.copying == nil || d.copying.set.Ver != d.Electors.Ver {
		d.copying = m.newCopying(d.Electors)
	}
	m.copyOut(d.copying)
	if !d.copying.complete {
		return
	}
	for _, r := range d.copying.registers.Registers {
		if old := d.find(r.Key); old == nil || old.Accepted.Less(r.Accepted) {
			if old != nil && r.Promised.Less(old.Promised) {
				r.Promised = old.Promised
			}
			m.rememberRegister(d, r)
		}
	}
	d.Complete, d.copying = d.Electors.Ver, nil
	m.rememberDomain(d)
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
