package cache

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cobble/slots"
)

// zipf draws ranks below n with shares of 1/(rank+1)^0.99.
func zipf(n int, rng *rand.Rand) func() int {
	sums := make([]float64, n)
	sum := 0.0
	for i := range n {
		sum += 1 / math.Pow(float64(i+1), .99)
		sums[i] = sum
	}
	return func() int {
		i, _ := slices.BinarySearch(sums, rng.Float64()*sum)
		return min(i, n-1)
	}
}

// hitRatio looks up rows that pick chooses, brings those that are missing from the
// store, and returns how many of the looks were hits.
func hitRatio(table *Table, looks int, pick func() int) float64 {
	value := make([]byte, 100)
	hits := 0
	for range looks {
		id := pick()
		slot := slots.Slot(id % 64)
		k := elementKey(slot, fmt.Sprintf("key:%012d", id))
		table.Lock(slot)
		if _, presence := table.Get(k, 1); presence != Unknown {
			hits++
		} else {
			table.Admit(k, value, false, table.Epoch(slot), 1)
		}
		table.Unlock(slot)
	}
	return float64(hits) / float64(looks)
}

// A table that holds a twelfth of the rows serves three quarters of a zipfian load:
// some 0.81 are possible for who knows how often each row will be asked for, and 0.73 is
// what one queue with a second chance for every row reaches.
func TestZipfianHits(t *testing.T) {
	const rows = 200_000
	table := newTestTable(t, rows/12*144)
	pick := zipf(rows, rand.New(rand.NewPCG(1, 1)))
	hitRatio(table, 400_000, pick)
	if got := hitRatio(table, 300_000, pick); got < .755 {
		t.Errorf("%.3f of the looks are hits", got)
	}
}

// Rows that are read once drive out hardly any that are read again and again.
func TestScanSparesHotRows(t *testing.T) {
	const hot = 10_000
	table := newTestTable(t, hot*3/2*144)
	rng := rand.New(rand.NewPCG(2, 1))
	hitRatio(table, 10*hot, func() int { return rng.IntN(hot) })
	next, n, scanned := hot, 0, 0
	hits := hitRatio(table, 200_000, func() int { // every other look is part of a scan
		if n++; n%2 == 0 {
			next, scanned = next+1, scanned+1
			return next
		}
		return rng.IntN(hot)
	})
	if hits < .46 {
		t.Errorf("beside a scan %.3f of the looks at hot rows are hits", 2*hits)
	}
}

// A table learns what the load is about now.
func TestNewWorkingSetMovesIn(t *testing.T) {
	const set = 10_000
	table := newTestTable(t, set*3/2*144)
	rng := rand.New(rand.NewPCG(3, 1))
	hitRatio(table, 20*set, func() int { return rng.IntN(set) })
	later := func() int { return set + rng.IntN(set) }
	hitRatio(table, 40*set, later)
	if got := hitRatio(table, 5*set, later); got < .95 {
		t.Errorf("%.3f of the looks at the new working set are hits", got)
	}
}
