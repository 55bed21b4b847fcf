package sim

import (
	"testing"

	"cobble/cluster"
	"cobble/slots"
)

// createCluster does what redis-cli --cluster create does.
func createCluster(t testing.TB, w *World, primaries, replicas int) {
	t.Helper()
	for i := range primaries {
		var set slots.Set
		set.AddRange(slots.Range{First: slots.Slot(slots.Count * i / primaries), Last: slots.Slot(slots.Count*(i+1)/primaries - 1)})
		w.Do(i, cluster.AddSlots{Slots: set})
	}
	w.Run(5)
	for i := range primaries + replicas {
		w.Do(i, cluster.SetConfigEpoch{Epoch: int64(i + 1)})
	}
	w.Run(5)
	for i := 1; i < primaries+replicas; i++ {
		w.Do(i, cluster.Meet{Addr: hostAddr(0)})
	}
	if !w.RunUntil(5000, func() bool { return w.agree() }) {
		t.Fatalf("no agreement after MEET: %v", w.Failures)
	}
	t.Logf("agreed at %d ms", w.Now())
	for i := range replicas {
		w.Do(primaries+i, cluster.Replicate{ID: w.Hosts[i%primaries].id()})
	}
	if !w.RunUntil(5000, func() bool { return w.settled() }) {
		t.Fatalf("not settled after REPLICATE: %v", w.Failures)
	}
	t.Logf("settled at %d ms, %d steps", w.Now(), w.steps)
}

func TestCreate(t *testing.T) {
	for _, n := range []int{1, 2, 3, 6, 20} {
		w := New(1, n, 0, nil)
		createCluster(t, w, (n+1)/2, n/2)
	}
}
