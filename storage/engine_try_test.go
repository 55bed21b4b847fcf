package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// TestTryLoadsWhatTheCacheHas: a row that only the store has is looked up by the
// caller that must not wait, unless such looks have begun to ask the disk.
func TestTryLoadsWhatTheCacheHas(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	const slot = slots.Slot(5)
	key := testRow(slot, 1)
	mustUpdate(t, e, slot, func(tx *Tx) { tx.putRow(key, []byte("old")) })
	forget := func() {
		t.Helper()
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := e.Forget(); err != nil {
			t.Fatal(err)
		}
	}
	change := OpFunc(func(tx *Tx) error {
		v, ok, err := tx.getRow(key)
		if err != nil {
			return err
		}
		if !ok {
			t.Error("the row is gone")
		}
		tx.putRow(key, append([]byte("new "), v...))
		return nil
	})
	forget()
	if _, err := e.TryUpdate(testNow, slot, change); err != nil {
		t.Fatalf("TryUpdate of a cold row: %v", err)
	}
	forget()
	var got string
	read := OpFunc(func(tx *Tx) error {
		v, _, err := tx.getRow(key)
		got = string(v)
		return err
	})
	if _, err := e.TryView(testNow, slot, read); err != nil || got != "new old" {
		t.Fatalf("TryView of a cold row: %q, %v", got, err)
	}
	forget()
	e.disk.score.Store(missMax)
	if _, err := e.TryUpdate(testNow, slot, change); err != ErrWouldBlock {
		t.Errorf("TryUpdate while looks ask the disk: %v", err)
	}
	if _, err := e.Update(testNow, []slots.Slot{slot}, change); err != nil {
		t.Error(err)
	}
	for range 2 * missMax {
		e.disk.note(false)
	}
	forget()
	if _, err := e.TryUpdate(testNow, slot, change); err != nil {
		t.Errorf("TryUpdate when the cache answers again: %v", err)
	}
}

// With default limits a write in memory waits for nobody: a loop serves it itself.
func TestTryUpdateDoesNotWait(t *testing.T) {
	e := openTest(t, Options{Dir: t.TempDir()})
	defer e.Close()
	op := &setOp{key: []byte("k"), value: []byte("v")}
	slot := slots.Of(op.key)
	for i := range 3 {
		if _, err := e.TryUpdate(1, slot, op); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
	}
}
