package storage

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"cobble/slots"
)

// A budget that changes is obeyed by rows, block cache and dirty bytes, and no row is
// lost by it.
func TestBudgetChangesLive(t *testing.T) {
	e, err := Open(Options{Dir: t.TempDir(), Budget: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	const keys = 60_000
	value := bytes.Repeat([]byte("v"), 400)
	key := func(i int) []byte { return fmt.Appendf(nil, "key%d", i) }
	for i := range keys {
		slot := slots.Of(key(i))
		if _, err := e.Update(1, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			_, err := tx.StringSet(key(i), value, SetOptions{})
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
	want := int64(keys) * (keyOverhead + 400)
	if data := e.DataBytes(); data < want+keys*4 || data > want+keys*8 {
		t.Errorf("DataBytes %d for %d bytes of values and overhead", data, want)
	}
	if m := e.Memory(); m.Rows+m.Index < 20<<20 {
		t.Fatalf("with room for them only %d bytes of rows are in memory", m.Rows)
	}
	e.SetBudget(16 << 20)
	small := shareOf(16 << 20)
	deadline := time.Now().Add(time.Minute)
	within := func() bool { m := e.Memory(); return m.Rows-64*64<<10+m.Index+m.LargeRows <= small.table }
	for !within() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if m := e.Memory(); !within() {
		t.Errorf("the rows' share is %d bytes, they hold %+v", small.table, m)
	}
	for i := range keys {
		slot := slots.Of(key(i))
		if _, err := e.View(1, slot, OpFunc(func(tx *Tx) error {
			entry, err := tx.Lookup(key(i))
			if err == nil && (!entry.Live || !bytes.Equal(entry.Meta.Inline, value)) {
				t.Errorf("key%d is lost", i)
			}
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
	if m := e.Memory(); m.Blocks > small.blocks || m.Blocks == 0 {
		t.Errorf("the block cache holds %d bytes of %d", m.Blocks, small.blocks)
	}
}
