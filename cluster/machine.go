package cluster

import (
	"cobble/slots"
)

// Machine is one node's mind. It is not safe for concurrent use: one goroutine
// owns it and calls Step.
type Machine struct {
	config Config
	random Random
	now    Time
	wake   Time

	effects  []Effect
	token    Token // last one given out
	durable  Token // last synced nodes.conf persist: what carries the own record waits for it
	born     Token // boot count: nothing leaves before it
	probeSeq uint64

	boot, counter uint64
	incarnation   uint64
	currentEpoch  uint64

	me          *node
	nodes       []*node // ascending by id, me included
	byID        map[ID]*node
	numbers     []*node // by node.num; [0] is nobody
	freeNumbers []uint16
	table       uint64 // XOR of recordHash over nodes
	handshakes  []handshake
	bans        []Ban
	ghosts      []*node // forgotten electors that are not replaced yet
	leaving     *leaving
	digestAt    Time
	saveAt      Time // a lazy persist is due; 0: none

	owner       *[slots.Count]uint16 // node.num
	ownerShared *[slots.Count]uint16 // copy given to views; nil when owner has changed since
	assigned    int
	overrides   []override
	chosen      chosen
	claimants   []*node // scratch of reassign
	migrating   []OpenSlot
	importing   []OpenSlot
	bumpAt      Time

	clusterState
	position Position
	changed  changes

	paxos
	failover
	merging
}

// changes are what settle has to deal with.
type changes struct {
	view   bool // something a View shows
	table  bool // something nodes.conf holds
	member bool // who is in the table: nodes.conf must be synced before anybody sees it
	claims bool // slot owners
	own    bool // own record: push it
	local  bool // open slots: sync nodes.conf, tell nobody
	sync   bool // own record: nodes.conf must be synced first

	// winners took slots from this node. Who hears that it gave them up hears in the same message whose they are.
	winners []*Record
}

// New starts a machine from what was persisted. seed must differ between
// starts (from the system's random source). The returned effects are to be
// executed before the first Step: a new life persists its boot count.
func New(config Config, saved Persisted, seed uint64, now Time) (*Machine, []Effect) {
	m := &Machine{
		config: config, random: NewRandom(seed), now: now,
		byID: map[ID]*node{}, numbers: make([]*node, 1), owner: new([slots.Count]uint16),
	}
	if saved.Nodes == nil {
		m.begin(m.random.ID(), 1)
	} else {
		m.resume(saved)
	}
	if saved.Nodes == nil {
		m.loadAcceptor(nil, nil) // promises of another node
	} else {
		m.loadAcceptor(saved.Acceptor, saved.Nodes.Electors)
	}
	m.amend(true, func(r *Record) {
		r.Addr, r.Hostname, r.Incarnation = config.Addr, config.Hostname, m.incarnation
		if r.Addr.IP == "" && saved.Nodes != nil {
			r.Addr.IP = ownRecord(saved.Nodes).Addr.IP
		}
		r.Flags = configFlags(r.Flags, config)
	})
	m.startState(saved.Nodes != nil)
	m.do(RestartGossip{ID: m.id(), Boot: m.boot})
	if m.self().IsPrimary() {
		m.doDurably(BecomePrimary{Shard: m.self().Shard, Term: m.self().Term, Epoch: m.self().ConfigEpoch, Clean: true})
	} else if n := m.find(m.self().Primary); n != nil {
		m.follow(n)
	}
	m.changed.view, m.changed.own, m.changed.sync = true, true, true
	m.settle()
	m.born = m.durable
	return m, m.effects
}

// begin makes this node a cluster of one without slots.
func (m *Machine) begin(id ID, boot uint64) {
	m.boot, m.counter = boot, 0
	own := &Record{
		ID: id, Boot: boot, Addr: m.config.Addr, Hostname: m.config.Hostname,
		Cluster: m.random.ID(), Shard: m.random.ID(), Term: 1,
	}
	m.me = m.insert(own)
}

// resume takes over what an earlier life knew.
func (m *Machine) resume(saved Persisted) {
	conf := saved.Nodes
	m.boot = conf.Boot + 1
	if m.mutated(MutateReuseBoot) {
		m.boot = conf.Boot
	}
	m.currentEpoch = conf.CurrentEpoch
	m.bans = append([]Ban(nil), conf.Bans...)
	for _, r := range conf.Records {
		if r.ID == conf.Self {
			own := *r
			own.Boot, own.Counter = m.boot, 0
			m.me = m.insert(&own)
		} else {
			m.insert(r)
		}
	}
	for _, id := range conf.Failed {
		if n := m.find(id); n != nil && n != m.me {
			n.fail, n.failedAt = true, m.now
		}
	}
	m.migrating = append([]OpenSlot(nil), conf.Migrating...)
	m.importing = append([]OpenSlot(nil), conf.Importing...)
}

// ownRecord returns the record of the node that wrote conf.
func ownRecord(conf *NodesConf) *Record {
	for _, r := range conf.Records {
		if r.ID == conf.Self {
			return r
		}
	}
	panic("cluster: nodes.conf without the record of the node itself")
}

func configFlags(flags Flags, config Config) Flags {
	flags &^= NoFailover
	if config.NoFailover {
		flags |= NoFailover
	}
	return flags
}

