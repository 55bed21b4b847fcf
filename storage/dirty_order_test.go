package storage

import (
	"fmt"
	"testing"

	"cobble/slots"
)

// TestOrderedOutsideTheLock: a transaction that meets very many rows in no order does not sort them while it has the
// slot. Its operation runs again when only few are left to do.
func TestOrderedOutsideTheLock(t *testing.T) {
	e := openTest(t, Options{Dir: t.TempDir(), Budget: 256 << 20, reserve: 512 << 20})
	defer e.Close()
	slot := slots.Of([]byte("h"))
	for from := 0; from < 40000; from += 2000 {
		if _, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			h, err := tx.Hash([]byte("h"))
			for i := from; err == nil && i < from+2000; i++ {
				_, err = h.Set(fmt.Appendf(nil, "f%d", i), []byte("v"))
			}
			h.Save()
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
	for _, write := range []bool{false, true} {
		runs, left, seen := 0, 0, 0
		op := OpFunc(func(tx *Tx) error {
			runs, left, seen = runs+1, e.table.Unordered(slot), 0
			h, err := tx.Hash([]byte("h"))
			if err != nil {
				return err
			}
			w := h.Walk()
			for w.Next() {
				seen++
			}
			return w.Close()
		})
		var err error
		if write {
			_, err = e.Update(testNow, []slots.Slot{slot}, op)
		} else {
			_, err = e.View(testNow, slot, op)
		}
		if err != nil || seen != 40000 {
			t.Fatalf("%d fields, %v", seen, err)
		}
		if left > orderAtOnce || !write && runs != 2 {
			t.Errorf("%d rows were left to order while the slot was held, after %d runs", left, runs)
		}
	}
}
