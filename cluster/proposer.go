package cluster

import "cobble/slots"

// paxos is the memory of the registers, as acceptor and as proposer.
type paxos struct {
	domains       []*domain // ascending by cluster
	acceptorToken Token
	rounds        uint64 // last one used
	reserved      uint64 // durable bound of rounds
	proposals     []*proposal
	changeAt      Time // last time a next set was accepted here

	known     []*Electors // greatest decided set known of every cluster
	force     *Electors   // what inForce returns; nil: to be looked up
	confirmed bool        // the register confirmed this primary in this life
	confirming
}

// purpose is what a proposal is for.
type purpose uint8

const (
	forElection purpose = iota // make this node the primary of its shard
	forConfirm                 // learn what is decided; after TAKEOVER: write it down
	forImport                  // put a dissolved cluster's register into the survivor's
	forElectors                // change the set, or finish a change somebody began
	forHandover                // learn whether a majority serves; changes nothing
)

// proposal is one attempt after the other to change one register.
type proposal struct {
	why      purpose
	cluster  ID
	key      ID
	election *Election
	config   *ShardConfig // forImport
	electors *Electors    // forElectors

	ballot   Ballot
	set      *Electors // asked in this attempt
	promised []ID
	accepted []ID
	epoch    uint64
	best     Register
	value    Register // proposed in phase 2
	phase2   bool
	retryAt  Time
	deadline Time // 0: none
	done     bool
}

const (
	proposalTimeout Duration = 500
	proposalBackoff Duration = 20
	absentPause     Duration = 200 // the register is still to be carried over
	roundsBlock              = 256
)

// propose starts a proposal unless one for the same register and purpose is
// under way.
func (m *Machine) propose(p *proposal) *proposal {
	for _, other := range m.proposals {
		if other.why == p.why && other.key == p.key && other.cluster == p.cluster && !other.done {
			return nil
		}
	}
	m.proposals = append(m.proposals, p)
	m.attempt(p)
	return p
}

// attempt begins phase 1 anew.
func (m *Machine) attempt(p *proposal) {
	p.retryAt = m.now.After(proposalTimeout + Duration(m.random.Below(100)))
	m.wakeBy(p.retryAt)
	p.set = m.latest(p.cluster)
	p.promised, p.accepted, p.best, p.phase2, p.epoch = p.promised[:0], p.accepted[:0], Register{}, false, 0
	if p.set == nil || !p.set.Into.IsZero() {
		return
	}
	if p.why == forElection && !m.mutated(MutateStaleClaims) {
		p.election = m.renewClaims(p.election)
	}
	m.rounds++
	token := Token(0)
	if m.rounds > m.reserved {
		m.reserved = m.rounds + roundsBlock
		m.remember(AcceptorUpdate{Rounds: m.reserved})
		token = m.acceptorToken
	}
	p.ballot = Ballot{m.rounds, m.incarnation}
	for _, e := range p.set.Members {
		m.sendAfter(token, e.ID, Prepare{
			Cluster: p.cluster, ElectorVer: p.set.Ver, Key: p.key, Ballot: p.ballot, Election: p.election,
		})
	}
}

// renewClaims returns e with the claims that this node knows by now to be the
// primary's: an elector that refuses stale ones says who has the slots.
func (m *Machine) renewClaims(e *Election) *Election {
	primary := m.find(e.Primary)
	if primary == nil {
		return e
	}
	renewed, claims := *e, new(slots.Set)
	*claims = primary.owned
	renewed.Epoch, renewed.Slots = primary.record.ConfigEpoch, claims
	return &renewed
}

// again retries p after a short random pause.
func (m *Machine) again(p *proposal) {
	if at := m.now.After(proposalBackoff + Duration(m.random.Below(int64(2*proposalBackoff)))); at < p.retryAt {
		p.retryAt = at
	}
	m.wakeBy(p.retryAt)
}

// running returns the proposal whose present attempt has that ballot.
func (m *Machine) running(cluster ID, ballot Ballot) *proposal {
	for _, p := range m.proposals {
		if !p.done && p.cluster == cluster && p.ballot == ballot {
			return p
		}
	}
	return nil
}

