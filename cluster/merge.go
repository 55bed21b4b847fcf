package cluster

import "sort"

// Two clusters that met become one: the one with the greater id dissolves into
// the other. That is one decision in its own register (key zero), so it
// dissolves into exactly one. Any of its electors then copies the registers
// from a majority, whose members thereby learn of the decision and serve no
// more, and proposes each to the survivor, which takes it if it has none of
// that shard. If the survivor was itself dissolved in between, its register
// goes before the carried one.

// merging is what this node does to merge clusters, elect electors and carry
// registers over.
type merging struct {
	electorAt    Time
	repairAt     Time // own turn to repair the set; 0: nothing to repair
	lostSince    Time // a majority of electors is lost since; 0: is not
	foreignSince Time // nodes of another cluster are in the table since; 0: none
	nonce        uint64
	suit         *suit
	carries      []*carry // ascending by cluster
}

// suit asks the electors of a smaller cluster whether they know this node.
type suit struct {
	cluster ID
	nonce   uint64
	since   Time
	askAt   Time
	ver     uint64 // of the set the answers are from
	answers []ID
}

// carry moves the registers of a dissolved cluster into the survivor.
type carry struct {
	cluster ID
	startAt Time
	copying *copying
	into    ID // target as far as the chain of dissolved clusters was followed
	configs []*ShardConfig
	imports []*proposal
}

const (
	suitPeriod  Duration = 200
	carryTurn   Duration = 1000
	foreignWait Duration = 1500
)

// mergePending reports whether another cluster was met a moment ago: then the
// set is about to change anyway.
func (m *Machine) mergePending() bool {
	return m.foreignSince != 0 && m.now.Since(m.foreignSince) < foreignWait
}

func (m *Machine) mergeTimers() {
	m.woo()
	for _, d := range m.domains {
		e := d.Electors
		if !e.Into.IsZero() && !d.Carried && e.Includes(m.member()) && d.Complete+1 >= e.Ver {
			m.carryOver(d)
		}
	}
}

// smallestForeign returns the least id of another living cluster in the table,
// and whether there is any other cluster at all.
func (m *Machine) smallestForeign(own ID) (least ID, any bool) {
	for _, n := range m.nodes {
		if n.record.Cluster.IsZero() || !m.alive(n) {
			continue
		}
		cluster := m.finalCluster(n.record.Cluster)
		if cluster == own {
			continue
		}
		any = true
		if least.IsZero() || cluster.Less(least) {
			least = cluster
		}
	}
	return least, any
}

// woo dissolves this node's cluster into a smaller one, once a majority of
// that one's electors have answered, which they do only to nodes they know.
func (m *Machine) woo() {
	e := m.inForce()
	least, any := m.smallestForeign(e.Cluster)
	if !any {
		m.foreignSince, m.suit = 0, nil
		return
	}
	if m.foreignSince == 0 {
		m.foreignSince = m.now
	}
	d := m.domainOf(e.Cluster)
	mayAsk := d != nil && m.serving(d) && !d.changing() && m.yields(e.Cluster, least)
	if !mayAsk && m.lostSince == 0 {
		m.suit = nil
		return
	}
	if m.suit == nil || m.suit.cluster != least {
		m.nonce++
		m.suit = &suit{cluster: least, nonce: m.nonce, since: m.now}
	}
	if m.now >= m.suit.askAt {
		m.suit.askAt = m.now.After(suitPeriod)
		m.askSuit()
	}
	m.wakeBy(m.suit.askAt)
}

// yields reports whether cluster own dissolves into cluster other.
func (m *Machine) yields(own, other ID) bool {
	return other.Less(own) || m.mutated(MutateMergeBothWays) && other != own
}

// askSuit asks the electors of the smaller cluster, or if they are unknown,
// any of its nodes who they are.
func (m *Machine) askSuit() {
	s := m.suit
	ask := Read{Cluster: s.cluster, Nonce: s.nonce}
	if set := m.latest(s.cluster); set != nil {
		ask.ElectorVer = set.Ver
		for _, e := range set.Members {
			m.send(e.ID, ask)
		}
		return
	}
	for _, n := range m.nodes {
		if n.record.Cluster == s.cluster && m.alive(n) {
			m.send(n.id(), ask)
		}
	}
}

