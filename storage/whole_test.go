package storage

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// The store is not asked for keys of a slot whose rows are all in memory, and is asked
// for what it had when it was opened, or got from an import. The mutants show that the
// test would see it.
func TestWholeSlots(t *testing.T) {
	for _, m := range []struct {
		mutant             mutants
		afterOpen, foreign bool // what is still found
	}{{mutants{}, true, true}, {mutants{wholeAtOpen: true}, false, true}, {mutants{wholeImport: true}, true, false}} {
		o := smallOptions(vfs.NewMem())
		o.mutant = m.mutant
		e := openTest(t, o)
		key, slot := []byte("key"), slots.Of([]byte("key"))
		found := func(e *Engine) (ok bool) {
			_, err := e.View(testNow, slot, OpFunc(func(tx *Tx) (err error) { _, ok, err = tx.StringGet(key); return err }))
			if err != nil {
				t.Fatal(err)
			}
			return ok
		}
		set := func() {
			if _, err := e.Update(testNow, []slots.Slot{slot}, &setOp{key, []byte("value")}); err != nil {
				t.Fatal(err)
			}
		}
		set()
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			mustUpdate(t, e, slot, func(tx *Tx) {
				if _, ok, err := tx.StringGet(fmt.Appendf(nil, "{key}%d", i)); ok || err != nil {
					t.Fatal(ok, err)
				}
			})
		}
		if loads := e.stats.loads.Load(); loads != 0 || !found(e) {
			t.Errorf("%+v: the store was asked %d times", m.mutant, loads)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = openTest(t, o)
		if found(e) != m.afterOpen {
			t.Errorf("%+v: found after a restart: %v", m.mutant, !m.afterOpen)
		}
		var one slots.Set
		one.Add(slot)
		if _, err := e.FlushSlots(testNow, one); err != nil {
			t.Fatal(err)
		}
		before := e.stats.loads.Load()
		if found(e) || e.stats.loads.Load() != before {
			t.Errorf("%+v: the store was asked for a row of a slot that was emptied", m.mutant)
		}
		meta := format.Meta{Type: format.String, Inline: []byte("foreign")}
		im := e.NewImport(one)
		if err := im.Add(format.AppendMetaKey(nil, uint16(slot), 0, key), meta.Append(nil)); err != nil {
			t.Fatal(err)
		}
		im.SetCounters(slot, Counters{Keys: 1, Bytes: 10})
		if _, err := im.Commit(testNow); err != nil {
			t.Fatal(err)
		}
		if found(e) != m.foreign {
			t.Errorf("%+v: found after an import: %v", m.mutant, !m.foreign)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