// quorum returns how many electors decide.
func (m *Machine) quorum(e *Electors) int {
	if m.mutated(MutateSmallMajority) {
		return max(1, len(e.Members)/2)
	}
	return e.Majority()
}

// vote adds an elector's answer and reports whether a majority has given it
// just now.
func (m *Machine) vote(p *proposal, votes *[]ID, from Member) bool {
	if !p.set.Includes(from) && !m.mutated(MutateAmnesiac) {
		return false
	}
	for _, id := range *votes {
		if id == from.ID && !m.mutated(MutateCountTwice) {
			return false
		}
	}
	*votes = append(*votes, from.ID)
	if m.mutated(MutateCountTwice) && from.ID == m.id() {
		*votes = append(*votes, from.ID)
	}
	return len(*votes) >= m.quorum(p.set)
}

// promised is the end of phase 1: a majority has told what it holds.
func (m *Machine) promised(from Member, epoch uint64, body Promise) {
	p := m.running(body.Cluster, body.Ballot)
	if p == nil || p.phase2 || body.Register.Key != p.key {
		return
	}
	if p.best.Accepted.Less(body.Register.Accepted) {
		p.best = body.Register
	}
	p.epoch = max(p.epoch, epoch)
	if !m.vote(p, &p.promised, from) {
		return
	}
	if p.why == forHandover {
		p.done = true
		m.wakeBy(m.now)
		return
	}
	value, ok := m.choose(p)
	if !ok {
		p.retryAt = m.now.After(absentPause)
		m.wakeBy(p.retryAt)
		return
	}
	p.phase2, p.value = true, value
	for _, e := range p.set.Members {
		m.send(e.ID, Accept{
			Cluster: p.cluster, ElectorVer: p.set.Ver, Ballot: p.ballot, Key: p.key,
			Config: value.Config, Electors: value.Electors,
		})
	}
}

// choose applies the change to the value that was read. If the change makes no
// sense any more, the value is proposed unchanged: that finishes what another
// proposer may have begun, and tells what is decided.
func (m *Machine) choose(p *proposal) (Register, bool) {
	value := Register{Key: p.key, Config: p.best.Config, Electors: p.best.Electors}
	if m.mutated(MutateBlindChange) && p.why == forElection {
		value.Config = &ShardConfig{Shard: p.key, Ver: m.self().Term, Term: m.self().Term, Primary: Member{ID: p.election.Primary}}
	}
	now := value.Config
	switch p.why {
	case forElection:
		if now == nil && m.self().Flags&Unregistered != 0 {
			value.Config = m.firstConfig(max(p.epoch, m.currentEpoch)+1, p.election.Slots)
			return value, true
		}
		if now == nil {
			return value, false // not carried over from a dissolved cluster yet
		}
		if now.Primary.ID == p.election.Primary && now.Term == p.election.Term || m.gone(now) {
			next := &ShardConfig{
				Shard: p.key, Ver: now.Ver + 1, Term: now.Term + 1,
				Epoch: max(p.epoch, m.currentEpoch) + 1, Primary: m.member(), Slots: p.election.Slots,
			}
			if m.mutated(MutateKeepTerm) {
				next.Term = now.Term
			}
			m.currentEpoch = next.Epoch
			value.Config = next
		}
	case forConfirm:
		own := m.self()
		if now == nil && own.Flags&Unregistered != 0 {
			value.Config = m.firstConfig(own.ConfigEpoch, own.Slots)
			return value, true
		}
		if now == nil {
			return value, false
		}
		switch {
		case !own.IsPrimary() || own.Shard != p.key:
		case m.gone(now):
			m.currentEpoch = max(p.epoch, m.currentEpoch) + 1
			value.Config = &ShardConfig{
				Shard: p.key, Ver: now.Ver + 1, Term: max(now.Term, own.Term) + 1, Epoch: m.currentEpoch,
				Primary: m.member(), Slots: own.Slots,
			}
		case own.Term > now.Term:
			value.Config = &ShardConfig{Shard: p.key, Ver: now.Ver + 1, Term: own.Term, Epoch: own.ConfigEpoch, Primary: m.member(), Slots: own.Slots}
		}
	case forImport:
		if now == nil || m.mutated(MutateImportOver) {
			value.Config = p.config
		}
	case forElectors:
		if value.Electors == nil {
			value.Electors = p.electors
		}
		return value, value.Electors != nil
	}
	return value, true
}

