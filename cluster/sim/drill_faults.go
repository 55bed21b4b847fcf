package sim

import "cobble/cluster"

// drillFrozenSet: once an elector gave its registers to the next set, the old
// set decides nothing any more. Two of three electors, b and e, never hear that
// e was replaced by x: b but for the question to copy its registers, e not at
// all. Then both halves elect a primary.
func drillFrozenSet(w *World) {
	old := w.Hosts[0].view.Electors
	members, x := w.electorsOfFour()
	if x == nil {
		return
	}
	e, b, a := members[0], members[1], members[2]
	for _, h := range w.Hosts {
		w.Cut(e.index, h.index, true)
	}
	w.lose = func(from, to *Host, body cluster.Body) bool {
		if from == b {
			return changesElectors(body)
		}
		return to == b && tellsElectors(body)
	}
	if !w.RunUntil(20_000, func() bool { return a.serves(old, 1) && x.serves(old, 1) }) {
		w.fail("an elector that is gone is not replaced: %s", w.unsettled())
		return
	}
	w.Heal()
	for _, old := range []*Host{b, e} {
		w.Cut(old.index, a.index, true)
		w.Cut(old.index, x.index, true)
	}
	for range 20 {
		for _, h := range w.Hosts {
			if !h.primary {
				w.Do(h.index, cluster.Failover{Mode: cluster.FailoverForce})
			}
		}
		w.Run(200)
	}
	w.Heal()
	w.lose = nil
	if !w.RunUntil(30_000, w.settled) {
		w.fail("not settled after healing: %s", w.unsettled())
	}
}

// electorsOfFour returns the three electors of four hosts, none but the last two
// being the primary, and the host that is none.
func (w *World) electorsOfFour() (members []*Host, other *Host) {
	set := w.Hosts[0].view.Electors
	for _, h := range w.Hosts {
		if _, is := set.Has(h.id()); is {
			members = append(members, h)
		} else {
			other = h
		}
	}
	if len(members) != 3 || len(w.Hosts) != 4 {
		w.fail("%d of %d nodes are electors", len(members), len(w.Hosts))
		return nil, nil
	}
	if members[0].primary {
		members[0], members[2] = members[2], members[0]
	}
	return members, other
}

// serves reports whether h is an elector of a set that follows old, and has the
// registers of all sets up to behind versions back.
func (h *Host) serves(old *cluster.Electors, behind uint64) bool {
	for _, d := range h.machine.Acceptor().Domains {
		if _, is := d.Electors.Has(h.id()); is && d.Cluster == old.Cluster && d.Electors.Ver > old.Ver && d.Complete+behind > d.Electors.Ver {
			return true
		}
	}
	return false
}

// changesElectors reports whether body proposes an elector set.
func changesElectors(body cluster.Body) bool {
	switch body := body.(type) {
	case cluster.Prepare:
		return body.Key.IsZero()
	case cluster.Accept:
		return body.Key.IsZero()
	}
	return false
}

// tellsElectors reports whether the next elector set can be learned from body,
// other than by the question to copy registers into it.
func tellsElectors(body cluster.Body) bool {
	switch body := body.(type) {
	case cluster.Records, cluster.HelloOK, cluster.Digest, cluster.Fetch, cluster.Refused, cluster.ReadOK:
		return true
	case cluster.Committed:
		return body.Electors != nil
	}
	return false
}

// drillMembers: a node that was seen in the table, and a FORGET that was
// confirmed, outlive a crash at that very moment.
func drillMembers(w *World) {
	h, id := w.Hosts[2], w.Hosts[1].id()
	alone := func() {
		for _, o := range w.Hosts {
			w.Cut(h.index, o.index, true)
		}
	}
	know := func() bool { return h.view.Node(id) != nil }
	restart := func() {
		alone() // nobody reminds it
		h.crash(w)
		w.Run(50)
		h.start(w)
		w.Run(300)
	}
	forgotten := w.Do(h.index, cluster.Forget{ID: id})
	if !w.RunUntil(1000, func() bool { return w.succeeded(forgotten) }) {
		w.fail("FORGET does not answer")
		return
	}
	restart()
	if know() {
		w.fail("n%d knows the node again that it had forgotten", h.index)
		return
	}
	w.Heal()
	w.Do(h.index, cluster.Meet{Addr: hostAddr(1)})
	if !w.RunUntil(5000, know) {
		w.fail("MEET comes to nothing")
		return
	}
	restart()
	if !know() {
		w.fail("n%d has forgotten a node that it had met", h.index)
	}
	w.Heal()
}

