package cluster

import (
	"strconv"

	"cobble/slots"
)

var ok = Result{Text: "OK"}

func unknownNode(id ID) Result { return Result{Err: "ERR Unknown node " + id.String()} }

func addrText(addr Addr) string { return addr.IP + ":" + strconv.Itoa(int(addr.Port)) }

// command executes a CLUSTER subcommand. The order of the checks and the
// texts are those of redis-server 7.0, clusterCommand.
func (m *Machine) command(e Command) {
	var result Result
	switch c := e.Do.(type) {
	case Meet:
		result = m.meet(c.Addr)
	case Forget:
		result = m.forget(c.ID)
	case Reset:
		m.resetCommand(e.Number, c)
		return
	case AddSlots:
		result = m.addSlots(c.Slots)
	case DelSlots:
		result = m.delSlots(c.Slots)
	case FlushSlots:
		result = m.flushSlots(c)
	case SetSlotMigrating:
		result = m.setSlotMigrating(c)
	case SetSlotImporting:
		result = m.setSlotImporting(c)
	case SetSlotStable:
		result = m.setSlotStable(c)
	case SetSlotNode:
		result = m.setSlotNode(c)
	case Replicate:
		result = m.replicate(c)
	case Failover:
		result = m.manualFailover(c.Mode)
	case SetConfigEpoch:
		result = m.setConfigEpoch(c.Epoch)
	case BumpEpoch:
		result = m.bumpEpochCommand()
	case SaveConfig:
		m.changed.own, m.changed.sync = true, true
		result = ok
	}
	m.reply(e.Number, result)
}

func (m *Machine) reply(number uint64, result Result) {
	m.doDurably(Reply{Command: number, Result: result})
}

func (m *Machine) addSlots(wanted slots.Set) Result {
	var busy Result
	wanted.Each(func(slot slots.Slot) bool {
		if m.owner[slot] != 0 {
			busy.Err = "ERR Slot " + strconv.Itoa(int(slot)) + " is already busy"
		}
		return busy.Err == ""
	})
	if busy.Err != "" {
		return busy
	}
	if !m.self().IsPrimary() {
		return Result{Err: "ERR Please use ADDSLOTS only with masters."}
	}
	m.importing = keepOpen(m.importing, func(o OpenSlot) bool { return !wanted.Has(o.Slot) })
	var claims slots.Set
	if m.self().Slots != nil {
		claims = *m.self().Slots
	}
	claims.Union(&wanted)
	wasOverridden := m.overridesIn(&wanted)
	m.setClaims(claims)
	for _, slot := range wasOverridden {
		m.setOverride(slot, m.id())
	}
	return ok
}

// overridesIn returns the slots of set that the operator unbound by hand.
func (m *Machine) overridesIn(set *slots.Set) []slots.Slot {
	var found []slots.Slot
	for _, o := range m.overrides {
		if set.Has(o.slot) {
			found = append(found, o.slot)
		}
	}
	return found
}

func (m *Machine) delSlots(unwanted slots.Set) Result {
	var free Result
	unwanted.Each(func(slot slots.Slot) bool {
		if m.owner[slot] == 0 {
			free.Err = "ERR Slot " + strconv.Itoa(int(slot)) + " is already unassigned"
		}
		return free.Err == ""
	})
	if free.Err != "" {
		return free
	}
	m.releaseSlots(unwanted)
	unwanted.Each(func(slot slots.Slot) bool {
		if m.owner[slot] != 0 {
			m.setOverride(slot, ID{})
		}
		return true
	})
	return ok
}

// releaseSlots takes the claims on unwanted out of the own record.
func (m *Machine) releaseSlots(unwanted slots.Set) {
	m.migrating = keepOpen(m.migrating, func(o OpenSlot) bool { return !unwanted.Has(o.Slot) })
	own := m.self().Slots
	if own == nil || !own.Intersects(&unwanted) {
		return
	}
	kept := *own
	kept.Subtract(&unwanted)
	m.setClaims(kept)
}

func (m *Machine) flushSlots(c FlushSlots) Result {
	if c.HasKeys {
		return Result{Err: "ERR DB must be empty to perform CLUSTER FLUSHSLOTS."}
	}
	if m.self().IsPrimary() && m.self().Slots != nil {
		m.releaseSlots(*m.self().Slots)
	}
	return ok
}

var onlyMasters = Result{Err: "ERR Please use SETSLOT only with masters."}

func (m *Machine) setSlotMigrating(c SetSlotMigrating) Result {
	if !m.self().IsPrimary() {
		return onlyMasters
	}
	if m.owner[c.Slot] != m.me.num {
		return Result{Err: "ERR I'm not the owner of hash slot " + strconv.Itoa(int(c.Slot))}
	}
	n := m.find(c.To)
	if n == nil {
		return Result{Err: "ERR I don't know about node " + c.To.String()}
	}
	if !n.record.IsPrimary() {
		return Result{Err: "ERR Target node is not a master"}
	}
	m.migrating = setOpen(m.migrating, c.Slot, c.To)
	m.saveOpen()
	return ok
}