// gone reports whether the primary that config names has left the shard: it won
// an election and was reset or forgotten before anybody, even it, knew.
func (m *Machine) gone(config *ShardConfig) bool {
	if config.Primary.ID == m.id() {
		return false
	}
	n := m.find(config.Primary.ID)
	return n == nil || n.record.Shard != config.Shard
}

// accepted is the end of phase 2: the value is decided.
func (m *Machine) accepted(from Member, body Accepted) {
	p := m.running(body.Cluster, body.Ballot)
	if p == nil || !p.phase2 || body.Key != p.key || !m.vote(p, &p.accepted, from) {
		return
	}
	p.done = true
	m.wakeBy(m.now)
	decided := Committed{Cluster: p.cluster, Config: p.value.Config, Electors: p.value.Electors}
	if p.why != forImport && (p.why != forConfirm || p.value.Config.Primary.ID != m.id()) || p.value.Electors != nil {
		m.tell(p.set, decided)
	}
	if p.why == forConfirm && m.self().IsPrimary() {
		m.confirmed = true
		if p.value.Config.Primary.ID == m.id() {
			m.readyAt = 0
			m.provedLead(p.value.Config)
		}
		if m.self().Flags&Unregistered != 0 {
			m.amend(false, func(r *Record) { r.Flags &^= Unregistered })
		}
	}
	m.committed(decided)
}

// tell sends a decision to the electors and to everybody else.
func (m *Machine) tell(set *Electors, body Committed) {
	if len(m.nodes) > PushLimit {
		for _, e := range set.Members {
			if e.ID != m.id() {
				m.send(e.ID, body)
			}
		}
	}
	m.push(body)
}

// refused learns why an elector said no.
func (m *Machine) refused(from Member, body Refused) {
	if body.Electors != nil {
		m.learnElectors(body.Electors)
	}
	m.rounds = max(m.rounds, min(body.Promised.Round, m.rounds+1<<20))
	p := m.running(body.Cluster, body.Ballot)
	if p == nil {
		return
	}
	for _, r := range body.Records {
		m.learn(r)
	}
	if body.Why == RefusedElectors || body.Why == RefusedUnknown {
		if body.Electors == nil || body.Electors.Ver < p.set.Ver {
			m.send(from.ID, Committed{Cluster: p.cluster, Electors: p.set})
		}
	}
	m.again(p)
}

// committed obeys a decision.
func (m *Machine) committed(body Committed) {
	if body.Electors != nil {
		m.learnElectors(body.Electors)
	}
	if body.Config != nil {
		m.obey(body.Config)
	}
}

// paxosTimers retries proposals and drops the finished ones.
func (m *Machine) paxosTimers() {
	kept := m.proposals[:0]
	for _, p := range m.proposals {
		if p.done || p.deadline != 0 && m.now >= p.deadline || !m.wanted(p) {
			continue
		}
		kept = append(kept, p)
	}
	clear(m.proposals[len(kept):])
	m.proposals = kept
	for _, p := range m.proposals {
		if m.now >= p.retryAt {
			m.attempt(p)
		}
		m.wakeBy(p.retryAt)
	}
	m.confirmTimer()
	m.electorTimers()
	m.refoundTimers()
}

// wanted reports whether a proposal still serves its purpose.
func (m *Machine) wanted(p *proposal) bool {
	switch p.why {
	case forElection:
		own := m.self()
		return own.Shard == p.key && own.Primary == p.election.Primary && own.Term == p.election.Term && m.maySeek(p.election)
	case forConfirm:
		return m.self().Shard == p.key
	case forImport:
		return p.cluster == m.finalCluster(p.cluster)
	case forHandover:
		return m.leaving != nil && p.cluster == m.inForce().Cluster
	}
	e := m.latest(p.cluster)
	return e != nil && e.Ver == p.set.Ver
}
