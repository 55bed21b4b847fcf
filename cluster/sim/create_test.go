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

// TestRemoveElector removes every node of a cluster but two, one after the
// other, as redis-cli del-node does, electors included: the rest stays whole.
func TestRemoveElector(t *testing.T) {
	w := New(7, 7, 0, nil)
	w.StartWrites()
	if err := w.Create(2, 5); err != "" {
		t.Fatal(err)
	}
	for i := 6; i >= 2; i-- {
		h := w.Hosts[i]
		id := h.id()
		for _, o := range w.Hosts[:i] {
			w.Do(o.index, cluster.Forget{ID: id})
		}
		w.Run(5)
		began := w.Now()
		reset := w.Do(i, cluster.Reset{})
		if !w.RunUntil(5000, func() bool { return w.succeeded(reset) }) {
			t.Fatalf("RESET of n%d: %v", i, w.results[reset])
		}
		t.Logf("RESET of n%d took %d ms", i, w.Now()-began)
		w.Hosts = w.Hosts[:i]
		if !w.RunUntil(5000, w.settled) {
			t.Fatalf("without n%d: %s\n%s", i, w.unsettled(), w.Summary())
		}
	}
}

// TestPausedPrimary stops a primary's process without killing it: nothing
// refuses, so it takes the node timeout and the classic delays.
func TestPausedPrimary(t *testing.T) {
	const timeout = 5000
	for seed := range uint64(5) {
		w := New(seed, 6, 0, func(c *cluster.Config) { c.NodeTimeout = timeout })
		w.StartWrites()
		if err := w.Create(3, 3); err != "" {
			t.Fatal(err)
		}
		w.Run(3000 + int64(seed)*700)
		at := w.Now()
		w.Hosts[0].pausedUntil = w.now + 20_000_000
		if !w.RunUntil(timeout+2500, func() bool { return w.Hosts[3].primary }) {
			t.Fatalf("seed %d: not promoted: %s %v", seed, w.unsettled(), w.Failures)
		}
		t.Logf("promoted %d ms after the node timeout", w.Now()-at-timeout)
		if !w.RunUntil(40_000, func() bool { return w.settled() && !w.Hosts[0].primary }) {
			t.Fatalf("seed %d: the paused primary did not follow: %s", seed, w.unsettled())
		}
	}
}
