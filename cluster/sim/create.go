package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// Create does to fresh hosts what redis-cli --cluster create does: the first
// primaries hosts share the slots, the next replicas hosts get one primary
// each in turn. It returns what went wrong, or nothing.
func (w *World) Create(primaries, replicas int) string {
	w.plant(0, primaries, replicas, slots.Range{First: 0, Last: slots.Count - 1})
	if !w.RunUntil(20000, w.agree) {
		return "no agreement after MEET: " + w.disagreement()
	}
	w.attach(0, primaries, replicas)
	w.Run(5)
	if !w.RunUntil(20000, w.settled) {
		return "not settled after REPLICATE: " + w.unsettled()
	}
	return ""
}

// plant gives the slots of r to hosts from first on and makes them and as many
// more hosts meet the first.
func (w *World) plant(first, primaries, replicas int, r slots.Range) {
	count := int(r.Last-r.First) + 1
	for i := range primaries {
		var set slots.Set
		set.AddRange(slots.Range{
			First: r.First + slots.Slot(count*i/primaries), Last: r.First + slots.Slot(count*(i+1)/primaries-1),
		})
		w.Do(first+i, cluster.AddSlots{Slots: set})
		w.Run(1)
	}
	for i := range primaries + replicas {
		w.Do(first+i, cluster.SetConfigEpoch{Epoch: int64(first + i + 1)})
	}
	w.Run(5)
	for i := 1; i < primaries+replicas; i++ {
		w.Do(first+i, cluster.Meet{Addr: hostAddr(first)})
	}
}

// attach makes replicas of the hosts behind the primaries.
func (w *World) attach(first, primaries, replicas int) {
	for i := range replicas {
		w.Do(first+primaries+i, cluster.Replicate{ID: w.Hosts[first+i%primaries].id()})
	}
}
