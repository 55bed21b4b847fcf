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
