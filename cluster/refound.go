package cluster

import (
	"sort"

	"cobble/slots"
)

// A cluster whose electors are lost for good, because a majority of them was
// forgotten by the operator or came back without their memory, can decide
// nothing any more, not even a new set. The rest then found a new cluster
// with the same nodes and slots: one begins, the others join it. Every primary
// (or, if it is dead, a replica that stands) writes its shard into the new
// registers, with a term far above any that the old ones may have given out.
//
// This is the one step that is safe only because the operator said so: if the
// forgotten electors live on elsewhere, two clusters decide.

// refoundWait is how long the loss must last.
const refoundWait Duration = 5000

// electorsLost reports whether e can never decide again, as far as this node
// knows: a majority of it is gone. Who is there and can never serve gives its seat
// up (giveUpSeat).
func (m *Machine) electorsLost(e *Electors) bool {
	there := 0
	for _, member := range e.Members {
		if m.present(member) {
			there++
		}
	}
	return there < e.Majority()
}

// present reports whether a member is known in the same incarnation.
func (m *Machine) present(member Member) bool {
	n := m.find(member.ID)
	return n != nil && n.record.Incarnation == member.Inc
}

// deserted reports whether a majority of e obeys another cluster and nobody
// knows of a dissolution: they gave e up.
func (m *Machine) deserted(e *Electors) bool {
	if !e.Into.IsZero() {
		return true // dissolved into a cluster that nobody can name any more
	}
	left := 0
	for _, member := range e.Members {
		if n := m.find(member.ID); n == nil || n.record.Incarnation != member.Inc || n.record.Cluster != e.Cluster {
			left++
		}
	}
	return len(e.Members)-left < e.Majority()
}

// refoundTimers founds a new cluster, or joins the one that was founded.
func (m *Machine) refoundTimers() {
	e := m.inForce()
	lost := m.electorsLost(e)
	if !lost && !m.deserted(e) {
		m.lostSince = 0
		return
	}
	if m.lostSince == 0 {
		m.lostSince = m.now
	}
	if !m.lostLongEnough() {
		m.wakeBy(m.now.After(100))
		return
	}
	for _, n := range m.nodes {
		if lost && n.record.Cluster == e.Cluster && m.alive(n) {
			if n == m.me {
				m.refound()
			}
			return
		}
	}
}

func (m *Machine) lostLongEnough() bool {
	return m.lostSince != 0 && m.now.Since(m.lostSince) >= max(refoundWait, 2*m.config.NodeTimeout)
}

// refound makes this node the only elector of a new cluster.
func (m *Machine) refound() {
	if _, foreign := m.smallestForeign(m.inForce().Cluster); foreign {
		return // somebody was faster: woo joins it
	}
	m.note('#', "a majority of the electors is lost: founding a new cluster")
	cluster := m.random.ID()
	e := &Electors{Cluster: cluster, Ver: 1, Members: []Member{m.member()}}
	d := m.newDomain(e)
	d.Complete = 1
	m.rememberDomain(d)
	m.salvage(m.domainOf(m.inForce().Cluster), d)
	known := append(m.known[:len(m.known):len(m.known)], e)
	sort.Slice(known, func(i, j int) bool { return known[i].Cluster.Less(known[j].Cluster) })
	m.setKnown(known)
	m.adopt(cluster, true)
}

// salvage takes over what this node happened to hold. It may be old: a primary
// that knows better corrects its register (forConfirm).
func (m *Machine) salvage(from, to *domain) {
	if from == nil {
		return
	}
	m.rounds++
	ballot := Ballot{m.rounds, m.incarnation}
	m.reserved = max(m.reserved, m.rounds)
	m.remember(AcceptorUpdate{Rounds: m.reserved})
	for _, r := range from.Registers {
		if r.Config != nil {
			config := *r.Config
			config.Ver += takeoverStep
			m.rememberRegister(to, Register{Key: r.Key, Promised: ballot, Accepted: ballot, Config: &config})
		}
	}
}

// adopt makes this node obey another cluster, without its old one's consent.
func (m *Machine) adopt(cluster ID, lost bool) {
	m.lostSince, m.suit, m.confirmed = 0, nil, false
	m.proposals = nil
	m.amend(true, func(r *Record) {
		r.Cluster = cluster
		if lost {
			r.Flags |= Unregistered
		}
	})
	m.wakeBy(m.now)
}

// firstConfig is what an unregistered shard's register begins with.
func (m *Machine) firstConfig(epoch uint64, claims *slots.Set) *ShardConfig {
	own := m.self()
	term := m.takeoverTerm()
	return &ShardConfig{
		Shard: own.Shard, Ver: term, Term: term, Epoch: epoch, Primary: m.member(), Slots: claims,
	}
}
