package sim

import "cobble/cluster"

// drillFrozenSet: once an elector gave its registers to the next set, the old
// set decides nothing any more. Two of three electors, b and e, never hear that
// e was replaced by x: b but for the question to copy its registers, e not at
// all. Then both halves elect a primary.
func drillFrozenSet(w *World) {
	old := w.Hosts[0].view.Electors
	var members, others []*Host
	for _, h := range w.Hosts {
		if _, is := old.Has(h.id()); is {
			members = append(members, h)
		} else {
			others = append(others, h)
		}
	}
	if len(members) != 3 || len(others) != 1 {
		w.fail("%d of 4 nodes are electors", len(members))
		return
	}
	if members[0].primary { // the one that is cut off is a replica
		members[0], members[2] = members[2], members[0]
	}
	e, b, a, x := members[0], members[1], members[2], others[0]
	for _, h := range w.Hosts {
		w.Cut(e.index, h.index, true)
	}
	w.lose = func(from, to *Host, body cluster.Body) bool {
		if from == b {
			return changesElectors(body)
		}
		return to == b && tellsElectors(body)
	}
	serves := func(h *Host) bool {
		for _, d := range h.machine.Acceptor().Domains {
			if d.Cluster == old.Cluster && d.Electors.Ver > old.Ver && d.Complete == d.Electors.Ver {
				return true
			}
		}
		return false
	}
	if !w.RunUntil(20_000, func() bool { return serves(a) && serves(x) }) {
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
