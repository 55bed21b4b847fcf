package cluster

import (
	"math/bits"
	"sort"

	"cobble/slots"
)

// Who owns a slot follows from the records alone, so nodes with equal tables
// agree: among the primaries that claim it, leave out those whose shard has a
// primary of a greater term, then take the greatest config epoch, then the
// smaller id (which is the one that will bump its epoch).
//
// Redis instead keeps the present owner until a greater epoch claims the slot,
// which makes the map depend on the order of messages.

// override is a local, short-lived belief set by SETSLOT NODE, ADDSLOTS or
// DELSLOTS while the records do not say the same yet.
type override struct {
	slot  slots.Slot
	owner ID // zero: nobody
	until Time
}

// overrideTime is how long an override outlives the command that set it.
const overrideTime Duration = 2000

// supersede brings the superseded flags of a shard's primaries up to date and
// adds the slots of those that changed to touched.
func (m *Machine) supersede(shard ID, touched *slots.Set) {
	if shard.IsZero() {
		return
	}
	var greatest uint64
	for _, n := range m.nodes {
		if n.record.Shard == shard && n.record.IsPrimary() && n.record.Term > greatest {
			greatest = n.record.Term
		}
	}
	for _, n := range m.nodes {
		if n.record.Shard != shard || !n.record.IsPrimary() {
			continue
		}
		was := n.superseded
		n.superseded = n.record.Term < greatest
		if n.superseded != was && n.record.Slots != nil {
			touched.Union(n.record.Slots)
		}
	}
}

// reassign recomputes the owner of every slot of touched: the best claimant
// takes what it claims, the next takes of the rest, and so on.
func (m *Machine) reassign(touched *slots.Set) {
	if touched.Empty() {
		return
	}
	claimants := m.claimants[:0]
	for _, n := range m.nodes {
		if claim, _ := m.claimOf(n); claim != nil && claim.Intersects(touched) {
			claimants = append(claimants, n)
		}
	}
	m.claimants = claimants
	sort.Slice(claimants, func(i, j int) bool { return m.outranks(claimants[i], claimants[j]) })
	rest := *touched
	for i := range m.overrides {
		if o := &m.overrides[i]; rest.Has(o.slot) && (o.owner.IsZero() || m.find(o.owner) != nil) {
			var one slots.Set
			one.Add(o.slot)
			rest.Remove(o.slot)
			m.assign(&one, m.find(o.owner))
		}
	}
	for _, n := range claimants {
		gained := rest
		claim, _ := m.claimOf(n)
		for i := range gained {
			gained[i] &= claim[i]
			rest[i] &^= gained[i]
		}
		m.assign(&gained, n)
	}
	m.assign(&rest, nil)
}

// claimOf returns what n claims that counts, nil for nothing, and its epoch.
func (m *Machine) claimOf(n *node) (*slots.Set, uint64) {
	if n == m.chosen.node {
		return m.chosen.claim, m.chosen.epoch
	}
	if !n.record.IsPrimary() || n.superseded {
		return nil, 0
	}
	return n.record.Slots, n.record.ConfigEpoch
}

// outranks reports whether a's claim beats b's.
func (m *Machine) outranks(a, b *node) bool {
	_, x := m.claimOf(a)
	_, y := m.claimOf(b)
	if x != y {
		return x > y != m.mutated(MutateSmallerEpoch)
	}
	return a.id().Less(b.id())
}

// chosen is the winner of this shard's election, from when the register named
// it until its own record says so, or it is replaced in turn: clients are sent
// there at once, and are not told that the slots are nobody's.
type chosen struct {
	node  *node
	claim *slots.Set
	epoch uint64
	term  uint64
}

// chose notes that config was decided, and n is its primary.
func (m *Machine) chose(n *node, config *ShardConfig) {
	if config.Slots == nil || n.record.IsPrimary() && n.record.Term >= config.Term {
		return
	}
	m.chosen = chosen{n, config.Slots, config.Epoch, config.Term}
	m.reassign(config.Slots)
}

// forgetChosen goes by the records alone again.
func (m *Machine) forgetChosen() {
	if claim := m.chosen.claim; claim != nil {
		m.chosen = chosen{}
		m.reassign(claim)
	}
}

// assign makes owner (nil: nobody) the owner of set.
func (m *Machine) assign(set *slots.Set, owner *node) {
	changed := false
	for _, n := range m.nodes {
		if n == owner || n.ownedCount == 0 || !n.owned.Intersects(set) {
			continue
		}
		before := n.ownedCount
		n.owned.Subtract(set)
		n.ownedCount = n.owned.Len()
		m.assigned -= before - n.ownedCount
		n.ownedShared = nil
		changed = true
	}
	number := uint16(0)
	if owner != nil {
		number = owner.num
		before := owner.ownedCount
		owner.owned.Union(set)
		owner.ownedCount = owner.owned.Len()
		m.assigned += owner.ownedCount - before
		if owner.ownedCount != before {
			owner.ownedShared = nil
			changed = true
		}
	}
	if !changed {
		return
	}
	for i, word := range set {
		for ; word != 0; word &= word - 1 {
			m.owner[i<<6+bits.TrailingZeros64(word)] = number
		}
	}
	m.ownerShared = nil
	m.changed.view, m.changed.claims = true, true
}

// setOverride makes owner (zero: nobody) own slot here until the records agree
// or overrideTime has passed.
func (m *Machine) setOverride(slot slots.Slot, owner ID) {
	m.clearOverride(slot)
	m.overrides = append(m.overrides, override{slot, owner, m.now.After(overrideTime)})
	m.reassignOne(slot)
	m.wakeBy(m.now.After(overrideTime))
}

