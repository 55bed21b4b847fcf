package cluster

// handshake is a MEET under way: a node known by its address only.
type handshake struct {
	id      ID // random, shown in CLUSTER NODES until the real one is known
	addr    Addr
	started Time
	sendAt  Time
}

// handshakeRetry is the pause between two Hellos of a MEET.
const handshakeRetry Duration = 250

// handshakeTimeout is how long a MEET is tried: the node timeout as in Redis, but at least 10 s (Redis: 1 s), for who
// creates a cluster says it once, and then waits however long it takes.
func (m *Machine) handshakeTimeout() Duration { return max(10_000, m.config.NodeTimeout) }

// meet starts a handshake with the node at addr.
func (m *Machine) meet(addr Addr) Result {
	if addr.IP == "" || addr.Port == 0 || addr.BusPort == 0 {
		return Result{Err: "ERR Invalid node address specified: " + addrText(addr)}
	}
	for _, h := range m.handshakes {
		if h.addr == addr {
			return ok
		}
	}
	m.handshakes = append(m.handshakes, handshake{id: m.random.ID(), addr: addr, started: m.now, sendAt: m.now})
	m.changed.view = true
	m.expireHandshakes()
	return ok
}

// expireHandshakes says Hello where it is due and gives up what took too long.
func (m *Machine) expireHandshakes() {
	kept := m.handshakes[:0]
	for _, h := range m.handshakes {
		if m.now.Since(h.started) >= m.handshakeTimeout() {
			m.changed.view = true
			continue
		}
		if m.now >= h.sendAt {
			h.sendAt = m.now.After(handshakeRetry)
			m.doDurably(Send{Addr: h.addr, Msg: m.message(Hello{Meet: true, Handshake: h.id, Record: m.self()})})
		}
		m.wakeBy(h.sendAt)
		kept = append(kept, h)
	}
	m.handshakes = kept
}

// hello admits a node that says MEET, and refreshes one that is known.
func (m *Machine) hello(e Receive, body Hello) {
	r := body.Record
	if r == nil || r.ID != e.Msg.From || r.ID == m.id() {
		return
	}
	if m.find(r.ID) == nil && !body.Meet {
		return
	}
	if body.Meet {
		m.learnOwnIP(e.LocalIP)
		m.unban(r.ID)
	}
	if r.Addr.IP == "" && e.RemoteIP != "" {
		// A node that does not know its own address yet can be told to others under
		// the one it speaks from, until its next record names it.
		seen := *r
		seen.Addr.IP = e.RemoteIP
		r = &seen
	}
	fresh := m.find(r.ID) == nil
	m.learn(r)
	n := m.find(r.ID)
	if n == nil {
		return
	}
	m.heardFrom(n, e.Msg, e.RemoteIP)
	m.send(n.id(), HelloOK{Handshake: body.Handshake, Record: m.self(), Records: m.allRecords(), YourIP: e.RemoteIP})
	if fresh {
		m.introduce([]*Record{n.record}, n)
	}
}

// helloOK ends a handshake of this node, or answers a Hello after a restart.
func (m *Machine) helloOK(e Receive, body HelloOK) {
	r := body.Record
	if r == nil || r.ID != e.Msg.From {
		return
	}
	invited := false
	for i, h := range m.handshakes {
		if h.id == body.Handshake {
			m.handshakes = append(m.handshakes[:i], m.handshakes[i+1:]...)
			m.changed.view = true
			invited = true
			break
		}
	}
	if r.ID == m.id() || !invited && m.find(r.ID) == nil {
		return
	}
	m.learnOwnIP(body.YourIP)
	if invited {
		m.unban(r.ID)
	}
	before := m.table
	fresh := m.freshRecords(append([]*Record{r}, body.Records...))
	m.learn(r)
	n := m.find(r.ID)
	if n == nil {
		return
	}
	m.heardFrom(n, e.Msg, e.RemoteIP)
	for _, other := range body.Records {
		m.learn(other)
	}
	if invited {
		// The other side knows this node's record only; and this node's friends
		// know nothing of the other side.
		m.send(n.id(), Records{Records: m.allRecords(), Electors: m.inForce()})
		if before != m.table {
			m.introduce(fresh, n)
		}
	}
}

