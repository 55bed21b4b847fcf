package cluster

import "sort"

// domain is this node's acceptor memory of one cluster.
type domain struct {
	Domain
	copying *copying // registers are being copied from the previous set
}

// serving reports whether this node may answer proposals of the domain.
func (m *Machine) serving(d *domain) bool {
	return d.Electors.Into.IsZero() && d.Electors.Includes(m.member()) &&
		(d.Complete == d.Electors.Ver || m.mutated(MutateServeEarly))
}

// changing reports whether a next set was accepted here and is not known to be
// decided.
func (d *domain) changing() bool {
	r := d.find(ID{})
	return r != nil && r.Electors != nil
}

func (m *Machine) member() Member { return Member{m.id(), m.incarnation} }

func (m *Machine) domainOf(cluster ID) *domain {
	for _, d := range m.domains {
		if d.Cluster == cluster {
			return d
		}
	}
	return nil
}

// newDomain adds a domain, in the order of ids.
func (m *Machine) newDomain(e *Electors) *domain {
	d := &domain{Domain: Domain{Cluster: e.Cluster, Electors: e}}
	m.domains = append(m.domains, d)
	sort.Slice(m.domains, func(i, j int) bool { return m.domains[i].Cluster.Less(m.domains[j].Cluster) })
	return d
}

func (d *Domain) search(key ID) int {
	return sort.Search(len(d.Registers), func(i int) bool { return !d.Registers[i].Key.Less(key) })
}

// find returns the register of key, or nil.
func (d *Domain) find(key ID) *Register {
	if at := d.search(key); at < len(d.Registers) && d.Registers[at].Key == key {
		return &d.Registers[at]
	}
	return nil
}

// put stores a register.
func (d *Domain) put(r Register) {
	at := d.search(r.Key)
	if at < len(d.Registers) && d.Registers[at].Key == r.Key {
		d.Registers[at] = r
		return
	}
	d.Registers = append(d.Registers, Register{})
	copy(d.Registers[at+1:], d.Registers[at:])
	d.Registers[at] = r
}

// drop removes the register of key.
func (d *Domain) drop(key ID) {
	if at := d.search(key); at < len(d.Registers) && d.Registers[at].Key == key {
		d.Registers = append(d.Registers[:at], d.Registers[at+1:]...)
	}
}

// Apply brings the state up to date with one line of the acceptor file.
func (a *AcceptorState) Apply(u AcceptorUpdate) {
	if u.Identity != 0 {
		*a = AcceptorState{Incarnation: u.Identity, Rounds: a.Rounds}
		return
	}
	if u.Rounds != 0 {
		a.Rounds = max(a.Rounds, u.Rounds)
	}
	if u.Register == nil && u.Domain == nil {
		return
	}
	at := sort.Search(len(a.Domains), func(i int) bool { return !a.Domains[i].Cluster.Less(u.Cluster) })
	if at == len(a.Domains) || a.Domains[at].Cluster != u.Cluster {
		a.Domains = append(a.Domains, Domain{})
		copy(a.Domains[at+1:], a.Domains[at:])
		a.Domains[at] = Domain{Cluster: u.Cluster}
	}
	d := &a.Domains[at]
	if u.Domain != nil {
		if d.Electors != nil && u.Domain.Electors.Ver != d.Electors.Ver {
			d.drop(ID{}) // the next set was decided
		}
		registers := d.Registers
		*d = *u.Domain
		d.Registers = registers
	}
	if u.Register != nil {
		d.put(*u.Register)
	}
}

// Updates returns lines that, applied in order, make up the state: what a
// compacted acceptor file holds.
func (a *AcceptorState) Updates() []AcceptorUpdate {
	updates := []AcceptorUpdate{{Identity: a.Incarnation}, {Rounds: a.Rounds}}
	for i := range a.Domains {
		d := a.Domains[i]
		registers := d.Registers
		d.Registers = nil
		updates = append(updates, AcceptorUpdate{Cluster: d.Cluster, Domain: &d})
		for j := range registers {
			updates = append(updates, AcceptorUpdate{Cluster: d.Cluster, Register: &registers[j]})
		}
	}
	return updates
}

