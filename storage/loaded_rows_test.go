package storage

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// A transaction that needs a great many rows that are not in memory looks each of them
// up in one step, and does not compare it with all that were loaded for it.
func TestManyLoadedRows(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	const slot, many = slots.Slot(7), 3000
	e.table.SetMaxBytes(0) // nothing that was loaded stays in the table
	e.table.Lock(slot)
	e.table.SetWhole(slot, false) // there may be rows in the store
	e.table.Unlock(slot)
	compared, runs := 0, 0
	if _, err := e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
		runs++
		for i := range many {
			if _, ok, err := tx.getRow(testRow(slot, i)); ok || err != nil && err != errCold {
				return fmt.Errorf("row %d: %v, %v", i, ok, err)
			}
		}
		compared = tx.loaded.compared
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	if runs != 2 || compared != many {
		t.Errorf("%d rows were looked up in %d runs with %d comparisons, not in 2 with as many", many, runs, compared)
	}
}

// Of a row that was loaded twice the later one counts, and one of another epoch does not.
func TestLoadedRowsOfTwoEpochs(t *testing.T) {
	for _, others := range []int{0, 2 * fewLoaded} {
		var l loadedRows
		for i := range others {
			l.add(loadedRow{coldRow: coldRow{testRow(1, 100+i), 1}})
		}
		row := testRow(1, 1)
		l.add(loadedRow{coldRow: coldRow{row, 1}, value: []byte("old"), ok: true})
		l.add(loadedRow{coldRow: coldRow{row, 2}, value: []byte("new"), ok: true})
		if r := l.find(row, 2); r == nil || string(r.value) != "new" {
			t.Errorf("beside %d others: %v", others, r)
		}
		if r := l.find(row, 3); r != nil {
			t.Errorf("beside %d others a row of an old epoch counts: %v", others, r)
		}
		l.forget()
		if r := l.find(row, 2); r != nil {
			t.Errorf("beside %d others a row that was forgotten is found", others)
		}
	}
}