// readOK counts the answers of a suit.
func (m *Machine) readOK(from Member, body ReadOK) {
	if body.Electors != nil {
		m.learnElectors(body.Electors)
	}
	m.confirmRead(from, body)
	s := m.suit
	if s == nil || s.cluster != body.Cluster || s.nonce != body.Nonce {
		return
	}
	set := m.latest(s.cluster)
	if set == nil || !set.Into.IsZero() {
		m.wakeBy(m.now)
		return
	}
	if s.ver != set.Ver {
		s.ver, s.answers = set.Ver, nil
		s.askAt = m.now
		m.wakeBy(m.now)
	}
	if !set.Includes(from) || body.Electors == nil || body.Electors.Ver != set.Ver {
		return
	}
	s.answers = appendOnce(s.answers, from.ID)
	e := m.inForce()
	if len(s.answers) >= set.Majority() && m.lostLongEnough() {
		m.adopt(s.cluster, m.electorsLost(e))
		return
	}
	if !m.yields(e.Cluster, s.cluster) {
		if m.lostSince == 0 {
			m.suit = nil // else the answers of a majority are needed to join it in the end
		}
		return
	}
	if len(s.answers) < set.Majority() || m.now < s.since.After(Duration(m.rank(e))*electorTurn) {
		return
	}
	m.note('-', "this cluster is to be dissolved into "+s.cluster.String())
	m.propose(&proposal{why: forElectors, cluster: e.Cluster, set: e, electors: &Electors{
		Cluster: e.Cluster, Ver: e.Ver + 1, Members: e.Members, Prev: e.Members, Into: s.cluster,
	}})
}

// carryOver brings the frozen registers of d to the survivor, step by step.
func (m *Machine) carryOver(d *domain) {
	job := m.carryOf(d)
	if m.now < job.startAt {
		m.wakeBy(job.startAt)
		return
	}
	if job.copying == nil {
		job.copying = m.newCopying(d.Electors)
	}
	m.copyOut(job.copying)
	if !job.copying.complete {
		return
	}
	if job.into.IsZero() {
		for _, r := range job.copying.registers.Registers {
			if r.Config != nil {
				job.configs = append(job.configs, r.Config)
			}
		}
		job.into = d.Electors.Into
		job.imports = make([]*proposal, len(job.configs))
	}
	if !m.followChain(job) {
		return
	}
	done := true
	for i, config := range job.configs {
		p := job.imports[i]
		if p != nil && p.done {
			continue
		}
		done = false
		if p == nil || !m.isRunning(p) {
			job.imports[i] = m.propose(&proposal{why: forImport, cluster: job.into, key: config.Shard, config: config})
		}
	}
	if !done {
		m.wakeBy(m.now.After(proposalBackoff))
		return
	}
	d.Carried = true
	m.rememberDomain(d)
	m.dropCarry(job)
}

// followChain puts the frozen registers of the target before the carried ones
// if the target was dissolved as well, and moves on to where it went.
func (m *Machine) followChain(job *carry) bool {
	set := m.latest(job.into)
	if set == nil {
		return false // unknown: somebody will tell
	}
	if set.Into.IsZero() {
		return true
	}
	if job.copying.set.Cluster != job.into {
		job.copying = m.newCopying(set)
	}
	m.copyOut(job.copying)
	if !job.copying.complete {
		return false
	}
	for i, config := range job.configs {
		if r := job.copying.registers.find(config.Shard); r != nil && r.Config != nil {
			job.configs[i] = r.Config
		}
		job.imports[i] = nil
	}
	job.into = set.Into
	return m.followChain(job)
}

func (m *Machine) isRunning(p *proposal) bool {
	for _, other := range m.proposals {
		if other == p {
			return true
		}
	}
	return false
}

// carryOf returns the job for d, making it if there is none. The first elector
// starts at once, the others when it seems to be gone.
func (m *Machine) carryOf(d *domain) *carry {
	for _, job := range m.carries {
		if job.cluster == d.Cluster {
			return job
		}
	}
	job := &carry{cluster: d.Cluster, startAt: m.now.After(Duration(m.rank(d.Electors)) * carryTurn)}
	m.carries = append(m.carries, job)
	sort.Slice(m.carries, func(i, j int) bool { return m.carries[i].cluster.Less(m.carries[j].cluster) })
	return job
}

func (m *Machine) dropCarry(job *carry) {
	for i, other := range m.carries {
		if other == job {
			m.carries = append(m.carries[:i], m.carries[i+1:]...)
			return
		}
	}
}
