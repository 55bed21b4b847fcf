package sim

import "cobble/cluster"

// Restarts kills primaries and starts them again, where it is known that the process is
// gone and where it is not, cut off from the others from the start, a moment later, or not
// at all. The network is good but for that. Who was replaced takes no write.
func Restarts(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	r := cluster.NewRandom(seed ^ 0x72657374)
	timeout := []int64{1000, 2000, 5000, 15_000, 15_000}[r.Below(5)]
	primaries := 1 + int(r.Below(3))
	replicas := primaries * (1 + int(r.Below(2)))
	w := New(seed, max(primaries+replicas, 3), mutation, func(c *cluster.Config) { c.NodeTimeout = cluster.Duration(timeout) })
	w.trace = trace
	w.StartWrites()
	if why := w.Create(primaries, max(replicas, 3-primaries)); why != "" {
		w.fail("create: %s", why)
		return w
	}
	w.Run(2 * timeout)
	w.leases = true
	for range 3 {
		w.Run(r.Below(timeout))
		h := w.Hosts[r.Below(int64(len(w.Hosts)))]
		if r.Below(3) == 0 {
			w.isolate(h) // nothing refuses: its host is gone, too
		}
		h.crash(w)
		w.Run([]int64{r.Below(100), r.Below(timeout), r.Below(2 * timeout)}[r.Below(3)])
		w.Heal()
		if alone := r.Below(3); alone > 0 {
			w.After(r.Below(20)*(alone-1), func(w *World) { w.isolate(h) })
			w.Run(0)
		}
		h.start(w)
		w.Run(timeout + r.Below(2000))
		w.Heal()
		if !w.RunUntil(4*timeout+20_000, w.settled) {
			w.fail("not settled after a restart: %s", w.unsettled())
			return w
		}
	}
	return w
}

func (w *World) isolate(h *Host) {
	for _, o := range w.Hosts {
		w.Cut(h.index, o.index, true)
	}
}

// drillStartAlone: a primary that was replaced is started again where nobody answers it.
// It takes no write, however long that lasts.
func drillStartAlone(w *World) {
	old := w.Hosts[0]
	w.leases = true
	old.crash(w)
	if !w.RunUntil(5000, func() bool { return w.leaderOf(old) != nil }) {
		w.fail("nobody replaced n0")
		return
	}
	w.isolate(old)
	old.start(w)
	w.Run(20_000)
	w.Heal()
	if !w.RunUntil(10_000, w.settled) {
		w.fail("not settled after a start in isolation: %s", w.unsettled())
	}
}
