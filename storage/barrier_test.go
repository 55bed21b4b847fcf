package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// TestSnapshotAndTail copies a slot the way a move does: the store's view at its
// position, then the records behind it, with writes all the time.
func TestSnapshotAndTail(t *testing.T) {
	fs := vfs.NewMem()
	so, to := smallOptions(fs), smallOptions(fs)
	so.Dir, to.Dir = "source", "target"
	source, target := openTest(t, so), openTest(t, to)
	defer source.Close()
	defer target.Close()
	const slot = slots.Slot(12)
	write := func(from, to int) {
		for i := from; i < to; i++ {
			mustUpdate(t, source, slot, func(tx *Tx) {
				tx.putRow(testRow(slot, i), fmt.Appendf(nil, "v%d", i))
				tx.delRow(testRow(slot, i/2))
				tx.deltaOf(slot).keys = 1
			})
		}
	}
	write(0, 200)
	if err := source.Flush(); err != nil {
		t.Fatal(err)
	}
	write(200, 300)
	var set slots.Set
	set.Add(slot)
	snap, err := source.Snapshot(set)
	if err != nil {
		t.Fatal(err)
	}
	write(300, 400)
	if err := source.Flush(); err != nil { // the view must not move
		t.Fatal(err)
	}
	im := target.NewImport(set)
	if err := snap.Each(slot, im.Add); err != nil {
		t.Fatal(err)
	}
	counters, err := snap.Counters(slot)
	if err != nil {
		t.Fatal(err)
	}
	im.SetCounters(slot, counters)
	if _, err := im.Commit(testNow); err != nil {
		t.Fatal(err)
	}
	end := source.Log().End()
	if err := source.Await(end); err != nil {
		t.Fatal(err)
	}
	r, err := source.Log().NewReader(snap.LSN)
	if err != nil {
		t.Fatal(err)
	}
	for r.Position() < end {
		entry, err := r.TryNext()
		if err != nil {
			t.Fatal(err)
		}
		mustUpdate(t, target, slot, func(tx *Tx) { // what the target does with a record of the source
			tx.deltaOf(slot).keys = int64(entry.Deltas[0].Keys)
			err := format.EachOp(entry.Payload, func(op byte, key, value []byte) error {
				if op == format.OpSet {
					tx.putRow(key, value)
				} else {
					tx.delRow(key)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	r.Close()
	if err := snap.Close(); err != nil {
		t.Fatal(err)
	}
	if a, b := contents(t, source, slot), contents(t, target, slot); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%d rows at the source, %d at the target", len(a), len(b))
	}
	if a, b := source.KeysIn(slot), target.KeysIn(slot); a != b {
		t.Errorf("%d keys at the source, %d at the target", a, b)
	}
}

// TestCollectGarbage: rows of queued objects go, with few range deletions, and a
// restart forgets nothing that was queued.
func TestCollectGarbage(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	e := openTest(t, o)
	const slot, objects = slots.Slot(5), 150
	for oid := range uint64(objects) {
		mustUpdate(t, e, slot, func(tx *Tx) {
			for i := range 5 {
				tx.putRow(append(format.AppendElement(nil, uint16(slot), oid, 1), byte(i)), []byte("v"))
			}
			if oid%10 != 9 { // the others stay
				tx.putRow(format.AppendGarbageKey(nil, uint16(slot), oid), nil)
			}
		})
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, o)
	defer e.Close()
	var set slots.Set
	set.Add(slot)
	for again := true; again; {
		var err error
		if again, err = e.CollectGarbage(testNow, &set); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, e, slot); len(got) != objects/10*5 {
		t.Errorf("%d rows are left, want %d", len(got), objects/10*5)
	}
}

// TestMissingSideFile: a replica that gets an import before its file says so, and
// nothing has changed.
func TestMissingSideFile(t *testing.T) {
	fs := vfs.NewMem()
	po, ro := smallOptions(fs), smallOptions(fs)
	po.Dir, ro.Dir = "primary", "replica"
	p, r := openTest(t, po), openTest(t, ro)
	defer p.Close()
	defer r.Close()
	var set slots.Set
	set.Add(8)
	im := p.NewImport(set)
	if err := im.Add(testRow(8, 1), []byte("v")); err != nil {
		t.Fatal(err)
	}
	im.SetCounters(8, Counters{Keys: 1})
	end, err := im.Commit(testNow)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := p.Log().NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	entry, err := reader.TryNext()
	if err != nil || entry.LSN != end || entry.Kind != log.KindImport {
		t.Fatalf("%+v %v", entry, err)
	}
	_, err = r.ApplyRecord(entry.Raw)
	var missing *MissingFileError
	if !errors.As(err, &missing) || r.Log().End() != 0 {
		t.Fatalf("applied at %d: %v", r.Log().End(), err)
	}
	if err := fs.Link(p.SideFile(missing.Name), missing.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ApplyRecord(entry.Raw); err != nil {
		t.Fatal(err)
	}
	if got := contents(t, r, 8); len(got) != 1 || r.KeysIn(8) != 1 {
		t.Errorf("%d rows, %d keys after the import", len(got), r.KeysIn(8))
	}
}

// TestWritersWaitForTheFlusher: with the flusher held up writers stop at the bound
// on dirty bytes, hold no slot meanwhile, and go on afterwards.
func TestWritersWaitForTheFlusher(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.MaxDirtyBytes, o.GenerationBytes = 64<<10, 32<<10
	e := openTest(t, o)
	defer e.Close()
	e.flushing.Lock()
	done := make(chan error)
	go func() {
		for i := range 500 {
			if err := putOne(e, 1, i, 1000); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	until(t, "a writer waits", func() bool { return e.Stats().Stalls > 0 })
	if dirty := e.table.DirtyBytes(); dirty > o.MaxDirtyBytes+2048 {
		t.Errorf("%d bytes are dirty, bound %d", dirty, o.MaxDirtyBytes)
	}
	_ = contents(t, e, 1) // a reader gets in
	e.flushing.Unlock()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the writer did not go on")
	}
}

// TestReadsOfAFlushedSlot: between the record and the store's own work a flushed
// slot is empty, and takes writes.
func TestReadsOfAFlushedSlot(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	e := openTest(t, o)
	for i := range 20 {
		mustUpdate(t, e, 9, func(tx *Tx) { tx.putRow(testRow(9, i), []byte("old")) })
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	b := format.Barrier{Ranges: []format.SlotRange{{First: 9, Last: 9}}}
	rec := &log.Record{Kind: log.KindExcise, Payload: format.AppendExcise(nil, b.Ranges), Deltas: []log.Delta{{Slot: 9}}}
	e.flushing.Lock()
	if err := e.barrier(&b, rec, nil, nil); err != nil {
		t.Fatal(err)
	}
	e.waiting = append(e.waiting, waitingBarrier{Barrier: b, lsn: rec.LSN})
	mustUpdate(t, e, 9, func(tx *Tx) {
		if v, ok, err := tx.getRow(testRow(9, 1)); ok || err != nil {
			t.Errorf("a flushed row reads %q, %v", v, err)
		}
		tx.putRow(testRow(9, 100), []byte("new"))
	})
	if got := contents(t, e, 9); len(got) != 1 {
		t.Errorf("%d rows before the excise, want 1", len(got))
	}
	e.flushing.Unlock()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e = openTest(t, o)
	defer e.Close()
	if got := contents(t, e, 9); len(got) != 1 {
		t.Errorf("%d rows after a restart, want 1", len(got))
	}
}
