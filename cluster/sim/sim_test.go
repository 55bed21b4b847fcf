package sim

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// seeds returns how many seeds to run: COBBLE_SEEDS, or a small slice.
func seeds(few int) uint64 {
	if n, err := strconv.Atoi(os.Getenv("COBBLE_SEEDS")); err == nil && n > 0 {
		return uint64(n)
	}
	return uint64(few)
}

func firstSeed() uint64 {
	n, _ := strconv.Atoi(os.Getenv("COBBLE_SEED"))
	return uint64(n)
}

// TestSim runs random clusters through random faults. COBBLE_SEEDS sets how
// many, COBBLE_SEED the first one, COBBLE_TRACE=1 prints a single seed's story.
func TestSim(t *testing.T) {
	began := time.Now()
	first, count := firstSeed(), seeds(200)
	steps, bad := 0, 0
	for seed := first; seed < first+count; seed++ {
		var trace func(string)
		if os.Getenv("COBBLE_TRACE") != "" {
			trace = func(line string) { t.Log(line) }
		}
		w := Chaos(seed, 0, trace)
		steps += w.steps
		if len(w.Failures) > 0 {
			t.Errorf("seed %d: %v\n%s", seed, w.Failures, w.Summary())
			if bad++; bad >= 10 {
				t.FailNow()
			}
		}
	}
	t.Logf("%d seeds, %d steps, %.0f seeds/s", count, steps, float64(count)/time.Since(began).Seconds())
}