// drillUnheardElection: CLUSTER FAILOVER is decided, but neither the replica nor
// its primary hears of it. When the time is over the primary may not go on as if
// nothing had been.
func drillUnheardElection(w *World) {
	replica, primary := w.Hosts[2], w.Hosts[0]
	w.lose = func(from, to *Host, body cluster.Body) bool {
		switch body.(type) {
		case cluster.Accepted, cluster.Committed:
			return to == replica
		case cluster.Read:
			return from == primary // it does not look by chance
		}
		return false
	}
	w.Do(replica.index, cluster.Failover{})
	led := func() bool { return !primary.primary && replica.primary }
	if !w.RunUntil(9000, func() bool { return !primary.primary }) {
		w.fail("n0 does not learn that it was replaced")
		return
	}
	w.lose = nil
	if !w.RunUntil(10_000, func() bool { return led() && w.settled() }) {
		w.fail("not settled after an election that nobody heard of: %s", w.unsettled())
	}
}

// drillUncopied: an elector of a new set serves only when it has the registers
// of the old one. Electors b and e make e the primary, which a and x do not hear;
// e dies, x takes its place as elector, and nobody answers those two about the
// registers.
func drillUncopied(w *World) {
	old := w.Hosts[0].view.Electors
	members, x := w.electorsOfFour()
	if x == nil {
		return
	}
	e, b, a := members[0], members[1], members[2]
	for _, o := range []*Host{b, e} {
		w.Cut(o.index, a.index, true)
		w.Cut(o.index, x.index, true)
	}
	w.Do(e.index, cluster.Failover{Mode: cluster.FailoverForce})
	if !w.RunUntil(500, func() bool { return e.primary }) {
		w.fail("two of three electors elect nobody")
		return
	}
	e.crash(w)
	w.Heal()
	w.lose = func(from, to *Host, body cluster.Body) bool {
		switch body.(type) {
		case cluster.CopyOK:
			return true
		case cluster.Verify, cluster.Report, cluster.Fail:
			return false
		}
		return (from == b) != (to == b) && !votesOnElectors(body)
	}
	if !w.RunUntil(20_000, func() bool { return a.serves(old, 2) && x.serves(old, 1_000) }) {
		w.fail("an elector that is gone is not replaced: %s", w.unsettled())
		return
	}
	for range 20 {
		for _, h := range []*Host{a, x} {
			if !h.primary {
				w.Do(h.index, cluster.Failover{Mode: cluster.FailoverForce})
			}
		}
		w.Run(200)
	}
	w.lose = nil
	e.start(w)
	if !w.RunUntil(30_000, w.settled) {
		w.fail("not settled after healing: %s", w.unsettled())
	}
}

// votesOnElectors reports whether body belongs to a change of the elector set.
func votesOnElectors(body cluster.Body) bool {
	switch body := body.(type) {
	case cluster.Promise:
		return body.Register.Key.IsZero()
	case cluster.Accepted:
		return body.Key.IsZero()
	case cluster.Committed:
		return body.Config == nil
	}
	return changesElectors(body)
}

// drillLeftBehind: two of three electors lose their memory while x is away, and
// the rest found a new cluster with three electors. When x is back it has to join
// that one, whichever of the two ids is the smaller.
func drillLeftBehind(w *World) {
	members, x := w.electorsOfFour()
	if x == nil {
		return
	}
	old := x.view.Cluster
	for _, h := range w.Hosts {
		w.Cut(x.index, h.index, true)
	}
	for _, h := range members[:2] {
		h.crash(w)
		h.durable.acceptor = nil
	}
	w.Run(100)
	for _, h := range members[:2] {
		h.revive(w)
	}
	founded := func() bool {
		for _, h := range members {
			if e := h.view.Electors; h.view.Cluster == old || e == nil || e.Cluster != h.view.Cluster || len(e.Members) < 3 {
				return false
			}
		}
		return true
	}
	if !w.RunUntil(40_000, founded) {
		w.fail("no new cluster is founded: %s", w.unsettled())
		return
	}
	w.Heal()
	if !w.RunUntil(40_000, w.settled) {
		w.fail("n%d is left behind: %s", x.index, w.unsettled())
	}
}

