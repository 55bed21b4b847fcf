package sim

import (
	"slices"
	"testing"

	"cobble/cluster"
	"cobble/slots"
)

// TestStateWhileSlotsMove moves slots one by one: no node may say meanwhile that the cluster is down, also when it hears
// from the old owner first. A slot that nobody takes is told of.
func TestStateWhileSlotsMove(t *testing.T) {
	for seed := range uint64(3) {
		w := New(seed, 6, 0, nil)
		w.StartWrites()
		if err := w.Create(3, 3); err != "" {
			t.Fatal(err)
		}
		if !w.RunUntil(5000, w.settled) {
			t.Fatalf("seed %d: %s", seed, w.unsettled())
		}
		down := func() bool {
			for _, h := range w.Hosts {
				if h.view.State == cluster.StateFail {
					return true
				}
			}
			return false
		}
		if !w.RunUntil(10000, func() bool { return !down() }) {
			t.Fatalf("seed %d: the cluster is not up", seed)
		}
		for slot := range slots.Slot(100) {
			w.move(slot, w.Hosts[0], w.Hosts[1])
			nobodys := func() bool {
				return slices.ContainsFunc(w.Hosts, func(h *Host) bool { return h.view.Owner(slot) == nil })
			}
			if w.RunUntil(200, func() bool { return down() || nobodys() }) {
				t.Fatalf("seed %d: the cluster is down, or slot %d is nobody's, at %d ms, while it moved\n%s", seed, slot, w.Now(), w.Summary())
			}
			if !w.Hosts[1].view.Myself().Slots.Has(slot) {
				t.Fatalf("seed %d: slot %d did not move", seed, slot)
			}
		}
		var gone slots.Set
		gone.Add(200)
		number := w.Do(0, cluster.DelSlots{Slots: gone})
		everywhere := func() bool {
			for _, h := range w.Hosts {
				if h.view.State != cluster.StateFail {
					return false
				}
			}
			return true
		}
		if !w.RunUntil(5000, everywhere) || !w.succeeded(number) {
			t.Fatalf("seed %d: slot 200 is nobody's, and not all nodes say so: %v", seed, w.results[number])
		}
	}
}

// TestStateWhenSlotsAreGone has slots given up one after the other, none of which anybody takes: the state waits for the
// first only, and not at all for slots that a node gave up itself.
func TestStateWhenSlotsAreGone(t *testing.T) {
	w := New(1, 6, 0, nil)
	w.StartWrites()
	if err := w.Create(3, 3); err != "" {
		t.Fatal(err)
	}
	up := func() bool {
		for _, h := range w.Hosts {
			if h.view.State != cluster.StateOK {
				return false
			}
		}
		return true
	}
	if !w.RunUntil(5000, w.settled) || !w.RunUntil(10000, up) {
		t.Fatalf("the cluster is not up: %s", w.unsettled())
	}
	one := func(slot slots.Slot) (set slots.Set) {
		set.Add(slot)
		return set
	}
	first, second := w.Hosts[0], w.Hosts[1]
	known := func(assigned int) func() bool { return func() bool { return second.view.Assigned == assigned } }
	w.Do(0, cluster.DelSlots{Slots: one(1)})
	if !w.RunUntil(100, known(slots.Count-1)) || second.view.State != cluster.StateOK {
		t.Fatalf("slot 1 is given up by another node: state %s, %d slots", second.view.State, second.view.Assigned)
	}
	w.Do(0, cluster.AddSlots{Slots: one(1)})
	if !w.RunUntil(100, known(slots.Count)) {
		t.Fatalf("slot 1 is taken again: %d slots", second.view.Assigned)
	}
	slot, _ := second.view.Myself().Slots.Next(0)
	w.Do(1, cluster.DelSlots{Slots: one(slot)})
	if !w.RunUntil(100, known(slots.Count-1)) || second.view.State != cluster.StateFail {
		t.Fatalf("a node's own slot is given up: state %s, %d slots", second.view.State, second.view.Assigned)
	}
	w.Do(1, cluster.AddSlots{Slots: one(slot)})
	if !w.RunUntil(10000, up) {
		t.Fatal("the cluster is not up again")
	}
	for slot := range slots.Slot(20) {
		w.Do(0, cluster.DelSlots{Slots: one(slot)})
		w.RunUntil(100, func() bool { return false })
	}
	for _, h := range w.Hosts {
		if h != first && h.view.State != cluster.StateFail {
			t.Errorf("2 s after the first of %d slots is gone, the state is %s", slots.Count-h.view.Assigned, h.view.State)
		}
	}
}
