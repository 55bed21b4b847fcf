package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// Chaos builds a random cluster from seed, hurts it for a while, heals it, and
// returns the world with what its checkers found.
func Chaos(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	return chaos(seed, false, mutation, trace)
}

// Amnesia is Chaos in which electors lose their memory again and again, often a
// majority of them: each time what is left founds a new cluster.
func Amnesia(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	return chaos(seed^0x616d6e65, true, mutation, trace)
}

func chaos(seed uint64, forgetful bool, mutation cluster.Mutation, trace func(string)) *World {
	r := cluster.NewRandom(seed)
	n := 3 + int(r.Below(5))
	w := New(seed, n, mutation, nil)
	w.trace, w.forgetful = trace, forgetful
	for _, h := range w.Hosts {
		h.rate = 900 + r.Below(201)
		h.offset = r.Below(100_000)
		h.restartClock(w)
	}
	w.StartWrites()
	primaries := 1 + int(r.Below(int64(n+1)/2))
	if seed%4 == 3 {
		w.Net.Drop, w.Net.Double, w.Net.MaxDelay = 20, 20, 20_000
	}
	if why := w.Create(primaries, n-primaries); why != "" {
		w.fail("create: %s", why)
		return w
	}
	w.Run(r.Below(1000))
	for range 6 + r.Below(10) {
		w.hurt()
		w.Run(r.Below(1500))
		if len(w.Failures) > 0 {
			return w
		}
	}
	w.recover()
	return w
}

// hurt does one harmful or administrative thing.
func (w *World) hurt() {
	i := int(w.Random.Below(int64(len(w.Hosts))))
	h := w.Hosts[i]
	if w.forgetful && w.Random.Below(5) == 0 {
		w.loseAcceptor(i)
		return
	}
	switch w.Random.Below(16) {
	case 0, 1, 2, 3:
		h.crash(w)
		w.After(w.Random.Below(4000), func(w *World) { h.revive(w) })
	case 4:
		for _, o := range w.Hosts {
			if w.Random.Below(2) == 0 {
				o.crash(w)
			}
		}
		w.After(w.Random.Below(2000), (*World).reviveAll)
	case 5, 6:
		h.pausedUntil = w.now + w.Random.Below(4_000_000)
	case 7:
		w.Cut(i, int(w.Random.Below(int64(len(w.Hosts)))), w.Random.Below(2) == 0)
		w.After(w.Random.Below(4000), (*World).Heal)
	case 8:
		w.partition(int(w.Random.Below(int64(len(w.Hosts)))) + 1)
		w.After(w.Random.Below(5000), (*World).Heal)
	case 9:
		w.Net.Drop, w.Net.Double = int(w.Random.Below(100)), int(w.Random.Below(50))
		w.Net.MaxDelay = 500 + w.Random.Below(50_000)
		w.After(w.Random.Below(3000), (*World).calmDown)
	case 10:
		w.Do(i, cluster.Failover{Mode: cluster.FailoverMode(w.Random.Below(2))})
	case 11:
		w.Do(i, cluster.BumpEpoch{})
	case 12, 13:
		w.moveSlots(i)
	case 14:
		w.expel(i)
	case 15:
		w.loseAcceptor(i)
	}
}

func (w *World) calmDown() { w.Net = calm }

func (w *World) partition(side int) {
	for a := range w.Hosts {
		for b := range w.Hosts {
			if a < side != (b < side) {
				w.Cut(a, b, false)
			}
		}
	}
}

func (w *World) reviveAll() {
	for _, h := range w.Hosts {
		h.revive(w)
	}
}

func (h *Host) revive(w *World) {
	if h.machine == nil {
		h.start(w)
	}
}

// moveSlots moves a few slots from host i to another primary, as redis-cli
// reshard does after the keys are gone: target first, then source.
func (w *World) moveSlots(i int) {
	from := w.Hosts[i]
	if from.machine == nil || from.view.Myself().Slots == nil {
		return
	}
	for _, to := range w.Hosts {
		if to == from || to.machine == nil || !to.primary || w.Random.Below(2) == 0 {
			continue
		}
		slot, _ := from.view.Myself().Slots.Next(0)
		w.move(slot, from, to)
		return
	}
}

func (w *World) move(slot slots.Slot, from, to *Host) {
	source, target := from.id(), to.id()
	a := w.Do(to.index, cluster.SetSlotImporting{Slot: slot, From: source})
	b := w.Do(from.index, cluster.SetSlotMigrating{Slot: slot, To: target})
	w.After(100, func(w *World) {
		if !w.succeeded(a) || !w.succeeded(b) {
			return
		}
		c := w.Do(to.index, cluster.SetSlotNode{Slot: slot, ID: target})
		w.After(50, func(w *World) {
			if w.succeeded(c) {
				w.Do(from.index, cluster.SetSlotNode{Slot: slot, ID: target})
			}
		})
	})
}

func (w *World) succeeded(number uint64) bool {
	r, ok := w.results[number]
	return ok && r.Err == ""
}

// expel does what redis-cli del-node does to a replica, and brings it back
// with MEET and REPLICATE.
func (w *World) expel(i int) {
	h := w.Hosts[i]
	if h.machine == nil || h.primary {
		return
	}
	primary := h.of
	for _, o := range w.Hosts {
		if o != h {
			w.Do(o.index, cluster.Forget{ID: h.id()})
		}
	}
	w.After(20, func(w *World) {
		w.Do(i, cluster.Reset{Hard: w.Random.Below(2) == 0, HasKeys: true})
		w.After(200+w.Random.Below(1000), func(w *World) {
			w.Do(i, cluster.Meet{Addr: hostAddr((i + 1) % len(w.Hosts))})
			w.After(1000, func(w *World) { w.Do(i, cluster.Replicate{ID: primary}) })
		})
	})
}

