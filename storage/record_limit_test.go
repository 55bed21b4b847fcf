package storage

import (
	"fmt"
	"testing"

	"cobble/slots"
	"cobble/storage/format"
)

// recordLimitHolds writes, deletes and drops ranges beyond the bound of a record: the transaction must fail as a whole.
func recordLimitHolds(t testing.TB, m mutants) {
	e, err := Open(Options{Dir: t.TempDir(), RecordBytes: 4 << 10, mutant: m})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	slot := slots.Of([]byte("{t}"))
	update := func(f func(tx *Tx)) error {
		_, err := e.Update(1, []slots.Slot{slot}, OpFunc(func(tx *Tx) error { f(tx); return nil }))
		return err
	}
	key := func(i int) []byte { return fmt.Appendf(nil, "{t}%060d", i) }
	for i := range 400 {
		if err := update(func(tx *Tx) { _, _ = tx.StringSet(key(i), []byte("v"), SetOptions{}) }); err != nil {
			t.Fatal(err)
		}
	}
	for name, f := range map[string]func(tx *Tx){
		"writes": func(tx *Tx) {
			for i := range 100 {
				_, _ = tx.StringSet(key(i), []byte("changed"), SetOptions{})
			}
		},
		"deletions": func(tx *Tx) {
			for i := range 100 {
				_, _ = tx.Delete(key(i))
			}
		},
		"ranges": func(tx *Tx) {
			_, _ = tx.Delete(key(0))
			for range 400 {
				tx.delRange(format.AppendObject(nil, uint16(slot), 1000), format.AppendObject(nil, uint16(slot), 1001))
			}
		},
	} {
		if err := update(f); err != ErrRecordLimit {
			t.Errorf("%s beyond the bound: %v", name, err)
		}
		if n := e.KeysIn(slot); n != 400 {
			t.Errorf("%s beyond the bound leave %d keys of 400", name, n)
		}
	}
}

func TestRecordLimit(t *testing.T) { recordLimitHolds(t, mutants{}) }

func TestRecordLimitMutant(t *testing.T) {
	if failure(t, func(t testing.TB) { recordLimitHolds(t, mutants{recordCut: true}) }) == "" {
		t.Error("a transaction that leaves out what its record does not hold is not noticed")
	}
}
