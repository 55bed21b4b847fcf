package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"cobble/slots"
)

// unmerged writes objects in pieces, rows among those of others, and metadata rows, in the order of no row key, and reports what
// a cursor says that is not what was written. Objects are dropped on the way, many rows at once.
func unmerged(t *testing.T, seed uint64, ahead bool) string {
	rng := rand.New(rand.NewPCG(seed, 9))
	table := newTestTable(t, 1<<30)
	table.cfg.MergesAhead = ahead
	const tag = "{tag}"
	slot := slots.Of([]byte(tag))
	live := map[string]bool{}
	put := func(k Key) {
		table.Put(k, []byte("v"), 1, true)
		live[k.row()] = true
	}
	table.Lock(slot)
	defer table.Unlock(slot)
	var o Ordering
	for object := range 60 {
		switch rng.IntN(4) {
		case 0: // one whose rows lie among those of others
			for range rng.IntN(100) {
				put(elementKey(slot, fmt.Sprintf("any:%05d", rng.IntN(20000))))
			}
		case 1:
			lo, hi := elementKey(slot, fmt.Sprintf("oid:%02d", rng.IntN(60))), elementKey(slot, fmt.Sprintf("oid:%02d:b", rng.IntN(60)))
			if lo.row() < hi.row() {
				table.DropDirty(slot, lo.Bytes, hi.Bytes)
				for k := range live {
					if k >= lo.row() && k < hi.row() {
						delete(live, k)
					}
				}
			}
		default:
			for _, i := range rng.Perm(rng.IntN(300)) {
				put(elementKey(slot, fmt.Sprintf("oid:%02d:%c:%04d", object, 'a'+rune(i%2), i)))
			}
			put(metaKey(fmt.Sprintf("%s%d", tag, rng.IntN(20))))
		}
		if rng.IntN(2) == 0 {
			table.OrderSome(slot, &o, 1+rng.IntN(200))
		} else {
			table.Dirty(slot, []byte{byte(slot >> 8), byte(slot)}, nil)
		}
	}
	want := make([]string, 0, len(live))
	for k := range live {
		want = append(want, k)
	}
	slices.Sort(want)
	c := table.Dirty(slot, []byte{byte(slot >> 8), byte(slot)}, nil)
	ok := c.First()
	for i, k := range want {
		if !ok || string(c.Key()) != k {
			return fmt.Sprintf("row %d of %d is %q, want %q", i, len(want), bytes.Clone(c.Key()), k)
		}
		ok = c.Next()
	}
	if ok {
		return fmt.Sprintf("%q comes behind the last row", c.Key())
	}
	return ""
}

// TestMergesOfPieces: runs are merged a piece at a time, and every row comes once, in order; a merge that takes a row too many is
// seen.
func TestMergesOfPieces(t *testing.T) {
	caught := false
	for seed := range uint64(20) {
		if wrong := unmerged(t, seed, false); wrong != "" {
			t.Errorf("seed %d: %s", seed, wrong)
		}
		caught = caught || unmerged(t, seed, true) != ""
	}
	if !caught {
		t.Error("a merge that takes one row of a run too many is not noticed")
	}
}