// freshRecords returns the records of nodes that are not in the table.
func (m *Machine) freshRecords(records []*Record) []*Record {
	var fresh []*Record
	for _, r := range records {
		if m.find(r.ID) == nil && !m.banned(r.ID) {
			fresh = append(fresh, r)
		}
	}
	return fresh
}

// introduce tells everybody but the new nodes themselves about them.
func (m *Machine) introduce(fresh []*Record, except *node) {
	if len(fresh) == 0 {
		return
	}
	msg := m.message(Records{Records: append(fresh[:len(fresh):len(fresh)], m.self())})
	if len(m.nodes) > PushLimit {
		m.doDurably(Broadcast{Msg: msg})
		return
	}
	for _, n := range m.nodes {
		if n != m.me && n != except {
			m.doDurably(Send{To: n.id(), Addr: n.addr(), Msg: msg})
		}
	}
	m.compareSoon()
}

// learnOwnIP takes the address others see this node under, if none was
// announced. It is learned once: an address seen through NAT must not flap.
func (m *Machine) learnOwnIP(ip string) {
	if ip == "" || m.self().Addr.IP != "" {
		return
	}
	m.note('-', "IP address for this node updated to "+ip)
	m.amend(true, func(r *Record) { r.Addr.IP = ip })
}

func (m *Machine) allRecords() []*Record {
	records := make([]*Record, len(m.nodes))
	for i, n := range m.nodes {
		records[i] = n.record
	}
	return records
}

// forget removes a node and keeps it out for banTime.
func (m *Machine) forget(id ID) Result {
	n := m.find(id)
	switch {
	case n == m.me:
		return Result{Err: "ERR I tried hard but I can't forget myself..."}
	case n == nil && m.dropHandshake(id):
		return ok
	case n == nil && m.banned(id):
		return ok // redis-cli del-node sends it twice to some and stops at an error
	case n == nil:
		return unknownNode(id)
	case m.self().Primary == id:
		return Result{Err: "ERR Can't forget my master!"}
	}
	last := n.record
	m.remove(n)
	m.ban(id)
	if m.isElector(id) {
		n.record = last
		m.ghosts = append(m.ghosts, n)
	}
	m.do(Disconnect{ID: id})
	m.electorsForgot()
	return ok
}

// ghost returns a node that was forgotten while it was an elector. It is no
// member any more, but until it is replaced its votes are needed.
func (m *Machine) ghost(id ID) *node {
	for i, g := range m.ghosts {
		if g.id() == id {
			if !m.banned(id) {
				m.ghosts = append(m.ghosts[:i], m.ghosts[i+1:]...)
				return nil
			}
			return g
		}
	}
	return nil
}

func (m *Machine) dropHandshake(id ID) bool {
	for i, h := range m.handshakes {
		if h.id == id {
			m.handshakes = append(m.handshakes[:i], m.handshakes[i+1:]...)
			m.changed.view = true
			return true
		}
	}
	return false
}

// leaving is a RESET that waits until this node's vote was handed over.
type leaving struct {
	number  uint64
	command Reset
	until   Time
	handed  *proposal // asks the set without this node whether it serves
}

// leaveTimeout is how long a RESET waits for other electors to take over.
const leaveTimeout Duration = 10_000

// resetCommand is CLUSTER RESET. An elector first lets the others replace it:
// a cluster whose only elector is reset could decide nothing any more.
func (m *Machine) resetCommand(number uint64, command Reset) {
	if m.self().IsPrimary() && command.HasKeys {
		m.reply(number, resetWithKeys)
		return
	}
	if m.leaving != nil {
		m.reply(number, Result{Err: "ERR a reset is under way"})
		return
	}
	m.leaving = &leaving{number: number, command: command, until: m.now.After(leaveTimeout)}
	m.electorAt = m.now
	m.wakeBy(m.now)
	m.leaveTimers()
}

