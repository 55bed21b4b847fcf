package sim

import "cobble/cluster"

// Pauses stops processes and lets them go on with what they believed before:
// primaries for longer or shorter than it takes to replace them, others for a
// moment. The network is good, clocks run at slightly different speed. A replica
// wins only when the lease of its primary is over (checkLeases).
func Pauses(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	r := cluster.NewRandom(seed ^ 0x70617573)
	timeout := []int64{300, 1000, 2000, 5000, 15_000, 15_000}[r.Below(6)]
	primaries := 1 + int(r.Below(3))
	replicas := primaries * (1 + int(r.Below(2)))
	w := New(seed, max(primaries+replicas, 3), mutation, func(c *cluster.Config) { c.NodeTimeout = cluster.Duration(timeout) })
	w.trace = trace
	for _, h := range w.Hosts {
		h.rate = 990 + r.Below(21)
		h.offset = r.Below(100_000)
		h.restartClock(w)
	}
	w.StartWrites()
	if why := w.Create(primaries, max(replicas, 3-primaries)); why != "" {
		w.fail("create: %s", why)
		return w
	}
	w.Run(2 * timeout)
	w.leases = true
	for range 4 {
		w.Run(r.Below(timeout))
		for _, h := range w.Hosts {
			switch {
			case h.primary && r.Below(int64(primaries)) == 0:
				w.stop(h, pause(&r, timeout))
			case r.Below(4) == 0:
				w.stop(h, r.Below(timeout/2))
			}
			w.Run(r.Below(timeout / 20))
		}
		w.Run(2*timeout + 3000)
		if !w.RunUntil(4*timeout+20_000, w.settled) {
			w.fail("not settled after pauses: %s", w.unsettled())
			return w
		}
	}
	return w
}

// pause is a moment, about as long as it takes until a replica stands, or longer.
func pause(r *cluster.Random, timeout int64) int64 {
	switch r.Below(4) {
	case 0:
		return r.Below(timeout)
	case 1, 2:
		return timeout*9/10 + r.Below(timeout/10+1500)
	}
	return 2*timeout + r.Below(3000)
}

// stop pauses a host's process for ms milliseconds.
func (w *World) stop(h *Host, ms int64) { h.pausedUntil = w.now + ms*1000 }

// drillVerdict: a primary that was failed while it was stopped is back before its
// replica has the votes, which take long. It does not serve until that is over.
func drillVerdict(w *World) {
	primary, replica := w.Hosts[0], w.Hosts[2]
	w.leases = true
	w.condemn(primary, replica)
	w.Run(1200)
	w.lose = nil
	if !w.RunUntil(10_000, w.settled) {
		w.fail("not settled after a late election: %s", w.unsettled())
	}
}

// condemn stops primary until replica hears that it was failed, and keeps the votes
// from whoever wants to replace it.
func (w *World) condemn(primary, replica *Host) {
	w.lose = func(from, to *Host, body cluster.Body) bool {
		_, promise := body.(cluster.Promise)
		return promise && to != primary
	}
	for range 100 {
		w.stop(primary, 50)
		w.Run(40)
		if replica.view.Node(primary.id()).Fail {
			return
		}
	}
}