// drillStranded: two of three electors of a new set cannot copy the registers
// before a majority of the old set has lost its memory. They know, the others
// count them still; in a set of one, only the two know. A cluster is founded
// once, with registers that serve.
func drillStranded(w *World) {
	members, x := w.electorsOfFour()
	if x == nil {
		return
	}
	e, b, a := members[0], members[1], members[2]
	old := x.view.Electors
	w.lose = func(from, to *Host, body cluster.Body) bool {
		_, copy := body.(cluster.CopyOK)
		return copy && to != a
	}
	e.crash(w)
	next := func() bool { return a.serves(old, 1) && b.serves(old, 1_000) && x.serves(old, 1_000) }
	if !w.RunUntil(20_000, next) {
		w.fail("an elector that is gone is not replaced: %s", w.unsettled())
		return
	}
	a.crash(w)
	for _, h := range []*Host{a, e} {
		h.durable.acceptor = nil
	}
	w.Run(100)
	a.revive(w)
	e.revive(w)
	w.lose = nil
	founded := func() bool {
		for _, h := range w.Hosts {
			if v := h.view; v.Cluster == old.Cluster || v.Electors == nil || len(v.Electors.Members) < 3 {
				return false
			}
		}
		return w.settled()
	}
	if !w.RunUntil(30_000, founded) {
		w.fail("no new cluster is founded: %s", w.unsettled())
		return
	}
	w.Run(5_000)
	if !founded() {
		w.fail("the new cluster did not last: %s", w.unsettled())
		return
	}
	w.checkWhole()
	w.checkFailover()
}

// drillLateRecord: a primary learns that it was replaced before it hears the
// winner itself, which has taken another slot by then.
func drillLateRecord(w *World) {
	primary, other, replica := w.Hosts[0], w.Hosts[1], w.Hosts[2]
	slot, _ := other.view.Myself().Slots.Next(0)
	for _, h := range w.Hosts {
		w.Cut(primary.index, h.index, true)
	}
	w.Do(replica.index, cluster.Failover{Mode: cluster.FailoverForce})
	if !w.RunUntil(5000, func() bool { return replica.primary }) {
		w.fail("nobody replaced n0: %s", w.unsettled())
		return
	}
	w.Run(100)
	w.move(slot, other, replica)
	if !w.RunUntil(1000, func() bool { return !other.view.Myself().Slots.Has(slot) }) {
		w.fail("slot %d does not move", slot)
		return
	}
	w.lose = func(from, to *Host, body cluster.Body) bool {
		switch body.(type) {
		case cluster.Records, cluster.HelloOK:
			return to == primary
		}
		return false
	}
	w.Heal()
	if !w.RunUntil(5000, func() bool { return !primary.primary }) {
		w.fail("n0 does not learn from the register that it was replaced")
		return
	}
	w.lose = nil
	if !w.RunUntil(10_000, w.settled) {
		w.fail("not settled: %s", w.unsettled())
	}
}

// drillStaleClaims: a replica that missed that a slot of its primary was taken is told to
// take over. The electors refuse what it claims and say why; with that it wins.
func drillStaleClaims(w *World) {
	primary, replica := w.Hosts[0], w.Hosts[2]
	slot, _ := primary.view.Myself().Slots.Next(0)
	w.lose = func(from, to *Host, body cluster.Body) bool {
		switch body.(type) {
		case cluster.Promise, cluster.Accepted, cluster.Refused, cluster.Committed, cluster.ManualOffset:
			return false
		}
		return to == replica
	}
	w.Do(1, cluster.SetSlotImporting{Slot: slot, From: primary.id()})
	w.Do(1, cluster.SetSlotNode{Slot: slot, ID: w.Hosts[1].id()})
	w.Run(200)
	if owner := replica.view.Owner(slot); owner == nil || owner.ID != primary.id() {
		return // it heard of it all the same
	}
	w.Do(replica.index, cluster.Failover{})
	if !w.RunUntil(4000, func() bool { return replica.primary }) {
		w.fail("n2 does not get beyond claims that have moved on")
		return
	}
	w.lose = nil
	if !w.RunUntil(10_000, w.settled) {
		w.fail("not settled after a candidacy with stale claims: %s", w.unsettled())
	}
}
