package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// Create does to fresh hosts what redis-cli --cluster create does: the first
// primaries hosts share the slots, the next replicas hosts get one primary
// each in turn. It returns what went wrong, or nothing.
func (w *World) Create(primaries, replicas int) string {
	for i := range primaries {
		var set slots.Set
		set.AddRange(slots.Range{First: slots.Slot(slots.Count * i / primaries), Last: slots.Slot(slots.Count*(i+1)/primaries - 1)})
		w.Do(i, cluster.AddSlots{Slots: set})
		w.Run(1)
	}
	for i := range primaries + replicas {
		w.Do(i, cluster.SetConfigEpoch{Epoch: int64(i + 1)})
	}
	w.Run(5)
	for i := 1; i < primaries+replicas; i++ {
		w.Do(i, cluster.Meet{Addr: hostAddr(0)})
	}
	if !w.RunUntil(20000, w.agree) {
		return "no agreement after MEET: " + w.disagreement()
	}
	for i := range replicas {
		w.Do(primaries+i, cluster.Replicate{ID: w.Hosts[i%primaries].id()})
	}
	w.Run(5)
	if !w.RunUntil(20000, w.settled) {
		return "not settled after REPLICATE: " + w.unsettled()
	}
	return ""
}