// leaveTimers carries a waiting RESET out when nobody needs this node's vote.
func (m *Machine) leaveTimers() {
	l := m.leaving
	if l == nil {
		return
	}
	if m.now < l.until && m.voteNeeded(l) {
		m.wakeBy(l.until)
		return
	}
	m.leaving = nil
	if m.now >= l.until && !l.command.Hard && m.voteNeeded(l) {
		m.reply(l.number, Result{Err: "ERR the other electors do not answer and this node's vote may be needed. " +
			"Try again, or use CLUSTER RESET HARD"})
		return
	}
	m.reply(l.number, m.reset(l.command))
}

// stay gives up a waiting RESET, because this node became a primary.
func (m *Machine) stay() {
	if l := m.leaving; l != nil {
		m.leaving = nil
		m.reply(l.number, resetWithKeys)
	}
}

var resetWithKeys = Result{Err: "ERR CLUSTER RESET can't be called with master nodes containing keys"}

// voteNeeded reports whether the set still has this node in it though others
// could take its place, or the set without it does not serve yet.
func (m *Machine) voteNeeded(l *leaving) bool {
	e := m.inForce()
	if m.isElector(m.id()) {
		return m.betterElectors(e) != nil
	}
	d := m.domainOf(e.Cluster)
	if d == nil || d.Complete+1 < e.Ver {
		return false // was none, or has nothing that others lack
	}
	if l.handed == nil {
		l.handed = m.propose(&proposal{why: forHandover, cluster: e.Cluster, key: m.self().Shard})
	}
	return l.handed == nil || !l.handed.done
}

// reset makes this node a cluster of one again, with a new incarnation, for
// the promises of the old one are forgotten. Redis 7.0, clusterReset.
func (m *Machine) reset(command Reset) Result {
	wasReplica := !m.self().IsPrimary()
	m.abandonShard()
	// The peers hear it from this node's last words: no slots, no shard, and
	// an incarnation that is no elector.
	id, friends := m.id(), append([]*node(nil), m.nodes...)
	epoch, addr := m.self().ConfigEpoch, m.self().Addr
	m.freshAcceptor()
	m.amend(true, func(r *Record) {
		r.Boot, r.Counter, r.Incarnation = m.boot+1, 0, m.incarnation
		r.Cluster, r.Shard, r.Term, r.Primary, r.Slots = m.random.ID(), m.random.ID(), 1, ID{}, nil
	})
	own := *m.self()
	farewell := m.message(Records{Records: []*Record{m.self()}})
	for _, n := range friends {
		if n != m.me {
			m.doDurably(Send{To: n.id(), Addr: n.addr(), Msg: farewell})
			m.remove(n)
			m.do(Disconnect{ID: n.id()})
		}
	}
	m.boot++
	m.bans, m.handshakes, m.overrides, m.ghosts = nil, nil, nil, nil
	m.migrating, m.importing = nil, nil
	if command.Hard {
		m.remove(m.me)
		m.currentEpoch, epoch = 0, 0
		id = m.random.ID()
		own.ID, own.Cluster, own.Shard = id, m.random.ID(), m.random.ID() // the old id keeps what its last words said
		m.me = m.insert(&own)
	}
	m.amend(true, func(r *Record) { r.ConfigEpoch, r.Addr = epoch, addr })
	m.foundDomain()
	if wasReplica {
		m.doDurably(FlushData{}) // a crash before must find the replica it was, with its data
	}
	m.do(RestartGossip{ID: id, Boot: m.boot})
	m.doDurably(BecomePrimary{Shard: own.Shard, Term: own.Term, Epoch: epoch, Clean: true})
	m.startState(false)
	m.changed = changes{view: true, table: true, claims: true, own: true, sync: true}
	return ok
}
