package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// Turmoil makes two clusters and a few singletons on a bad network and lets
// forced failovers, meetings, resets and crashes fall on each other: register
// changes race with changes and mergers of the elector sets.
func Turmoil(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	r := cluster.NewRandom(seed ^ 0x7475726d)
	w := New(seed, 6+int(r.Below(3)), mutation, func(c *cluster.Config) { c.RequireFullCoverage = false })
	w.trace = trace
	w.StartWrites()
	w.plant(0, 1, 2, slots.Range{First: 0, Last: 8191})
	w.plant(3, 1, 2, slots.Range{First: 8192, Last: slots.Count - 1})
	w.Run(300)
	w.attach(0, 1, 2)
	w.attach(3, 1, 2)
	w.Run(500 + r.Below(500))
	w.Net.Drop, w.Net.Double, w.Net.MaxDelay = int(r.Below(200)), int(r.Below(50)), 1000+r.Below(30_000)
	for range 20 + r.Below(20) {
		i, o := int(r.Below(int64(len(w.Hosts)))), int(r.Below(int64(len(w.Hosts))))
		switch r.Below(10) {
		case 0, 1, 2, 3, 4:
			w.Do(i, cluster.Failover{Mode: cluster.FailoverForce})
		case 5, 6, 7:
			w.Do(i, cluster.Meet{Addr: hostAddr(o)})
		case 8:
			w.Hosts[i].crash(w)
			w.After(r.Below(1000), func(w *World) { w.Hosts[i].revive(w) })
		case 9:
			if r.Below(3) == 0 {
				w.expel(i)
			}
		}
		w.Run(r.Below(300))
		if len(w.Failures) > 0 {
			return w
		}
	}
	w.recover()
	return w
}

// Rotation lets electors be replaced after a moment of absence, over and over,
// while the same shard's primary changes all the time: what one set decided,
// the next must know.
func Rotation(seed uint64, mutation cluster.Mutation, trace func(string)) *World {
	r := cluster.NewRandom(seed ^ 0x726f7461)
	w := New(seed, 6, mutation, func(c *cluster.Config) {
		c.RequireFullCoverage, c.NodeTimeout, c.ElectorPatience = false, 300, 50
	})
	w.trace = trace
	w.StartWrites()
	if why := w.Create(1, 5); why != "" {
		w.fail("create: %s", why)
		return w
	}
	w.Run(500)
	w.Net.Drop, w.Net.MaxDelay = int(r.Below(150)), 1000+r.Below(20_000)
	for range 60 {
		i := int(r.Below(int64(len(w.Hosts))))
		h := w.Hosts[i]
		switch r.Below(8) {
		case 0, 1, 2, 3, 4:
			w.Do(i, cluster.Failover{Mode: cluster.FailoverForce})
		case 5:
			h.crash(w)
			w.After(200+r.Below(1000), func(w *World) { h.revive(w) })
		case 6:
			h.pausedUntil = w.now + r.Below(1_500_000)
		case 7:
			for o := range w.Hosts {
				w.Cut(i, o, true)
			}
			w.After(300+r.Below(1000), (*World).Heal)
		}
		w.Run(r.Below(150))
		if len(w.Failures) > 0 {
			return w
		}
	}
	w.recover()
	return w
}
