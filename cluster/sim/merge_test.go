package sim

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// mergeSeeds give three singletons cluster ids in each of the six orders.
func mergeSeeds(n int) []uint64 {
	seen := map[string]bool{}
	var out []uint64
	for seed := uint64(0); len(out) < []int{1, 1, 2, 6}[n]; seed++ {
		w := New(seed, n, 0, nil)
		order := ""
		for i := range n {
			for j := range n {
				if w.Hosts[i].view.Cluster.Less(w.Hosts[j].view.Cluster) {
					order += "<"
				} else {
					order += ">"
				}
			}
		}
		if !seen[order] {
			seen[order] = true
			out = append(out, seed)
		}
	}
	return out
}

// TestMerge tries all ways to meet, all orders of cluster ids, and at every
// happening each deviation: delayed a little or long, lost, doubled, crash.
// Without COBBLE_SEEDS it tries every eighth, with COBBLE_SEEDS=2 pairs of
// deviations too: the second is every third happening behind the first, or every
// COBBLE_STRIDE-th. Pairs take long: shortly before -timeout it stops and says
// how far it came.
func TestMerge(t *testing.T) {
	runs := 0
	apart := 3
	if n, err := strconv.Atoi(os.Getenv("COBBLE_STRIDE")); err == nil && n > 0 {
		apart = n
	}
	deadline, bounded := t.Deadline()
	for n := 2; n <= 3; n++ {
		for way := range Meetings {
			for _, seed := range mergeSeeds(n) {
				try := func(plan schedule) {
					runs++
					if w, _ := Merge(seed, n, way, 0, plan); len(w.Failures) > 0 {
						t.Fatalf("%d nodes, %s, seed %d, plan %v: %v\n%s", n, Meetings[way].Name, seed, plan, w.Failures, w.Summary())
					}
				}
				w, took := Merge(seed, n, way, 0, nil)
				if len(w.Failures) > 0 {
					t.Fatalf("%d nodes, %s, seed %d: %v\n%s", n, Meetings[way].Name, seed, w.Failures, w.Summary())
				}
				stride, pairs := 8, os.Getenv("COBBLE_SEEDS") == "2"
				if os.Getenv("COBBLE_SEEDS") != "" {
					stride = 1
				}
				for at := 1 + runs%stride; at <= took; at += stride {
					if bounded && time.Until(deadline) < 15*time.Second {
						t.Logf("stopped by -timeout after %d runs, at %d nodes, %s, seed %d, happening %d", runs, n, Meetings[way].Name, seed, at)
						return
					}
					for what := range deviations {
						try(schedule{at: what})
						for second := at + 1; pairs && second <= took; second += apart {
							try(schedule{at: what, second: (what + deviation(second)) % deviations})
						}
					}
				}
			}
		}
	}
	t.Logf("%d runs", runs)
}
