package cluster

import "cobble/slots"

// digestPeriod is how often a random peer is asked to compare tables.
const digestPeriod Duration = 1000

// gossipTimers starts the periodic comparison.
func (m *Machine) gossipTimers() {
	if m.saveAt != 0 {
		m.wakeBy(m.saveAt)
	}
	if m.now >= m.digestAt {
		m.digestAt = m.now.After(digestPeriod)
		if n := m.randomPeer(); n != nil {
			m.send(n.id(), m.tableDigest())
		}
		m.askDeserters()
		m.askUnknown()
	}
	m.wakeBy(m.digestAt)
}

// askDeserters compares with electors that obey another cluster by now: they
// know what became of the one this node obeys.
func (m *Machine) askDeserters() {
	e := m.inForce()
	if e == nil {
		return
	}
	for _, member := range e.Members {
		if n := m.find(member.ID); n != nil && n.record.Cluster != e.Cluster && m.alive(n) {
			m.send(n.id(), m.tableDigest())
		}
	}
}

// askUnknown asks for the electors of clusters that others were dissolved into
// and that this node has never met, or has forgotten in a crash.
func (m *Machine) askUnknown() {
	for _, e := range m.known {
		if e.Into.IsZero() || m.latest(e.Into) != nil {
			continue
		}
		if len(m.nodes) <= PushLimit {
			m.push(Read{Cluster: e.Into})
		} else if n := m.randomPeer(); n != nil {
			m.send(n.id(), Read{Cluster: e.Into})
		}
	}
}

func (m *Machine) tableDigest() Digest {
	digest := Digest{Table: m.table, Cluster: m.self().Cluster}
	if e := m.inForce(); e != nil {
		digest.ElectorVer = e.Ver
	}
	return digest
}

// compareSoon hastens the next comparison after news that may have got lost.
func (m *Machine) compareSoon() {
	if at := m.now.After(50 + Duration(m.random.Below(100))); at < m.digestAt {
		m.digestAt = at
		m.wakeBy(at)
	}
}

// randomPeer picks another node, a living one if there is any.
func (m *Machine) randomPeer() *node {
	var candidates []*node
	for _, n := range m.nodes {
		if n != m.me && !n.fail && !n.pfail {
			candidates = append(candidates, n)
		}
	}
	if len(candidates) == 0 || m.random.Below(8) == 0 {
		candidates = candidates[:0]
		for _, n := range m.nodes {
			if n != m.me {
				candidates = append(candidates, n)
			}
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	return candidates[m.random.Below(int64(len(candidates)))]
}

// records merges news. A stale word of the speaker about itself cannot occur:
// it is the only writer of its record.
func (m *Machine) records(from *node, body Records) {
	news := false
	for _, r := range body.Records {
		news = m.learn(r) || news
	}
	if body.Electors != nil {
		m.learnElectors(body.Electors)
	}
	if news {
		m.compareSoon()
		m.correct(from)
	}
}

// correct answers a claim that is already lost with the winners' records, so
// that a returning primary learns at once (Redis: UPDATE).
func (m *Machine) correct(from *node) {
	r := from.record
	if r.Slots == nil || !r.IsPrimary() {
		return
	}
	var winners []*Record
	if from.superseded {
		for _, n := range m.nodes {
			if n.record.Shard == r.Shard && n.record.IsPrimary() && n.record.Term > r.Term {
				winners = append(winners, n.record)
			}
		}
	}
	lost := *r.Slots
	lost.Subtract(&from.owned)
	if !lost.Empty() {
		winners = append(winners, m.ownersOf(&lost)...)
	}
	if len(winners) > 0 {
		m.send(from.id(), Records{Records: winners})
	}
}

// ownersOf returns the records of the nodes that own slots of set.
func (m *Machine) ownersOf(set *slots.Set) []*Record {
	var owners []*Record
	for _, n := range m.nodes {
		if n.owned.Intersects(set) {
			owners = append(owners, n.record)
		}
	}
	return owners
}

// digest compares a peer's table with the own one.
func (m *Machine) digest(from *node, body Digest) {
	if body.Table != m.table {
		m.send(from.id(), Fetch{Known: m.versions(), Reply: true})
	}
	e := m.inForce()
	if theirs := m.latest(body.Cluster); theirs != nil && theirs != e {
		m.send(from.id(), Records{Electors: theirs})
	}
	if e != nil && (body.Cluster != e.Cluster || body.ElectorVer != e.Ver) {
		m.send(from.id(), Records{Electors: e})
		if body.Table == m.table {
			m.send(from.id(), Fetch{Known: m.versions()})
		}
	}
}

func (m *Machine) versions() []Version {
	known := make([]Version, len(m.nodes))
	for i, n := range m.nodes {
		known[i] = Version{n.id(), n.record.Boot, n.record.Counter}
	}
	return known
}

// fetch sends what the peer lacks, and asks for what it has and we lack.
func (m *Machine) fetch(from *node, body Fetch) {
	var news []*Record
	behind := false
	at := 0
	for _, v := range body.Known {
		for at < len(m.nodes) && m.nodes[at].id().Less(v.ID) {
			news = append(news, m.nodes[at].record)
			at++
		}
		if at == len(m.nodes) || m.nodes[at].id() != v.ID {
			behind = behind || !m.banned(v.ID)
			continue
		}
		r := m.nodes[at].record
		at++
		theirs := Record{Boot: v.Boot, Counter: v.Counter}
		if r.Newer(&theirs) {
			news = append(news, r)
		}
		behind = behind || theirs.Newer(r)
	}
	for ; at < len(m.nodes); at++ {
		news = append(news, m.nodes[at].record)
	}
	if len(news) > 0 {
		m.send(from.id(), Records{Records: news, Electors: m.inForce()})
	}
	if behind && body.Reply {
		m.send(from.id(), Fetch{Known: m.versions()})
	}
}
