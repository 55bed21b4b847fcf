package cluster

const copyRetry Duration = 200

// copying is the transfer of a set's registers out of the set before it.
type copying struct {
	set       *Electors // its Prev are asked
	nonce     uint64
	retryAt   Time
	from      []ID
	lacking   []ID   // members that miss registers themselves
	registers Domain // only Registers is used: the greatest accepted of each
	complete  bool
	hopeless  Time // a majority of the sources is gone since; 0: is not
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
	if hasID(ids, id) {
		return ids
	}
	return append(ids, id)
}

func hasID(ids []ID, id ID) bool {
	for _, other := range ids {
		if other == id {
			return true
		}
	}
	return false
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

// catchUp copies the registers of the previous set into d.
func (m *Machine) catchUp(d *domain) {
	if d.copying == nil || d.copying.set.Ver != d.Electors.Ver {
		d.copying = m.newCopying(d.Electors)
	}
	m.copyOut(d.copying)
	if !d.copying.complete {
		m.giveUpSeat(d)
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

// hopelessWait is how long the sources of a copy must be gone before this node
// gives it up.
const hopelessWait Duration = 2000

// giveUpSeat gives this node's seat up when it can never copy the registers it is
// to serve: it becomes another member, as if it had lost its memory. Only it
// knows whom it lacks; that it serves no more, everybody sees in its record, and
// all count alike what is left of the set. It is a vow as well: what it concluded
// may be wrong, but the member that gave up never serves.
func (m *Machine) giveUpSeat(d *domain) {
	c := d.copying
	if d.Electors != m.inForce() || m.copyable(c) {
		c.hopeless = 0
		return
	}
	if c.hopeless == 0 {
		c.hopeless = m.now
	}
	if m.now.Since(c.hopeless) < hopelessWait || m.mutated(MutateKeepSeat) {
		return
	}
	m.note('#', "the registers cannot be copied any more: giving up the seat of an elector")
	known := m.known
	m.freshAcceptor()
	m.setKnown(known)
	m.carries = nil
	m.amend(true, func(r *Record) { r.Incarnation = m.incarnation })
}

// copyable reports whether a majority of the set before gave a copy or may still
// give one, as far as this node knows.
func (m *Machine) copyable(c *copying) bool {
	prev := Electors{Members: c.set.Prev}
	sources := len(c.from)
	for _, member := range c.set.Prev {
		if !hasID(c.from, member.ID) && !hasID(c.lacking, member.ID) && m.present(member) {
			sources++
		}
	}
	return sources >= prev.Majority()
}