// Step feeds one event and returns what to do, in order. now must not be less
// than at the last call. The slice is valid until the next Step.
func (m *Machine) Step(now Time, event Event) []Effect {
	m.now = max(m.now, now)
	m.effects = m.effects[:0]
	switch e := event.(type) {
	case Tick:
	case Receive:
		m.receive(e)
	case Hint:
		m.hint(e)
	case Link:
		m.link(e)
	case ProbeResult:
		m.probed(e)
	case Position:
		m.positioned(e)
	case Paused:
		m.paused(e)
	case Configure:
		m.configure(e.Config)
	case Command:
		m.command(e)
	}
	if m.now >= m.wake {
		m.timers()
	}
	m.settle()
	return m.effects
}

// Wake returns when the next Tick is due at the latest.
func (m *Machine) Wake() Time { return m.wake }

// wakeBy makes the next Tick come at t or earlier.
func (m *Machine) wakeBy(t Time) {
	if t < m.wake {
		m.wake = max(t, m.now+1)
	}
}

// timersPause is the longest pause between two runs of timers.
const timersPause Duration = 500

// timers runs everything that waits for time to pass, and sets the next wake.
func (m *Machine) timers() {
	m.wake = m.now.After(timersPause)
	m.expireHandshakes()
	m.expireOverrides()
	m.probeTimers()
	m.gossipTimers()
	m.paxosTimers()
	m.leaveTimers()
	m.mergeTimers()
	m.failoverTimers()
	m.migrationTimers()
}

// settle brings what follows from other facts up to date, until nothing
// changes, and then tells the disk, the peers and the readers.
func (m *Machine) settle() {
	m.settleClaims()
	m.followShard()
	m.settleClaims()
	m.updateState()
	if m.changed.own {
		m.push(Records{Records: append([]*Record{m.self()}, m.changed.winners...), Electors: m.inForce()})
	}
	m.persistOwn()
	if m.changed.table && m.saveAt == 0 {
		m.saveAt = m.now.After(saveDelay)
	}
	if m.saveAt != 0 {
		m.save()
	}
	if m.changed.view {
		m.doDurably(Publish{View: m.View()})
	}
	m.changed = changes{}
	m.resolveTokens()
}

// saveDelay gathers changes of other nodes' records into one lazy save.
const saveDelay Duration = 200

// save writes nodes.conf if a lazy save is due.
func (m *Machine) save() {
	if m.now < m.saveAt {
		m.wakeBy(m.saveAt)
		return
	}
	m.saveAt = 0
	m.token++
	m.do(PersistNodes{Token: m.token, Conf: m.conf()})
}

// persistOwn writes nodes.conf if the own part of it has changed, or who is in
// the table: a member that was shown, or whose FORGET was confirmed, must not
// come and go with a crash.
func (m *Machine) persistOwn() {
	member := m.changed.member && !m.mutated(MutateLazyMembers)
	if !m.changed.own && !m.changed.local && !member {
		return
	}
	m.token++
	sync := m.changed.sync || m.changed.local || member
	m.do(PersistNodes{Token: m.token, Sync: sync, Conf: m.conf()})
	if sync {
		m.durable = m.token
	}
	m.saveAt, m.changed.table = 0, false
}

// amend changes the own record. With sync the change must be durable before
// anybody hears of it.
func (m *Machine) amend(sync bool, change func(*Record)) {
	own := *m.self()
	change(&own)
	if own.Boot == m.self().Boot {
		own.Counter = m.self().Counter
	}
	own.Counter++
	m.changed.own = true
	m.changed.sync = m.changed.sync || sync
	m.replace(m.me, &own)
}

// self returns the own record.
func (m *Machine) self() *Record { return m.me.record }

func (m *Machine) id() ID { return m.me.record.ID }

// do appends an effect that waits for nothing but the boot count.
func (m *Machine) do(action Action) {
	m.effects = append(m.effects, Effect{After: m.born, Do: action})
}

// ownRecordDurable stands for the token of the persist that makes the own
// record durable, which is known at the end of a Step only.
const ownRecordDurable = ^Token(0)

// doDurably appends an effect that shows or uses the own record.
func (m *Machine) doDurably(action Action) {
	m.effects = append(m.effects, Effect{After: ownRecordDurable, Do: action})
}

func (m *Machine) resolveTokens() {
	for i := range m.effects {
		if m.effects[i].After == ownRecordDurable && m.mutated(MutateUnsavedClaims) {
			m.effects[i].After = 0
		}
		if m.effects[i].After == ownRecordDurable {
			m.effects[i].After = m.durable
		}
	}
}

func (m *Machine) note(level byte, text string) { m.do(Note{level, text}) }

func (m *Machine) configure(config Config) {
	config.mutate = m.config.mutate
	config.Addr.Port, config.Addr.BusPort = m.config.Addr.Port, m.config.Addr.BusPort
	if config.NodeTimeout < m.config.NodeTimeout {
		for _, n := range m.nodes {
			n.probeAt = m.now // the next probe was meant for the longer one
		}
	}
	m.config = config
	own := m.self()
	addr := own.Addr
	if config.Addr.IP != "" {
		addr.IP = config.Addr.IP
	}
	flags := configFlags(own.Flags, config)
	if addr != own.Addr || flags != own.Flags || config.Hostname != own.Hostname {
		m.amend(true, func(r *Record) { r.Addr, r.Flags, r.Hostname = addr, flags, config.Hostname })
	}
	m.wakeBy(m.now)
}
