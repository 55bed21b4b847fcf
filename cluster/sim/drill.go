package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// drills are small stories with one right end each.
var drills = []struct {
	primaries, replicas int
	play                func(*World)
	config              func(*cluster.Config)
}{
	{primaries: 2, replicas: 3, play: drillForget},
	{primaries: 2, replicas: 3, play: drillNewestLog},
	{primaries: 2, replicas: 3, play: drillTakenSlot},
	{primaries: 2, replicas: 3, play: drillCrashAfterReply},
	{primaries: 2, replicas: 3, play: drillHandOver},
	{primaries: 1, replicas: 3, play: drillFrozenSet, config: func(c *cluster.Config) { c.ElectorPatience = 50 }},
	{primaries: 2, replicas: 1, play: drillMembers},
	{primaries: 2, replicas: 3, play: drillUnheardElection},
	{primaries: 1, replicas: 3, play: drillLeftBehind},
	{primaries: 1, replicas: 3, play: drillUncopied, config: func(c *cluster.Config) { c.ElectorPatience = 50 }},
	{primaries: 1, replicas: 3, play: drillStranded, config: func(c *cluster.Config) { c.ElectorPatience = 50 }},
	{primaries: 2, replicas: 3, play: drillLateRecord},
	{primaries: 2, replicas: 3, play: drillStaleClaims},
	{primaries: 2, replicas: 3, play: drillVerdict},
	{primaries: 2, replicas: 3, play: drillStartAlone, config: func(c *cluster.Config) { c.NodeTimeout = 15_000 }},
}

// Drill runs one of the drills: seed modulo their number.
func Drill(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	drill := drills[seed%uint64(len(drills))]
	w := New(seed, drill.primaries+drill.replicas, mutation, drill.config)
	w.trace = trace
	w.StartWrites()
	if why := w.Create(drill.primaries, drill.replicas); why != "" {
		w.fail("create: %s", why)
		return w
	}
	w.Run(3000)
	drill.play(w)
	return w
}

// drillForget: a forgotten node stays away though one friend still speaks of it.
func drillForget(w *World) {
	id := w.Hosts[4].id()
	for i := range 3 {
		w.Do(i, cluster.Forget{ID: id})
	}
	w.Run(50)
	for range 20 {
		w.Run(500)
		for i := range 3 {
			if w.Hosts[i].view.Node(id) != nil {
				w.fail("n%d knows the node again that it was told to forget", i)
				return
			}
		}
	}
}

// drillNewestLog: of the replicas, the one with the newest log wins.
func drillNewestLog(w *World) {
	for i := range 2 {
		w.Do(3+i, cluster.Replicate{ID: w.Hosts[0].id()})
	}
	w.Run(2000)
	primary := w.Hosts[0]
	lagging := 2 + int(w.Random.Below(3))
	w.Cut(0, lagging, true)
	w.Run(300)
	var newest uint64
	for _, h := range w.Hosts {
		if h.of == primary.id() {
			newest = max(newest, h.log.offset)
		}
	}
	primary.crash(w)
	if !w.RunUntil(5000, func() bool { return w.leaderOf(primary) != nil }) {
		w.fail("nobody replaced n0")
		return
	}
	if h := w.leaderOf(primary); h.log.offset < newest {
		w.fail("n%d won with log end %d, another replica had %d", h.index, h.log.offset, newest)
	}
}

// leaderOf returns the living host that leads old's shard now.
func (w *World) leaderOf(old *Host) *Host {
	shard := old.view.Myself().Shard
	for _, h := range w.Hosts {
		if h != old && h.machine != nil && h.primary && h.view.Myself().Shard == shard {
			return h
		}
	}
	return nil
}

// drillTakenSlot: a slot taken with a greater epoch belongs to the taker, even
// if the old owner was never told by the operator.
func drillTakenSlot(w *World) {
	slot := slots.Slot(w.Random.Below(slots.Count / 2))
	w.Do(1, cluster.SetSlotImporting{Slot: slot, From: w.Hosts[0].id()})
	w.Do(1, cluster.SetSlotNode{Slot: slot, ID: w.Hosts[1].id()})
	w.Run(3000)
	for _, h := range w.Hosts {
		if owner := h.view.Owner(slot); owner == nil || owner.ID != w.Hosts[1].id() {
			w.fail("n%d does not know who took slot %d", h.index, slot)
			return
		}
	}
}

// drillCrashAfterReply: what was answered with OK outlives a crash.
func drillCrashAfterReply(w *World) {
	h := w.Hosts[1]
	var set slots.Set
	slot, _ := h.view.Myself().Slots.Next(0)
	set.Add(slot)
	released := w.Do(1, cluster.DelSlots{Slots: set})
	if !w.RunUntil(1000, func() bool { return w.succeeded(released) }) {
		w.fail("DELSLOTS does not answer")
		return
	}
	h.crash(w)
	w.Run(50)
	h.start(w)
	if !w.RunUntil(5000, func() bool { return w.disagreement() == "" }) {
		w.fail("no agreement after a restart: %s", w.disagreement())
		return
	}
	if h.view.Owner(slot) != nil {
		w.fail("slot %d is owned again after DELSLOTS was confirmed", slot)
	}
}

// drillHandOver: CLUSTER FAILOVER loses no write, and the old primary always
// knows who owns its slots.
func drillHandOver(w *World) {
	primary, replica := w.Hosts[0], w.Hosts[2]
	slot, _ := primary.view.Myself().Slots.Next(0)
	// What the new primary says of itself is late; that it was chosen is not.
	w.lose = func(from, to *Host, body cluster.Body) bool {
		_, records := body.(cluster.Records)
		return records && from == replica
	}
	w.After(600, func(w *World) { w.lose = nil })
	w.Do(2, cluster.Failover{})
	if !w.RunUntil(4000, func() bool { return replica.primary }) {
		w.fail("CLUSTER FAILOVER does not end: %s", w.unsettled())
		return
	}
	if a, b := primary.log.offset, replica.log.offset; a > b {
		w.fail("the hand-over lost writes: old end %d, new end %d", a, b)
	}
	known := true
	settled := w.RunUntil(5000, func() bool {
		known = known && primary.view.Owner(slot) != nil
		return w.settled()
	})
	switch {
	case !settled:
		w.fail("not settled after a hand-over: %s", w.unsettled())
	case !known:
		w.fail("for a while, n0 does not know who owns slot %d", slot)
	}
}
