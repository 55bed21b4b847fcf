package storage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"cobble/slots"
	"cobble/storage/format"
)

// TestRowsOfDraftsAgainstSlice: a draft walks rows forwards and backwards, and seeks, as if it had them all at once.
func TestRowsOfDraftsAgainstSlice(t *testing.T) {
	o := draftOptions(t, mutants{})
	o.pieceRows = 7
	e := openTest(t, o)
	defer e.Close()
	slot, rng := slots.Slot(5), rand.New(rand.NewPCG(1, 2))
	rowKey := func(i int) string {
		return string(append(format.AppendElement(nil, uint16(slot), 1, format.SubMember), fmt.Sprintf("%03d", i)...))
	}
	for _, from := range []int{0, 200} { // some rows are in the store, some in memory
		if _, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			for i := from; i < from+400; i += 2 {
				tx.putRow([]byte(rowKey(i)), fmt.Appendf(nil, "%d", i))
			}
			return nil
		})); err != nil {
			t.Fatal(err)
		}
		if from == 0 {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 40 {
		lo, hi := rng.IntN(620), rng.IntN(620)
		lo, hi = min(lo, hi), max(lo, hi)
		var want []string
		for i := lo + lo%2; i < min(hi, 600); i += 2 {
			want = append(want, rowKey(i))
		}
		d := &draft{engine: e, now: testNow, slots: []slots.Slot{slot}}
		it := d.rows(&Tx{}, []byte(rowKey(lo)), []byte(rowKey(hi)))
		at, moves := -1, rng.IntN(300)
		for n := range moves {
			var ok bool
			what := rng.IntN(40)
			key := rowKey(rng.IntN(620))
			valid := at >= 0 && at < len(want)
			switch {
			case what == 0:
				at, ok = 0, it.First()
			case what == 1:
				at, ok = len(want)-1, it.Last()
			case what == 2:
				at, ok = sort.SearchStrings(want, key), it.SeekGE([]byte(key))
			case what == 3:
				at, ok = sort.SearchStrings(want, key)-1, it.SeekLT([]byte(key))
			case !valid:
				continue
			case n%100 < 50:
				at, ok = at+1, it.Next()
			default:
				at, ok = at-1, it.Prev()
			}
			if is := at >= 0 && at < len(want); is != ok || ok && string(it.Key()) != want[at] {
				t.Fatalf("rows %d to %d, move %d of kind %d: %v, want row %d of %d", lo, hi, n, what, ok, at, len(want))
			}
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d := &draft{engine: e, now: testNow, slots: []slots.Slot{slot}}
	it := d.rows(&Tx{}, []byte(rowKey(0)), []byte(rowKey(600)))
	var back []string
	for ok := it.Last(); ok; ok = it.Prev() {
		if back = append(back, string(it.Value())); len(back) == 100 {
			d.broken.Store(true)
		}
	}
	if err := it.Close(); !errors.Is(err, errBroken) || len(back) < 100 || len(back) > 107 || !slices.IsSortedFunc(back, func(a, b string) int { return len(b) - len(a) }) {
		t.Errorf("%d rows backwards from a draft that was ended: %v", len(back), err)
	}
}
