package cluster

// confirming is a primary's periodic look at the register: an election may
// have been decided without anybody hearing of it. Reads cost no sync.
type confirming struct {
	at      Time
	nonce   uint64
	set     *Electors
	from    []ID
	answers []Register
}

// confirmPeriod is the pause between two looks, to which up to half is added.
const confirmPeriod Duration = 3000

// confirmRetry is the pause between two questions of a replica that misses its
// shard's leader.
const confirmRetry Duration = 500

// confirmTimer lets a primary ask the register whether it still is one: with
// a proposal after a restart and after TAKEOVER, by reading now and then.
func (m *Machine) confirmTimer() {
	own := m.self()
	e := m.inForce()
	if e == nil {
		return
	}
	if !own.IsPrimary() {
		if m.now >= m.confirming.at && m.leaderUnknown() {
			m.confirming.at = m.now.After(confirmRetry)
			m.propose(&proposal{why: forConfirm, cluster: e.Cluster, key: own.Shard})
		}
		return
	}
	if !m.confirmed {
		m.propose(&proposal{why: forConfirm, cluster: e.Cluster, key: own.Shard})
		return
	}
	c := &m.confirming
	if m.now < c.at {
		m.wakeBy(c.at)
		return
	}
	c.at = m.now.After(confirmPeriod + Duration(m.random.Below(int64(confirmPeriod/2))))
	m.wakeBy(c.at)
	if own.Slots == nil {
		return
	}
	m.nonce++
	c.nonce, c.set, c.from, c.answers = m.nonce, e, nil, nil
	for _, member := range e.Members {
		m.send(member.ID, Read{Cluster: e.Cluster, ElectorVer: e.Ver, Key: own.Shard, Nonce: c.nonce})
	}
}

// reconfirm has the register asked anew whether this node leads its shard. What
// was asked before does not count: a replica might still stand then.
func (m *Machine) reconfirm() {
	for _, p := range m.proposals {
		if p.why == forConfirm {
			p.done = true
		}
	}
	m.confirmed = false
	m.wakeBy(m.now)
}

// leaderUnknown reports whether a member of the shard knows a later term than
// any primary in the table: its primary may be this very node, which crashed
// before it heard.
func (m *Machine) leaderUnknown() bool {
	own := m.self()
	var known, heard uint64
	for _, n := range m.nodes {
		if n.record.Shard != own.Shard {
			continue
		}
		heard = max(heard, n.record.Term)
		if n.record.IsPrimary() {
			known = max(known, n.record.Term)
		}
	}
	return heard > known
}

// confirmRead compares the electors' answers. All the same and naming this
// node: fine. Anything else is settled by a proposal that changes nothing.
func (m *Machine) confirmRead(from Member, body ReadOK) {
	c := &m.confirming
	own := m.self()
	if c.set == nil || body.Nonce != c.nonce || body.Register.Key != own.Shard || !own.IsPrimary() || !c.set.Includes(from) {
		return
	}
	for _, id := range c.from {
		if id == from.ID {
			return
		}
	}
	c.from = append(c.from, from.ID)
	c.answers = append(c.answers, body.Register)
	if len(c.answers) < c.set.Majority() {
		return
	}
	for _, r := range c.answers {
		if r.Config == nil || r.Config.Primary.ID != own.ID || r.Config.Term != own.Term {
			m.confirmed = false
			m.wakeBy(m.now)
		}
	}
	c.set = nil
}
