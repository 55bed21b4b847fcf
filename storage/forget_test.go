package storage

import (
	"fmt"
	"testing"

	"cobble/slots"
)

func TestForgetReadsFromTheStore(t *testing.T) {
	e, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const keys = 500
	for i := range keys {
		key := fmt.Appendf(nil, "key%d", i)
		if _, err := e.Update(1, []slots.Slot{slots.Of(key)}, OpFunc(func(tx *Tx) error { _, err := tx.StringSet(key, key, SetOptions{}); return err })); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Forget(); err != nil {
		t.Fatal(err)
	}
	before := e.Stats().Loads
	for i := range keys {
		key := fmt.Appendf(nil, "key%d", i)
		var got []byte
		if _, err := e.View(1, slots.Of(key), OpFunc(func(tx *Tx) error {
			v, _, err := tx.StringGet(key)
			got = append(got[:0], v...)
			return err
		})); err != nil || string(got) != string(key) {
			t.Fatalf("%s: %q, %v", key, got, err)
		}
	}
	if loads := e.Stats().Loads - before; loads < keys {
		t.Errorf("%d keys were read, but only %d rows came from the store", keys, loads)
	}
}
