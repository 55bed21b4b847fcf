package sim

import (
	"testing"

	"cobble/cluster"
)

// TestStartInIsolation starts a primary again that nobody answers: it does not know
// whether it was replaced and takes no write. It serves when a majority has answered.
func TestStartInIsolation(t *testing.T) {
	for _, alone := range []int64{10, 1000, 10_000, 40_000} {
		w := New(uint64(alone), 3, 0, func(c *cluster.Config) { c.NodeTimeout = 15_000 })
		if err := w.Create(3, 0); err != "" {
			t.Fatal(err)
		}
		w.Run(5000) // three electors
		h := w.Hosts[0]
		h.crash(w)
		w.isolate(h)
		h.start(w)
		if w.RunUntil(alone, func() bool { return h.view.State == cluster.StateOK }) {
			t.Fatalf("it serves after %d ms, and has heard nobody since it started", w.Now())
		}
		w.Heal()
		if !w.RunUntil(6000, func() bool { return h.view.State == cluster.StateOK }) {
			t.Fatalf("alone for %d ms, it does not serve when it is back: %s", alone, w.unsettled())
		}
	}
}

// TestRestartAtOnce restarts all nodes, and all but a minority of the electors: the
// rest serves at once, without a wait. Without a majority nobody does.
func TestRestartAtOnce(t *testing.T) {
	for _, c := range []struct {
		nodes, primaries, stay int
		serves                 bool
	}{{1, 1, 0, true}, {2, 1, 0, true}, {3, 3, 0, true}, {6, 3, 0, true}, {6, 3, 2, true}, {6, 3, 3, false}} {
		w := New(uint64(c.nodes), c.nodes, 0, func(c *cluster.Config) { c.NodeTimeout = 15_000 })
		w.StartWrites()
		if err := w.Create(c.primaries, c.nodes-c.primaries); err != "" {
			t.Fatal(err)
		}
		w.Run(5000)
		var first, others []*Host // electors, and the others
		for _, h := range w.Hosts {
			if _, elector := h.view.Electors.Has(h.id()); elector {
				first = append(first, h)
			} else {
				others = append(others, h)
			}
		}
		for _, h := range w.Hosts {
			h.crash(w)
		}
		w.Run(100)
		running := append(first[c.stay:], others...)
		for _, h := range running {
			h.start(w)
		}
		ok := func() bool {
			for _, h := range running {
				if h.primary && h.view.State == cluster.StateOK {
					return true
				}
			}
			return false
		}
		began := w.Now()
		if w.RunUntil(1000, ok) != c.serves {
			t.Errorf("%+v: serving: %v, %s", c, ok(), w.Summary())
		}
		t.Logf("%+v: %d ms", c, w.Now()-began)
	}
}

// TestVerdictEnds lets a replica stand again and again that never gets its votes. Its
// primary, which is back, waits for it no longer than four node timeouts.
func TestVerdictEnds(t *testing.T) {
	for seed := range uint64(4) {
		w := New(seed, 5, 0, nil)
		w.StartWrites()
		if err := w.Create(2, 3); err != "" {
			t.Fatal(err)
		}
		w.Run(3000)
		primary, replica := w.Hosts[0], w.Hosts[2]
		w.condemn(primary, replica)
		w.Run(200)
		if primary.view.State == cluster.StateOK {
			t.Fatalf("seed %d: it serves on in spite of the verdict", seed)
		}
		began := w.Now()
		if !w.RunUntil(4*1000+500, func() bool { return primary.view.State == cluster.StateOK }) {
			t.Fatalf("seed %d: it still waits: %s %s", seed, primary.view.Reason, w.Summary())
		}
		t.Logf("seed %d: waited for %d ms", seed, w.Now()-began)
	}
}
