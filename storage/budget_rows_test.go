package storage

import "testing"

// Rows follow what the process has resident, by a fourth of the difference, up to a bound,
// and only if there is reason to.
func TestRowsFor(t *testing.T) {
	const mib = 1 << 20
	const budget = 100 * mib
	s := share{table: 50 * mib}
	for _, c := range []struct {
		bound, resident int64
		full            bool
		want            int64
	}{
		{50 * mib, 120 * mib, true, 45 * mib},
		{50 * mib, 120 * mib, false, 45 * mib},
		{50 * mib, 101 * mib, true, 50 * mib}, // near enough
		{50 * mib, 98 * mib, true, 50 * mib},
		{50 * mib, 80 * mib, true, 55 * mib},
		{50 * mib, 80 * mib, false, 50 * mib}, // there are no more rows
		{36 * mib, 200 * mib, true, s.table / 10 * 7},
		{58 * mib, 20 * mib, true, s.table / 10 * 12},
	} {
		if got := s.rowsFor(budget, c.bound, c.resident, c.full); got != c.want {
			t.Errorf("bound %d, resident %d, full %v: %d, want %d", c.bound, c.resident, c.full, got, c.want)
		}
	}
}

// The table obeys: rows leave when the process turns out to hold more than the budget.
func TestAdaptRows(t *testing.T) {
	const budget = 64 << 20
	e, err := Open(Options{Dir: t.TempDir(), Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	share := shareOf(budget).table
	for range 20 {
		e.AdaptRows(2 * budget)
	}
	if got := e.limits.rows.Load(); got != share/10*7 {
		t.Errorf("rows may take %d bytes of a share of %d", got, share)
	}
	e.SetBudget(budget)
	if got := e.limits.rows.Load(); got != share {
		t.Errorf("with a new budget rows may take %d bytes, their share is %d", got, share)
	}
}

// Level 0 goes into the lowest level as long as that is not large beside it, and never
// in compactions of many gigabytes.
func TestLowestLevel(t *testing.T) {
	for generation, want := range map[int64]int64{1 << 10: 64 << 20, 8 << 20: 512 << 20, 256 << 20: 1 << 30} {
		if got := lowestLevel(generation); got != want {
			t.Errorf("generations of %d: %d, want %d", generation, got, want)
		}
	}
	e, err := Open(Options{Dir: t.TempDir(), GenerationBytes: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if got := e.storeOpt.LBaseMaxBytes; got != lowestLevel(2<<20) {
		t.Errorf("the store's lowest level may be %d bytes", got)
	}
}
