package cluster

import (
	"sort"

	"cobble/slots"
)

// node is what this machine knows about a member, itself included.
type node struct {
	num      uint16 // index in Machine.numbers, 0 is nobody
	word     uint64 // first bytes of the id
	record   *Record
	remoteIP string // where it spoke from, until it knows its own address

	owned       slots.Set // slots whose owner it is, by the rules of claims.go
	ownedCount  int
	ownedShared *slots.Set // copy given to views; nil when owned has changed since
	superseded  bool       // a primary of its shard with a greater term is known

	life
}

func (n *node) id() ID { return n.record.ID }

// addr returns where to reach n.
func (n *node) addr() Addr {
	addr := n.record.Addr
	if addr.IP == "" {
		addr.IP = n.remoteIP
	}
	return addr
}

// find returns the node with that id, or nil.
func (m *Machine) find(id ID) *node {
	if len(m.nodes) > fewNodes {
		return m.byID[id]
	}
	word := id.word()
	for _, n := range m.nodes {
		if n.word == word && n.record.ID == id {
			return n
		}
	}
	return nil
}

// fewNodes is up to how many nodes looking at each is faster than a map.
const fewNodes = 16

// insert adds a node that is not in the table yet.
func (m *Machine) insert(r *Record) *node {
	n := &node{record: &Record{ID: r.ID}, word: r.ID.word()}
	if last := len(m.freeNumbers) - 1; last >= 0 {
		n.num = m.freeNumbers[last]
		m.freeNumbers = m.freeNumbers[:last]
		m.numbers[n.num] = n
	} else {
		n.num = uint16(len(m.numbers))
		m.numbers = append(m.numbers, n)
	}
	at := sort.Search(len(m.nodes), func(i int) bool { return !m.nodes[i].id().Less(r.ID) })
	m.nodes = append(m.nodes, nil)
	copy(m.nodes[at+1:], m.nodes[at:])
	m.nodes[at] = n
	m.byID[r.ID] = n
	n.probeAt = m.now
	n.acked, n.heard, n.boot = m.now, 0, r.Boot
	n.answered = m.leased || m.mutated(MutateServeUnheard)
	m.table ^= recordHash(n.record)
	m.replace(n, r)
	m.changed.member = true
	return n
}

// remove takes n out of the table. The caller has dealt with what refers to it.
func (m *Machine) remove(n *node) {
	m.replace(n, &Record{ID: n.id()})
	m.table ^= recordHash(n.record)
	m.dropOverrides(n.id())
	at := sort.Search(len(m.nodes), func(i int) bool { return !m.nodes[i].id().Less(n.id()) })
	m.nodes = append(m.nodes[:at], m.nodes[at+1:]...)
	delete(m.byID, n.id())
	for _, o := range m.nodes {
		o.forgetReporter(n.id())
	}
	m.numbers[n.num] = nil
	m.freeNumbers = append(m.freeNumbers, n.num)
	m.changed.view, m.changed.table, m.changed.member = true, true, true
}

// replace gives n a new record and brings everything derived up to date.
func (m *Machine) replace(n *node, r *Record) {
	old := n.record
	m.table ^= recordHash(old) ^ recordHash(r)
	n.record = r
	if n == m.me {
		m.force = nil
	}
	if r.ConfigEpoch > m.currentEpoch {
		m.currentEpoch = r.ConfigEpoch
	}
	touched := touchedSlots(old, r)
	m.supersede(old.Shard, &touched)
	if r.Shard != old.Shard {
		m.supersede(r.Shard, &touched)
	}
	if n == m.chosen.node && (r.IsPrimary() && r.Term >= m.chosen.term || r.Shard != old.Shard) {
		m.forgetChosen() // first: it may claim by now what it was not chosen with
	}
	m.reassign(&touched)
	m.changed.view, m.changed.table = true, true
}

// learn merges a record of another node that came from a trusted source.
// It reports whether it was news.
func (m *Machine) learn(r *Record) bool {
	if r.ID == m.id() {
		m.learnSelf(r)
		return false
	}
	if m.banned(r.ID) {
		return false
	}
	n := m.find(r.ID)
	if n == nil {
		if len(m.nodes) >= maxNodes {
			return false
		}
		n = m.insert(r)
		m.note('-', "node "+r.ID.String()+" added to the cluster")
		m.do(JoinGossip{ID: r.ID, Addr: n.addr()})
		return true
	}
	if !r.Newer(n.record) {
		return false
	}
	old, before := n.record, m.assigned
	m.replace(n, r)
	if m.assigned < before && m.coveredBy == 0 {
		m.coveredBy = m.now.After(coverWait)
	}
	m.heardBoot(n, r.Boot)
	if old.Boot != r.Boot || old.Addr != r.Addr {
		n.noaddr, n.refusals = false, 0
		n.probeAt = m.now
		if m.self().Primary == r.ID && old.Addr != r.Addr {
			m.follow(n)
		}
	}
	return true
}

// learnSelf handles a record about this node that claims to be newer than its
// own: written by an earlier life whose nodes.conf was lost or restored from a
// backup. The node outruns it, so that its present words are heard.
func (m *Machine) learnSelf(r *Record) {
	if !r.Newer(m.self()) {
		return
	}
	m.boot = r.Boot
	m.amend(true, func(own *Record) { own.Boot, own.Counter = r.Boot, r.Counter })
}

// maxNodes bounds the table (Redis Cluster has 16384 slots, so no more
// primaries, and claims.go numbers nodes with 16 bits).
const maxNodes = 1<<16 - 2

// touchedSlots returns the slots whose owner may change when r replaces old.
func touchedSlots(old, r *Record) slots.Set {
	var touched slots.Set
	same := old.ConfigEpoch == r.ConfigEpoch && old.Term == r.Term && old.Shard == r.Shard && old.IsPrimary() == r.IsPrimary()
	if same && old.Slots == r.Slots {
		return touched
	}
	if old.Slots != nil {
		touched = *old.Slots
	}
	if r.Slots == nil {
		return touched
	}
	if !same {
		touched.Union(r.Slots)
		return touched
	}
	for i := range touched {
		touched[i] ^= r.Slots[i]
	}
	return touched
}

// recordHash gives every version of every record its own 64 bits; the XOR over
// a table is its digest.
func recordHash(r *Record) uint64 {
	var words [4]uint64
	for i, b := range r.ID {
		words[i/8] = words[i/8]<<8 | uint64(b)
	}
	words[3] = r.Boot
	h := NewRandom(r.Counter)
	hash := h.Uint64()
	for _, w := range words {
		h.state ^= w
		hash ^= h.Uint64()
		h.state = hash
	}
	return hash
}

// banned reports whether id was forgotten less than a minute ago.
func (m *Machine) banned(id ID) bool {
	for _, b := range m.bans {
		if b.ID == id {
			return m.now < b.Until && !m.mutated(MutateIgnoreBan)
		}
	}
	return false
}

func (m *Machine) ban(id ID) {
	m.unban(id)
	m.bans = append(m.bans, Ban{ID: id, Until: m.now.After(banTime)})
	sort.Slice(m.bans, func(i, j int) bool { return m.bans[i].ID.Less(m.bans[j].ID) })
}

// unban lifts the ban of id, and with it every expired one.
func (m *Machine) unban(id ID) {
	kept := m.bans[:0:0]
	for _, b := range m.bans {
		if b.ID != id && m.now < b.Until {
			kept = append(kept, b)
		}
	}
	m.bans = kept
}

// banTime is how long a forgotten node is kept out (CLUSTER_BLACKLIST_TTL).
const banTime Duration = 60_000
