package storage

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cobble/slots"
	"cobble/storage/log"
)

// While the log has a giant record to write, a caller that cannot wait is not let in where
// it would have to wait for that: not to write, and not to read what the record changes.
// It reads other slots.
func TestNobodyInAHurryWaitsForAGiantRecord(t *testing.T) {
	var disk sync.RWMutex // held while the log's files take nothing
	o := smallOptions(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "/log/") {
			disk.RLock()
			defer disk.RUnlock()
		}
		return nil
	})))
	o.Budget, o.GenerationBytes, o.MaxDirtyBytes, o.SegmentBytes = 512<<20, 128<<20, 256<<20, 64<<20
	e := openTest(t, o)
	defer e.Close()
	key := []byte("key")
	giant, other := slots.Slot(3), slots.Of(key)
	write := func(slot slots.Slot) error {
		_, err := e.TryUpdate(testNow, slot, OpFunc(func(tx *Tx) error { tx.putRow(testRow(slot, 1), []byte("v")); return nil }))
		return err
	}
	read := func(slot slots.Slot) error {
		_, err := e.TryView(testNow, slot, OpFunc(func(tx *Tx) error { return nil }))
		return err
	}
	mustUpdate(t, e, other, func(tx *Tx) { _, _ = tx.StringSet(key, []byte("v"), SetOptions{}) })
	check := func(when string, want [4]error) {
		t.Helper()
		var room Overwrite
		if _, done := e.Overwrite(&room, testNow, other, key, []byte("w"), openGate); done != (want[1] == nil) {
			t.Errorf("%s: overwritten in place: %v", when, done)
		}
		if got := [4]error{write(giant), write(other), read(giant), read(other)}; got != want {
			t.Errorf("%s: %v, not %v", when, got, want)
		}
	}
	check("before", [4]error{})
	if err := e.Await(e.Log().End()); err != nil {
		t.Fatal(err)
	}
	value := bytes.Repeat([]byte("v"), 1<<20)
	disk.Lock()
	lsn := mustUpdate(t, e, giant, func(tx *Tx) {
		for i := range log.DefaultBufferBytes>>20 + 1 {
			tx.putRow(testRow(giant, i), value)
		}
	})
	check("meanwhile", [4]error{ErrWouldBlock, ErrWouldBlock, ErrWouldBlock, nil})
	disk.Unlock()
	if err := e.Await(lsn); err != nil {
		t.Fatal(err)
	}
	check("after", [4]error{})
}

// A transaction in a hurry writes no megabytes, and reads no strings of megabytes.
func TestNobodyInAHurryMovesMegabytes(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.Budget, o.GenerationBytes, o.MaxDirtyBytes, o.SegmentBytes = 512<<20, 128<<20, 256<<20, 64<<20
	e := openTest(t, o)
	defer e.Close()
	key := []byte("key")
	slot := slots.Of(key)
	for _, x := range []struct {
		bytes int
		want  error
	}{{patientBytes / 2, nil}, {patientBytes + 1, ErrWouldBlock}} {
		set := &setOp{key: key, value: make([]byte, x.bytes)}
		if _, err := e.TryUpdate(testNow, slot, set); err != x.want {
			t.Errorf("writing %d bytes: %v, not %v", x.bytes, err, x.want)
		}
		lsn, err := e.Update(testNow, []slots.Slot{slot}, set)
		if err == nil {
			err = e.Await(lsn)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = e.TryView(testNow, slot, OpFunc(func(tx *Tx) error {
			_, _, err := tx.StringGet(key)
			return err
		}))
		if err != x.want {
			t.Errorf("reading %d bytes: %v, not %v", x.bytes, err, x.want)
		}
	}
}