func (m *Machine) clearOverride(slot slots.Slot) {
	for i := range m.overrides {
		if m.overrides[i].slot == slot {
			m.overrides = append(m.overrides[:i], m.overrides[i+1:]...)
			m.reassignOne(slot)
			return
		}
	}
}

// dropOverrides ends the overrides in favour of a node that is forgotten.
func (m *Machine) dropOverrides(owner ID) {
	for i := range m.overrides {
		if m.overrides[i].owner == owner {
			m.overrides[i].until = m.now
		}
	}
	m.expireOverrides()
}

func (m *Machine) reassignOne(slot slots.Slot) {
	var touched slots.Set
	touched.Add(slot)
	m.reassign(&touched)
}

// expireOverrides drops the overrides whose time is over.
func (m *Machine) expireOverrides() {
	var touched slots.Set
	kept := m.overrides[:0]
	for _, o := range m.overrides {
		if m.now < o.until {
			kept = append(kept, o)
			m.wakeBy(o.until)
		} else {
			touched.Add(o.slot)
		}
	}
	m.overrides = kept
	m.reassign(&touched)
}

// settleClaims gives up claims of this node that others have won, closes open
// slots that make no sense any more, and resolves equal config epochs.
func (m *Machine) settleClaims() {
	if m.changed.claims {
		m.changed.claims = false
		m.giveUpLostSlots()
		m.closeSettledSlots()
	}
	m.resolveCollision()
}

func (m *Machine) giveUpLostSlots() {
	own := m.self()
	if !own.IsPrimary() || own.Slots == nil || m.me.superseded {
		return // a superseded primary is demoted as a whole by followShard
	}
	lost := *own.Slots
	lost.Subtract(&m.me.owned)
	var winner *node
	lost.Each(func(slot slots.Slot) bool {
		owner := m.numbers[m.owner[slot]]
		if owner == nil {
			lost.Remove(slot) // only overridden away, DELSLOTS
		}
		if winner == nil {
			winner = owner
		}
		return true
	})
	if lost.Empty() {
		return
	}
	kept := *own.Slots
	kept.Subtract(&lost)
	level := byte('#')
	if m.handedOver(&lost) {
		level = '-' // as the operator wanted; a line for every slot of a reshard is too much
	}
	m.note(level, "lost slots "+lost.String()+" to a greater config epoch of "+winner.id().String())
	m.setClaims(kept)
	if len(m.nodes) <= PushLimit { // a broadcast has room for one record
		m.changed.winners = append(m.changed.winners, m.ownersOf(&lost)...)
	}
	m.do(DropSlots{Slots: lost})
	if kept.Empty() && m.config.AllowReplicaMigration {
		m.becomeReplicaOf(winner)
	}
}

// handedOver reports whether each of set is migrating to the node that owns it.
func (m *Machine) handedOver(set *slots.Set) bool {
	n := 0
	for _, o := range m.migrating {
		if owner := m.numbers[m.owner[o.Slot]]; set.Has(o.Slot) && owner != nil && owner.id() == o.Peer {
			n++
		}
	}
	return n == set.Len()
}

// setClaims replaces the slots this node claims.
func (m *Machine) setClaims(claims slots.Set) {
	m.amend(true, func(r *Record) {
		r.Slots = nil
		if !claims.Empty() {
			r.Slots = &claims
		}
	})
}

func (m *Machine) closeSettledSlots() {
	if !m.self().IsPrimary() {
		m.migrating, m.importing = nil, nil
		return
	}
	m.migrating = keepOpen(m.migrating, func(o OpenSlot) bool {
		return m.owner[o.Slot] == m.me.num || m.owner[o.Slot] == 0
	})
}

func keepOpen(open []OpenSlot, keep func(OpenSlot) bool) []OpenSlot {
	kept := open[:0:0]
	for _, o := range open {
		if keep(o) {
			kept = append(kept, o)
		}
	}
	return kept
}

// resolveCollision bumps this node's config epoch when another primary has the
// same one and the greater id. Redis 7.0, clusterHandleConfigEpochCollision.
// The bump waits a random moment: of many nodes that start with epoch 0 a few
// act at a time.
func (m *Machine) resolveCollision() {
	own := m.self()
	if !own.IsPrimary() || !m.collides() {
		m.bumpAt = 0
		return
	}
	if m.bumpAt == 0 {
		m.bumpAt = m.now.After(Duration(m.random.Below(int64(len(m.nodes))*5 + 1)))
	}
	if m.now < m.bumpAt {
		m.wakeBy(m.bumpAt)
		return
	}
	m.bumpAt = 0
	m.currentEpoch++
	m.note('-', "config epoch collision: bumped my own")
	m.amend(true, func(r *Record) { r.ConfigEpoch = m.currentEpoch })
}

func (m *Machine) collides() bool {
	own := m.self()
	for _, n := range m.nodes {
		if n != m.me && n.record.IsPrimary() && n.record.ConfigEpoch == own.ConfigEpoch &&
			own.ID.Less(n.id()) && n.record.Shard != own.Shard {
			return true
		}
	}
	return false
}

// bumpEpoch raises this node's config epoch above all others, if it is not
// already the greatest, and reports whether it did.
func (m *Machine) bumpEpoch() bool {
	greatest := m.currentEpoch
	for _, n := range m.nodes {
		greatest = max(greatest, n.record.ConfigEpoch)
	}
	own := m.self().ConfigEpoch
	if own != 0 && own == greatest {
		return false
	}
	m.currentEpoch = greatest + 1
	m.amend(true, func(r *Record) { r.ConfigEpoch = m.currentEpoch })
	return true
}
