package cluster

// becomeReplicaOf makes this node a replica of the primary n and a member of
// its shard.
func (m *Machine) becomeReplicaOf(n *node) {
	m.serve(n, n.record.Shard, n.record.Term)
}

// serve makes this node a replica of n, which leads shard in term.
func (m *Machine) serve(n *node, shard ID, term uint64) {
	m.note('#', "Configuration change detected. Reconfiguring myself as a replica of "+n.id().String())
	paused := m.manual.role == manualPrimary
	m.manual = manual{}
	m.abandonShard()
	m.migrating, m.importing = nil, nil
	m.amend(true, func(r *Record) { r.Primary, r.Shard, r.Term, r.Slots = n.id(), shard, term, nil })
	m.position = Position{Offset: m.position.Offset}
	m.readyAt = 0
	m.follow(n)
	if paused && m.mutated(MutateResumeEarly) {
		m.do(ResumeWrites{})
	} else if paused {
		// Not before this node is a replica: a write let in between would be acknowledged and lost.
		m.doDurably(ResumeWrites{})
	}
}

// follow tells the driver to replicate n.
func (m *Machine) follow(n *node) {
	m.doDurably(BecomeReplica{Of: n.id(), Addr: n.addr(), Shard: m.self().Shard, Term: m.self().Term})
}

// abandonShard ends what this node was doing for its shard.
func (m *Machine) abandonShard() {
	m.cancelManual()
	m.stopElection()
	m.forgetChosen()
}

// followShard keeps this node's role in line with what its shard's other
// members say: who leads the greatest term is the primary.
func (m *Machine) followShard() {
	own := m.self()
	if own.IsPrimary() {
		if m.me.superseded && !m.mutated(MutateNoStepDown) {
			if leader := m.shardLeader(own.Shard); leader != nil {
				m.becomeReplicaOf(leader)
			}
		}
		return
	}
	primary := m.find(own.Primary)
	if leader := m.shardLeader(own.Shard); leader != nil && leader != primary && leader.record.Term > own.Term {
		m.becomeReplicaOf(leader)
		return
	}
	if primary == nil {
		return
	}
	current := primary.record.Shard != own.Shard || primary.record.Term >= own.Term
	if next := m.find(primary.record.Primary); current && next != nil && next != m.me && next.record.IsPrimary() {
		m.becomeReplicaOf(next) // no chains of replicas
		return
	}
	if primary.record.IsPrimary() && (primary.record.Shard != own.Shard || primary.record.Term > own.Term) {
		m.amend(true, func(r *Record) { r.Shard, r.Term = primary.record.Shard, primary.record.Term })
		m.follow(primary)
	}
}

// shardLeader returns the primary of the shard with the greatest term, or nil.
func (m *Machine) shardLeader(shard ID) *node {
	var leader *node
	for _, n := range m.nodes {
		if n.record.Shard == shard && n.record.IsPrimary() && (leader == nil || n.record.Term > leader.record.Term) {
			leader = n
		}
	}
	return leader
}

// replicasOf returns the replicas of the primary id, ascending by id.
func (m *Machine) replicasOf(id ID) []*node {
	var replicas []*node
	for _, n := range m.nodes {
		if !n.record.IsPrimary() && n.record.Primary == id {
			replicas = append(replicas, n)
		}
	}
	return replicas
}
