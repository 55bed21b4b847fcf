package sim

import (
	"cobble/cluster"
	"cobble/slots"
)

// agree reports whether all living hosts know the same nodes and the same
// owner of every slot.
func (w *World) agree() bool {
	var first *cluster.View
	living := 0
	for _, h := range w.Hosts {
		if h.machine == nil {
			continue
		}
		living++
		if first == nil {
			first = h.view
			continue
		}
		if !sameMap(first, h.view) {
			return false
		}
	}
	return first != nil && len(first.Nodes) >= living
}

func sameMap(a, b *cluster.View) bool {
	if len(a.Nodes) != len(b.Nodes) {
		return false
	}
	for i := range a.Nodes {
		x, y := &a.Nodes[i], &b.Nodes[i]
		if x.ID != y.ID || x.Primary != y.Primary || x.ConfigEpoch != y.ConfigEpoch {
			return false
		}
		if !sameSlots(x.Slots, y.Slots) {
			return false
		}
	}
	return true
}

func sameSlots(a, b *slots.Set) bool {
	if a == b {
		return true
	}
	return a != nil && b != nil && *a == *b
}

// settled reports whether all living hosts agree and say that state is ok.
func (w *World) settled() bool {
	for _, h := range w.Hosts {
		if h.machine != nil && h.view.State != cluster.StateOK {
			return false
		}
	}
	return w.agree()
}
