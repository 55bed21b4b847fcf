package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"cobble/slots"
)

// TestOrderSome: rows are put in order in parts while rows come, are dropped and settle, and others read in between; what
// is done leaves a cursor nothing to do, and whatever is done it sees each row once, in order.
func TestOrderSome(t *testing.T) {
	const slot = slots.Slot(7)
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 4))
		table := newTestTable(t, 1<<30)
		live := map[string]bool{}
		row := func() Key { return elementKey(slot, fmt.Sprintf("oid:%05d", rng.IntN(20000))) }
		check := func() {
			c, n := table.Dirty(slot, row().Bytes[:2], nil), 0
			var last []byte
			for ok := c.First(); ok; ok = c.Next() {
				if bytes.Compare(last, c.Key()) >= 0 {
					t.Fatalf("seed %d: %q comes behind %q", seed, c.Key(), last)
				}
				last, n = bytes.Clone(c.Key()), n+1
				if !live[string(c.Key())] {
					t.Fatalf("seed %d: %q is there again", seed, c.Key())
				}
			}
			if n != len(live) {
				t.Fatalf("seed %d: %d rows, want %d", seed, n, len(live))
			}
		}
		var o Ordering
		table.Lock(slot)
		for range 400 {
			switch rng.IntN(12) {
			case 0, 1:
				for range rng.IntN(400) {
					k := row()
					table.Put(k, []byte("v"), 1, true)
					live[string(k.Bytes)] = true
				}
			case 2:
				lo, hi := row().Bytes, row().Bytes
				if rng.IntN(4) == 0 && bytes.Compare(lo, hi) < 0 {
					table.DropDirty(slot, lo, hi)
					for k := range live {
						if k >= string(lo) && k < string(hi) {
							delete(live, k)
						}
					}
				}
			case 3:
				if rng.IntN(10) == 0 {
					check()
				}
			default:
				table.OrderSome(slot, &o, 1+rng.IntN(100))
			}
		}
		check()
		for range 2000 {
			table.Put(elementKey(slot, fmt.Sprintf("oid:%05d", rng.IntN(20000))), []byte("v"), 1, true)
		}
		for table.OrderSome(slot, &o, 64) {
		}
		before := table.stats.ordered.Load()
		if n := table.Unordered(slot); n != 0 {
			t.Errorf("seed %d: %d rows are in no order in the end", seed, n)
		}
		table.Dirty(slot, row().Bytes[:2], nil)
		if n := table.stats.ordered.Load(); n != before {
			t.Errorf("seed %d: a cursor put %d rows in order", seed, n-before)
		}
		if n := len(table.slots[slot].dirty[0].runs); n > 16 {
			t.Errorf("seed %d: %d runs", seed, n)
		}
		table.Unlock(slot)
	}
}

// TestOrderSomeInParts: a merge goes on over so many calls as its comparisons ask for, and no further at once, be it of rows by
// turns or of pieces.
func TestOrderSomeInParts(t *testing.T) {
	const n, slot, limit = 4096, slots.Slot(7), 64
	for _, c := range []struct{ piece, least, most int }{{1, n / limit, n/limit + 2}, {64, 6, 9}, {n / 2, 1, 2}} {
		table := newTestTable(t, 1<<30)
		list := &table.slots[slot].dirty[0]
		for run := range 2 {
			for i := range n {
				if i/c.piece%2 == run {
					table.Put(elementKey(slot, fmt.Sprintf("oid:%05d", i)), []byte("v"), 1, true)
				}
			}
			list.runs = append(list.runs, table.sortTail(list, n))
		}
		var o Ordering
		calls := 0
		for table.OrderSome(slot, &o, limit) {
			calls++
		}
		if calls < c.least || calls > c.most {
			t.Errorf("pieces of %d rows were merged by %d calls, want %d to %d", c.piece, calls, c.least, c.most)
		}
		if len(list.runs) != 1 || len(list.runs[0]) != n {
			t.Fatalf("pieces of %d rows are in %d runs", c.piece, len(list.runs))
		}
		var last []byte
		for _, pos := range list.runs[0] {
			key := table.rowKey(nil, slot, list.rows[pos].off)
			if bytes.Compare(last, key) >= 0 {
				t.Fatalf("pieces of %d rows: %q comes behind %q", c.piece, key, last)
			}
			last = key
		}
	}
}