// remember makes updates durable; replies that depend on them use
// m.acceptorToken.
func (m *Machine) remember(updates ...AcceptorUpdate) {
	m.token++
	m.acceptorToken = m.token
	m.do(PersistAcceptor{Token: m.token, Updates: updates})
}

func (m *Machine) rememberRegister(d *domain, r Register) {
	d.put(r)
	m.remember(AcceptorUpdate{Cluster: d.Cluster, Register: &r})
}

func (m *Machine) rememberDomain(d *domain) {
	shape := d.Domain
	shape.Registers = nil
	m.remember(AcceptorUpdate{Cluster: d.Cluster, Domain: &shape})
}

// answer sends an acceptor's reply once its memory is durable.
func (m *Machine) answer(to ID, body Body) {
	token := m.acceptorToken
	if m.mutated(MutatePromiseUnsaved) {
		token = 0
	}
	m.sendAfter(token, to, body)
}

// loadAcceptor takes over the acceptor file. Without one this node is another
// elector than before: it must not vote in the place of the one that promised.
func (m *Machine) loadAcceptor(saved *AcceptorState, known *Electors) {
	if saved == nil || saved.Incarnation == 0 {
		m.freshAcceptor()
		if known == nil {
			m.foundDomain()
			return
		}
		m.setKnown([]*Electors{known})
		if m.mutated(MutateAmnesiac) {
			if old, is := known.Has(m.id()); is {
				m.incarnation = old.Inc
				d := m.newDomain(known)
				d.Complete = known.Ver
				m.rememberDomain(d)
			}
		}
		return
	}
	if known != nil {
		m.setKnown([]*Electors{known})
	}
	m.incarnation, m.rounds, m.reserved = saved.Incarnation, saved.Rounds, saved.Rounds
	for i := range saved.Domains {
		d := &domain{Domain: saved.Domains[i]}
		d.Registers = append([]Register(nil), d.Registers...)
		m.domains = append(m.domains, d)
		m.learnElectors(d.Electors)
	}
}

// freshAcceptor begins a new incarnation that has promised nothing.
func (m *Machine) freshAcceptor() {
	m.incarnation = m.random.Uint64() | 1
	m.domains, m.proposals, m.confirmed = nil, nil, false
	m.setKnown(nil)
	m.remember(AcceptorUpdate{Identity: m.incarnation})
}

// foundDomain makes this node the only elector of a new cluster with one
// shard, its own.
func (m *Machine) foundDomain() {
	own := m.self()
	e := &Electors{Cluster: own.Cluster, Ver: 1, Members: []Member{m.member()}}
	d := m.newDomain(e)
	d.Complete = 1
	m.setKnown([]*Electors{e})
	config := &ShardConfig{Shard: own.Shard, Ver: 1, Term: own.Term, Epoch: own.ConfigEpoch, Primary: m.member()}
	m.rounds++
	ballot := Ballot{m.rounds, m.incarnation}
	m.reserved = max(m.reserved, m.rounds)
	m.rememberDomain(d)
	m.remember(AcceptorUpdate{Rounds: m.reserved})
	m.rememberRegister(d, Register{Key: own.Shard, Promised: ballot, Accepted: ballot, Config: config})
}

// receivePaxos hears what concerns the registers.
func (m *Machine) receivePaxos(n *node, msg *Message) {
	from := Member{n.id(), msg.Inc}
	switch body := msg.Body.(type) {
	case Prepare:
		m.prepare(from, body)
	case Accept:
		m.accept(from, body)
	case Read:
		m.read(from, body)
	case Copy:
		m.copyTo(from, body)
	case Promise:
		m.promised(from, msg.Epoch, body)
	case Accepted:
		m.accepted(from, body)
	case Refused:
		m.refused(from, body)
	case Committed:
		m.committed(body)
	case ReadOK:
		m.readOK(from, body)
	case CopyOK:
		m.copied(from, body)
	}
}

