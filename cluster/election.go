package cluster

import "cobble/slots"

// failover is what a replica knows and does to replace its primary.
type failover struct {
	standAt   Time // rank is looked at and the candidacy begins; 0: not scheduled
	ranked    bool
	standings []standing
	excuse    string // why it does not stand, noted once
	bornAt    Time   // start of this life
	touched   bool   // streamed from its primary in this life
	manual
	migrateAt Time
}

// standing is what a mate said about its log.
type standing struct {
	from ID
	Standing
	at Time
}

const (
	quickDelay   Duration = 50  // random part, when the primary's host refused connections
	slowDelay    Duration = 500 // fixed part and random part otherwise (Redis)
	quickRank    Duration = 200
	slowRank     Duration = 1000
	standingTrip Duration = 10 // time for the standings of the mates to arrive
)

// positioned hears where this node's log ends.
func (m *Machine) positioned(e Position) {
	m.position = e
	m.touched = m.touched || e.LinkUp
	m.matchManual()
}

// primaryFailed schedules a candidacy if n is this node's primary.
func (m *Machine) primaryFailed(n *node) {
	own := m.self()
	if own.Primary != n.id() {
		return
	}
	// The random part keeps mates apart; Redis waits it out without mates, too.
	apart := Duration(m.random.Below(int64(slowDelay)))
	mates := m.replicasOf(n.id())
	if len(mates) == 1 {
		apart = 0
	}
	m.standAt, m.ranked, m.excuse = m.now.After(slowDelay+apart), false, ""
	m.wakeBy(m.standAt)
	m.hastenElection(n)
	for _, mate := range mates {
		if mate != m.me {
			m.send(mate.id(), Standing{Shard: own.Shard, Term: own.Term, Offset: m.position.Offset})
		}
	}
}

// hastenElection shortens the wait when n's own host says that n is gone.
func (m *Machine) hastenElection(n *node) {
	if m.standAt == 0 || !n.fail || n.id() != m.self().Primary || m.ranked || !m.sawRefusal(n) {
		return
	}
	quick := m.now.After(standingTrip + Duration(m.random.Below(int64(quickDelay-standingTrip))))
	m.standAt = min(m.standAt, quick)
	m.wakeBy(m.standAt)
}

// sawRefusal reports whether n's own host said that the process is gone: then
// there is no doubt to wait out.
func (m *Machine) sawRefusal(n *node) bool { return m.config.TrustRefused && n.refusals >= 2 }

// standing notes a mate's log position.
func (m *Machine) standing(n *node, body Standing) {
	if body.Shard != m.self().Shard {
		return
	}
	kept := m.standings[:0]
	for _, s := range m.standings {
		if s.from != n.id() && m.now.Since(s.at) < 10*m.config.NodeTimeout {
			kept = append(kept, s)
		}
	}
	m.standings = append(kept, standing{n.id(), body, m.now})
}

// logRank is how many living mates have a better log: a greater term, then a
// greater offset, then a smaller id.
func (m *Machine) logRank() int {
	own := m.self()
	rank := 0
	for _, s := range m.standings {
		n := m.find(s.from)
		if n == nil || n.fail || n.pfail || n.record.Primary != own.Primary || n.record.Flags&NoFailover != 0 {
			continue
		}
		better := s.Term > own.Term
		if s.Term == own.Term {
			better = s.Offset > m.position.Offset || s.Offset == m.position.Offset && s.from.Less(own.ID)
		}
		if better != m.mutated(MutateShortLog) {
			rank++
		}
	}
	return rank
}

// failoverTimers lets a replica stand when its time has come.
func (m *Machine) failoverTimers() {
	m.manualTimers()
	if m.standAt == 0 {
		m.rescheduleElection()
	}
	if m.standAt == 0 {
		return
	}
	if m.now < m.standAt {
		m.wakeBy(m.standAt)
		return
	}
	primary := m.find(m.self().Primary)
	if primary == nil || !primary.fail {
		m.standAt = 0
		return
	}
	if rank := m.logRank(); rank > 0 && !m.ranked {
		step := slowRank
		if m.sawRefusal(primary) {
			step = quickRank
		}
		m.ranked = true
		m.standAt = m.now.After(Duration(rank) * step)
		m.wakeBy(m.standAt)
		return
	}
	m.standAt = 0
	if m.mayStand(primary) {
		m.stand(primary, false)
	}
}

// rescheduleElection begins anew if the last attempt came to nothing.
func (m *Machine) rescheduleElection() {
	own := m.self()
	if own.IsPrimary() || m.seeking() {
		return
	}
	if primary := m.find(own.Primary); primary != nil && primary.fail && m.mayStand(primary) {
		m.primaryFailed(primary)
	}
}

