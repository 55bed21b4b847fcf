package cache

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"cobble/slots"
)

// TestDropDirtyBesideAFlush: rows of ranges are dropped while a generation is cut. Those that it took are no longer found, but
// the flusher sees them all, as they were; those of the current one are gone, and the rest is there, once. In the end nothing
// counts as dirty.
func TestDropDirtyBesideAFlush(t *testing.T) {
	const slot = slots.Slot(7)
	bounds := []byte{0, byte(slot)}
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 6))
		table := newTestTable(t, 1<<30)
		live, cut := map[string]string{}, map[string]string(nil)
		puts := 0
		row := func() Key { return elementKey(slot, fmt.Sprintf("oid:%04d", rng.IntN(2000))) }
		put := func(n int) {
			for range n {
				puts++
				k, value := row(), fmt.Sprintf("%0*d", 1+rng.IntN(30), puts)
				if rng.IntN(100) == 0 {
					value = string(bytes.Repeat([]byte(value), 10_000)) // kept apart
				}
				table.Put(k, []byte(value), 1, true)
				live[k.row()] = value
			}
		}
		drop := func() {
			lo, hi := row(), row()
			if hi.row() < lo.row() {
				lo, hi = hi, lo
			}
			table.DropDirty(slot, lo.Bytes, hi.Bytes)
			maps.DeleteFunc(live, func(k, _ string) bool { return k >= lo.row() && k < hi.row() })
		}
		check := func(what string) {
			t.Helper()
			c := table.Dirty(slot, bounds, nil)
			ok := c.First()
			for _, k := range slices.Sorted(maps.Keys(live)) {
				if value, absent := c.Value(); !ok || absent || string(c.Key()) != k || string(value) != live[k] {
					t.Fatalf("seed %d, %s: %q is there, want %q", seed, what, c.Key(), k)
				}
				ok = c.Next()
			}
			if ok {
				t.Fatalf("seed %d, %s: %q is there", seed, what, c.Key())
			}
		}
		flush := func() {
			if err := table.Frozen(slot, func(key, value []byte, absent bool) error {
				if was, ok := cut[string(key)]; !ok || absent || was != string(value) {
					t.Fatalf("seed %d: the flusher sees %q, absent: %v", seed, key, absent)
				}
				delete(cut, string(key))
				return nil
			}); err != nil || len(cut) > 0 {
				t.Fatalf("seed %d: the flusher misses %d rows, %v", seed, len(cut), err)
			}
			for table.Settle(slot, 10) {
			}
		}
		put(400)
		for range 4 {
			table.Cut()
			cut = live
			active := map[string]string{}
			live = maps.Clone(live)
			for range 4 {
				was := maps.Clone(live)
				put(rng.IntN(200))
				drop()
				for k, value := range live {
					if was[k] != value {
						active[k] = value
					}
				}
				maps.DeleteFunc(active, func(k, _ string) bool { return live[k] == "" })
				check("cut")
			}
			flush()
			live = active // all that is dirty
			check("settled")
		}
		table.Cut()
		cut, live = live, nil
		flush()
		if n := table.DirtyBytes(); n != 0 {
			t.Errorf("seed %d: %d bytes are dirty in the end", seed, n)
		}
	}
}
