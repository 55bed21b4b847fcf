package sim

import (
	"os"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"cobble/cluster"
)

// stories are the ways to hurt a cluster.
var stories = []struct {
	name string
	run  func(seed uint64, bugs cluster.Mutation, trace func(string)) *World
}{{"Drill", Drill}, {"Rotation", Rotation}, {"Chaos", Chaos}, {"Turmoil", Turmoil}, {"Amnesia", Amnesia}, {"Pauses", Pauses}, {"Restarts", Restarts}}

// TestMain trades memory for speed: worlds are small and short-lived.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	os.Exit(m.Run())
}

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
// many, COBBLE_SEED the first one, COBBLE_STORY picks one story, and
// COBBLE_TRACE=1 prints everything that happens.
func TestSim(t *testing.T) {
	for _, story := range stories {
		if only := os.Getenv("COBBLE_STORY"); only != "" && only != story.name {
			continue
		}
		t.Run(story.name, func(t *testing.T) {
			began := time.Now()
			first, count := firstSeed(), seeds(25)
			steps, bad := 0, 0
			for seed := first; seed < first+count; seed++ {
				var trace func(string)
				if os.Getenv("COBBLE_TRACE") != "" {
					trace = func(line string) { t.Log(line) }
				}
				w := story.run(seed, 0, trace)
				steps += w.steps
				if len(w.Failures) > 0 {
					t.Errorf("seed %d: %v\n%s", seed, w.Failures, w.Summary())
					if bad++; bad >= 10 {
						t.FailNow()
					}
				}
			}
			t.Logf("%d seeds, %d steps, %.0f seeds/s", count, steps, float64(count)/time.Since(began).Seconds())
		})
	}
}
