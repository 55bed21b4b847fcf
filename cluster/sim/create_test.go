package sim

import (
	"testing"

	"cobble/cluster"
)

func TestCreate(t *testing.T) {
	for _, n := range []int{1, 2, 3, 6, 20} {
		w := New(1, n, 0, nil)
		w.StartWrites()
		if err := w.Create((n+1)/2, n/2); err != "" {
			t.Fatalf("%d nodes: %s %v", n, err, w.Failures)
		}
		wanted := map[int]int{1: 1, 2: 1, 3: 3, 6: 5, 20: 7}[n]
		if !w.RunUntil(5000, func() bool { return len(w.Hosts[0].view.Electors.Members) == wanted && w.settled() }) {
			t.Fatalf("%d nodes: %v", n, w.Hosts[0].view.Electors)
		}
		t.Logf("%d nodes: settled with %d electors at %d ms, %d steps", n, wanted, w.Now(), w.steps)
	}
}

func TestKillPrimary(t *testing.T) {
	for seed := range uint64(5) {
		w := New(seed, 6, 0, func(c *cluster.Config) { c.NodeTimeout = 15000 })
		w.StartWrites()
		if err := w.Create(3, 3); err != "" {
			t.Fatal(err)
		}
		w.Run(3000)
		at := w.Now()
		w.Hosts[0].crash(w)
		if !w.RunUntil(5000, func() bool { return w.Hosts[3].primary && w.settled() }) {
			t.Fatalf("seed %d: not promoted: %s %v", seed, w.unsettled(), w.Failures)
		}
		t.Logf("promoted after %d ms", w.Now()-at)
		w.Hosts[0].start(w)
		if !w.RunUntil(5000, func() bool { return w.settled() && !w.Hosts[0].primary }) {
			t.Fatalf("seed %d: old primary did not follow: %s", seed, w.unsettled())
		}
	}
}