// admit decides whether a proposal is heard at all.
func (m *Machine) admit(cluster ID, ver uint64, key ID) (*domain, Refused) {
	no := Refused{Cluster: cluster, Key: key}
	d := m.domainOf(cluster)
	if d == nil || !d.Electors.Includes(m.member()) && d.Electors.Into.IsZero() {
		no.Why, no.Electors = RefusedUnknown, m.latest(cluster)
		return nil, no
	}
	if d.Electors.Ver != ver && !m.mutated(MutateAnyVersion) || !d.Electors.Into.IsZero() {
		no.Why, no.Electors = RefusedElectors, d.Electors
		return nil, no
	}
	if !m.serving(d) {
		no.Why = RefusedBusy
		m.wakeBy(m.now)
		return nil, no
	}
	return d, no
}

// prepare is phase 1 at an elector.
func (m *Machine) prepare(from Member, body Prepare) {
	d, no := m.admit(body.Cluster, body.ElectorVer, body.Key)
	no.Ballot = body.Ballot
	if d == nil {
		m.answer(from.ID, no)
		return
	}
	if body.Election != nil && !m.approve(*body.Election, &no) {
		m.answer(from.ID, no)
		return
	}
	r := Register{Key: body.Key}
	if old := d.find(body.Key); old != nil {
		r = *old
	}
	if !r.Promised.Less(body.Ballot) {
		no.Why, no.Promised = RefusedBallot, r.Promised
		m.answer(from.ID, no)
		return
	}
	r.Promised = body.Ballot
	m.rememberRegister(d, r)
	m.answer(from.ID, Promise{Cluster: body.Cluster, Ballot: body.Ballot, Register: r})
}

// approve judges a candidate: the primary must be failed here too, and the
// candidate must not claim slots that have moved on (Redis 7.0,
// clusterSendFailoverAuthIfNeeded).
func (m *Machine) approve(e Election, no *Refused) bool {
	primary := m.find(e.Primary)
	if primary != nil && !e.Forced && !primary.fail && primary != m.me || primary == m.me && !e.Forced {
		no.Why = RefusedNotFailed
		if primary != m.me {
			m.probeSoon(primary, m.now)
		}
		return false
	}
	if e.Slots == nil {
		return true
	}
	for _, n := range m.nodes {
		if n.id() != e.Primary && n.record.ConfigEpoch > e.Epoch && n.owned.Intersects(e.Slots) &&
			(primary == nil || n.record.Shard != primary.record.Shard) {
			no.Why = RefusedStale
			no.Records = append(no.Records, n.record)
		}
	}
	return len(no.Records) == 0
}

// accept is phase 2 at an elector.
func (m *Machine) accept(from Member, body Accept) {
	d, no := m.admit(body.Cluster, body.ElectorVer, body.Key)
	no.Ballot = body.Ballot
	if d == nil {
		m.answer(from.ID, no)
		return
	}
	r := Register{Key: body.Key}
	if old := d.find(body.Key); old != nil {
		r = *old
	}
	if body.Ballot.Less(r.Promised) && !m.mutated(MutateAcceptLower) {
		no.Why, no.Promised = RefusedBallot, r.Promised
		m.answer(from.ID, no)
		return
	}
	r.Promised, r.Accepted = body.Ballot, body.Ballot
	r.Config, r.Electors = body.Config, body.Electors
	m.rememberRegister(d, r)
	m.answer(from.ID, Accepted{Cluster: body.Cluster, Key: body.Key, Ballot: body.Ballot})
	if body.Key.IsZero() {
		m.changeAt = m.now
		m.wakeBy(m.now.After(changeHangs))
	}
}

// read tells a register without a promise. A node that is no elector tells at
// least which set it obeys.
func (m *Machine) read(from Member, body Read) {
	reply := ReadOK{Cluster: body.Cluster, Nonce: body.Nonce, Register: Register{Key: body.Key}, Electors: m.latest(body.Cluster)}
	if d := m.domainOf(body.Cluster); d != nil {
		if r := d.find(body.Key); r != nil {
			reply.Register = *r
		}
	}
	m.answer(from.ID, reply)
}