// seeking reports whether a candidacy is under way.
func (m *Machine) seeking() bool {
	for _, p := range m.proposals {
		if p.why == forElection && !p.done {
			return true
		}
	}
	return false
}

// mayStand reports whether this replica may replace its failed primary without
// being told to. Redis 7.0, clusterHandleSlaveFailover.
func (m *Machine) mayStand(primary *node) bool {
	excuse := ""
	switch age := m.dataAge(); {
	case m.leaving != nil:
		excuse = "about to be reset"
	case m.config.NoFailover:
		excuse = "failover is switched off"
	case primary.ownedCount == 0:
		excuse = "the primary owns no slot"
	case m.position.DataTime == 0 && !m.position.LinkUp:
		excuse = "never in touch with the primary"
	case !m.touched && m.now.Since(m.bornAt) < max(m.config.NodeTimeout, bootWait):
		// After all nodes were started at once, the primary may be a moment
		// behind, with writes that this replica does not have.
		excuse = "just started, the primary may be starting too"
	case m.config.ReplicaValidityFactor > 0 &&
		age > m.config.ReplPingPeriod+m.config.NodeTimeout*Duration(m.config.ReplicaValidityFactor):
		excuse = "my data is too old"
	}
	if excuse != m.excuse && excuse != "" {
		m.note('#', "Currently unable to failover: "+excuse)
	}
	m.excuse = excuse
	return excuse == ""
}

// dataAge is how long the replica was out of touch, beyond the node timeout
// that it takes to notice.
func (m *Machine) dataAge() Duration {
	if m.position.LinkUp || m.position.DataTime == 0 {
		return 0
	}
	return max(0, m.now.Since(m.position.DataTime)-m.config.NodeTimeout)
}

// stand proposes this node as the primary of its shard.
func (m *Machine) stand(primary *node, forced bool) {
	own := m.self()
	e := m.inForce()
	if e == nil {
		return
	}
	if primary.fail {
		verdict := Fail{Target: primary.id(), Boot: primary.boot}
		for _, elector := range e.Members {
			if elector.ID != m.id() {
				m.send(elector.ID, verdict)
			}
		}
		if !m.isElector(primary.id()) {
			m.send(primary.id(), verdict) // it may be back
		}
	}
	m.note('#', "Starting a failover election for shard "+own.Shard.String())
	m.propose(&proposal{
		why: forElection, cluster: e.Cluster, key: own.Shard,
		deadline: m.now.After(max(2*m.config.NodeTimeout, 2000)),
		election: m.renewClaims(&Election{Primary: primary.id(), Term: own.Term, Forced: forced}),
	})
}

// maySeek reports whether a candidacy is still called for.
func (m *Machine) maySeek(e *Election) bool {
	if m.leaving != nil {
		return false
	}
	if e.Forced {
		return m.manual.role == manualReplica
	}
	primary := m.find(e.Primary)
	return primary != nil && primary.fail
}

// stopElection withdraws candidacies.
func (m *Machine) stopElection() {
	m.standAt, m.standings = 0, m.standings[:0]
	for _, p := range m.proposals {
		if p.why == forElection {
			p.done = true
		}
	}
}

// obey takes the role that a decided configuration gives this node.
func (m *Machine) obey(config *ShardConfig) {
	own := m.self()
	if config.Shard != own.Shard || config.Term <= own.Term && !(m.mutated(MutateKeepTerm) && config.Ver > own.Term) {
		return
	}
	if config.Primary.ID == m.id() {
		m.promote(config.Term, config.Epoch, config.Slots, true)
		return
	}
	if own.IsPrimary() && m.mutated(MutateNoStepDown) {
		return
	}
	if n := m.find(config.Primary.ID); n != nil && n.record.Shard == own.Shard {
		m.serve(n, own.Shard, config.Term)
		m.chose(n, config)
	}
}

// promote makes this node the primary of its shard, with the claims that were
// decided. Nothing is served before the claim is durable.
func (m *Machine) promote(term, epoch uint64, decided *slots.Set, clean bool) {
	var claims slots.Set
	if decided != nil {
		claims = *decided
	}
	if own := m.self(); own.IsPrimary() && own.Slots != nil {
		claims.Union(own.Slots)
	}
	m.abandonShard()
	m.stay()
	m.currentEpoch = max(m.currentEpoch, epoch)
	m.note('#', "Failover election won: I'm the new master.")
	m.amend(true, func(r *Record) {
		r.Primary, r.Term, r.ConfigEpoch = ID{}, term, epoch
		r.Flags |= MigrateTo
		r.Slots = nil
		if !claims.Empty() {
			r.Slots = &claims
		}
	})
	m.confirmed = clean
	m.condemnedUntil, m.doubted = 0, false
	m.doDurably(BecomePrimary{Shard: m.self().Shard, Term: term, Epoch: epoch, Clean: clean})
}
