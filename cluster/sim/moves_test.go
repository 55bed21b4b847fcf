package sim

import (
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
			if w.RunUntil(200, down) {
				t.Fatalf("seed %d: the cluster is down at %d ms, while slot %d moved\n%s", seed, w.Now(), slot, w.Summary())
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