// loseAcceptor restarts host i without its acceptor file, one host in a world
// that is not forgetful.
func (w *World) loseAcceptor(i int) {
	h := w.Hosts[i]
	if v := h.view; v.Electors == nil || len(v.Electors.Members) < 3 || w.amnesia && !w.forgetful {
		return
	}
	w.amnesia = true
	h.crash(w)
	h.durable.acceptor = nil
	w.After(100, func(w *World) { h.revive(w) })
}

// recover heals everything and checks that the cluster becomes whole.
func (w *World) recover() {
	w.Heal()
	w.calmDown()
	w.Run(12_000) // what was scheduled runs out, a RESET that waits for others to take over, too
	w.Heal()
	w.calmDown()
	w.reviveAll()
	for _, h := range w.Hosts {
		h.pausedUntil = 0
	}
	// A FORGET that missed a host that was down, and bans of a minute, make
	// different tables that only an operator can mend.
	for range 40 {
		if w.RunUntil(3_000, w.agree) {
			break
		}
		w.tidy()
	}
	if !w.agree() {
		w.fail("no agreement after healing: %s", w.disagreement())
		return
	}
	w.adopt()
	if !w.RunUntil(30_000, w.settled) {
		w.fail("not settled after healing: %s", w.unsettled())
		return
	}
	w.Run(8000) // time enough to refound a cluster whose elector was forgotten just now
	if !w.RunUntil(10_000, w.settled) {
		w.fail("did not stay settled: %s", w.unsettled())
		return
	}
	w.checkWhole()
	w.checkFailover()
}

// tidy does what an operator would: forget nodes that exist no more, meet
// those that are missing.
func (w *World) tidy() {
	real := map[cluster.ID]bool{}
	for _, h := range w.Hosts {
		real[h.id()] = true
	}
	for _, h := range w.Hosts {
		for i := range h.view.Nodes {
			if n := &h.view.Nodes[i]; !real[n.ID] && !n.Handshake {
				w.Do(h.index, cluster.Forget{ID: n.ID})
			}
		}
		if me := h.view.Myself(); !me.IsPrimary() && !real[me.Primary] {
			for _, o := range w.Hosts {
				if o.primary && h.view.Node(o.id()) != nil {
					w.Do(h.index, cluster.Replicate{ID: o.id()})
					break
				}
			}
		}
		for _, o := range w.Hosts {
			if h.view.Node(o.id()) == nil {
				w.Do(h.index, cluster.Meet{Addr: hostAddr(o.index)})
			}
		}
	}
}

// adopt gives slots that lost their owner to somebody, as redis-cli fix does.
func (w *World) adopt() {
	first := w.Hosts[0]
	var missing slots.Set
	for slot := range slots.Slot(slots.Count) {
		if first.view.Owner(slot) == nil {
			missing.Add(slot)
		}
	}
	if missing.Empty() {
		return
	}
	for _, h := range w.Hosts {
		if h.primary {
			w.Do(h.index, cluster.AddSlots{Slots: missing})
			return
		}
	}
}

// checkWhole judges a settled cluster: one primary per shard, distinct epochs,
// and registers that say what the records say.
func (w *World) checkWhole() {
	if why := w.unsettled(); why != "" {
		w.fail("did not stay settled: %s", why)
		return
	}
	registers := w.checkers[0].(*registerChecker)
	leaders := map[cluster.ID]cluster.ID{}
	epochs := map[uint64]cluster.ID{}
	for i := range w.Hosts[0].view.Nodes {
		n := &w.Hosts[0].view.Nodes[i]
		if !n.IsPrimary() {
			continue
		}
		if other, is := leaders[n.Shard]; is {
			w.fail("two primaries of shard %v: %v and %v", n.Shard, other, n.ID)
		}
		leaders[n.Shard] = n.ID
		if other, is := epochs[n.ConfigEpoch]; is {
			w.fail("config epoch %d of %v and %v", n.ConfigEpoch, other, n.ID)
		}
		epochs[n.ConfigEpoch] = n.ID
		// What a cluster decided that was founded anew and then dissolved counts no more.
		if config := registers.within[domainKey{w.Hosts[0].view.Cluster, n.Shard}]; config != nil && n.Slots != nil && config.Primary.ID != n.ID {
			w.fail("register of shard %v names %v, its primary is %v", n.Shard, config.Primary.ID, n.ID)
		}
	}
}

// checkFailover kills a primary that has a replica: the replica must replace
// it if a majority of electors lives on.
func (w *World) checkFailover() {
	if len(w.Failures) > 0 {
		return
	}
	for _, h := range w.Hosts {
		if h.primary || !h.log.linkUp {
			continue
		}
		for _, p := range w.Hosts {
			if p.id() != h.of || p.view.Myself().Slots == nil {
				continue
			}
			e := p.view.Electors
			if _, is := e.Has(p.id()); is && len(e.Members) < 3 {
				return
			}
			p.crash(w)
			if !w.RunUntil(10_000, w.settled) {
				w.fail("no failover for n%d: %s", p.index, w.unsettled())
			}
			return
		}
	}
}