func (m *Machine) setSlotImporting(c SetSlotImporting) Result {
	if !m.self().IsPrimary() {
		return onlyMasters
	}
	if m.owner[c.Slot] == m.me.num {
		return Result{Err: "ERR I'm already the owner of hash slot " + strconv.Itoa(int(c.Slot))}
	}
	n := m.find(c.From)
	if n == nil {
		return Result{Err: "ERR I don't know about node " + c.From.String()}
	}
	if !n.record.IsPrimary() {
		return Result{Err: "ERR Target node is not a master"}
	}
	m.importing = setOpen(m.importing, c.Slot, c.From)
	m.saveOpen()
	return ok
}

func (m *Machine) setSlotStable(c SetSlotStable) Result {
	if !m.self().IsPrimary() {
		return onlyMasters
	}
	not := func(o OpenSlot) bool { return o.Slot != c.Slot }
	m.migrating = keepOpen(m.migrating, not)
	m.importing = keepOpen(m.importing, not)
	m.saveOpen()
	return ok
}

// saveOpen persists the open slots, which stand in no record.
func (m *Machine) saveOpen() { m.changed.view, m.changed.table, m.changed.local = true, true, true }

// setOpen returns open with slot set to peer.
func setOpen(open []OpenSlot, slot slots.Slot, peer ID) []OpenSlot {
	var out []OpenSlot
	placed := false
	for _, o := range open {
		if !placed && o.Slot >= slot {
			out = append(out, OpenSlot{slot, peer})
			placed = true
		}
		if o.Slot != slot {
			out = append(out, o)
		}
	}
	if !placed {
		out = append(out, OpenSlot{slot, peer})
	}
	return out
}

func (m *Machine) setSlotNode(c SetSlotNode) Result {
	if !m.self().IsPrimary() {
		return onlyMasters
	}
	n := m.find(c.ID)
	if n == nil {
		return unknownNode(c.ID)
	}
	if !n.record.IsPrimary() {
		return Result{Err: "ERR Target node is not a master"}
	}
	mine := m.owner[c.Slot] == m.me.num
	if mine && n != m.me && c.Keys != 0 {
		return Result{Err: "ERR Can't assign hashslot " + strconv.Itoa(int(c.Slot)) +
			" to a different node while I still hold keys for this hash slot."}
	}
	if n == m.me {
		m.takeSlot(c.Slot)
		return ok
	}
	if mine && c.Keys == 0 {
		m.migrating = keepOpen(m.migrating, func(o OpenSlot) bool { return o.Slot != c.Slot })
	}
	var one slots.Set
	one.Add(c.Slot)
	m.releaseSlots(one)
	m.saveOpen()
	if m.owner[c.Slot] != n.num {
		m.setOverride(c.Slot, n.id())
	}
	if mine && m.me.ownedCount == 0 && m.self().Slots == nil && m.config.AllowReplicaMigration {
		m.becomeReplicaOf(n) // a primary that gave its last slot away serves the taker
	}
	return ok
}

// takeSlot claims a slot for this node. If it was being imported, the claim
// gets an epoch that beats the source's.
func (m *Machine) takeSlot(slot slots.Slot) {
	_, importing := openSlot(m.importing, slot)
	if importing {
		m.importing = keepOpen(m.importing, func(o OpenSlot) bool { return o.Slot != slot })
		if m.bumpEpoch() {
			m.note('*', "configEpoch updated after importing slot "+strconv.Itoa(int(slot)))
		}
		m.saveOpen()
	}
	var claims slots.Set
	if m.self().Slots != nil {
		claims = *m.self().Slots
	}
	if !claims.Has(slot) {
		claims.Add(slot)
		m.clearOverride(slot)
		m.setClaims(claims)
	}
	if m.owner[slot] != m.me.num {
		m.setOverride(slot, m.id())
	}
}

func (m *Machine) replicate(c Replicate) Result {
	n := m.find(c.ID)
	switch {
	case n == nil:
		return unknownNode(c.ID)
	case n == m.me:
		return Result{Err: "ERR Can't replicate myself"}
	case !n.record.IsPrimary():
		return Result{Err: "ERR I can only replicate a master, not a replica."}
	case m.self().IsPrimary() && (c.HasKeys || m.self().Slots != nil):
		return Result{Err: "ERR To set a master the node must be empty and without assigned slots."}
	}
	m.becomeReplicaOf(n)
	return ok
}

func (m *Machine) setConfigEpoch(epoch int64) Result {
	switch {
	case epoch < 0:
		return Result{Err: "ERR Invalid config epoch specified: " + strconv.FormatInt(epoch, 10)}
	case len(m.nodes) > 1:
		return Result{Err: "ERR The user can assign a config epoch only when the node does not know any other node."}
	case m.self().ConfigEpoch != 0:
		return Result{Err: "ERR Node config epoch is already non-zero"}
	}
	m.currentEpoch = max(m.currentEpoch, uint64(epoch))
	m.amend(true, func(r *Record) { r.ConfigEpoch = uint64(epoch) })
	return ok
}

func (m *Machine) bumpEpochCommand() Result {
	word := "STILL "
	if m.bumpEpoch() {
		word = "BUMPED "
	}
	return Result{Text: word + strconv.FormatUint(m.self().ConfigEpoch, 10)}
}
