package storage

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

// A row that was read ahead, and then changed, flushed and evicted, does not count any
// more; the mutant shows that the test would see it.
func TestWarmRowsAgeWithTheirSlot(t *testing.T) {
	for _, mutant := range []bool{false, true} {
		o := smallOptions(vfs.NewMem())
		o.mutant.warmStale = mutant
		e := openTest(t, o)
		e.table.SetMaxBytes(0)
		key := []byte("key")
		slot := slots.Of(key)
		put := func(value string) {
			if _, err := e.Update(testNow, []slots.Slot{slot}, &setOp{key: key, value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
			for i := range 20 { // the segment of the row must be full to be swept
				mustUpdate(t, e, slot+1, func(tx *Tx) { tx.putRow(testRow(slot+1, i), bytes.Repeat([]byte{1}, 8000)) })
			}
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		get := func(w *Warm) (got string, loads uint64) {
			before := e.stats.loads.Load()
			_, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
				tx.Use(w)
				v, _, err := tx.StringGet(key)
				got = string(v)
				return err
			}))
			if err != nil {
				t.Fatal(err)
			}
			return got, e.stats.loads.Load() - before
		}
		put("old")
		var w Warm
		e.table.RLock(slot) // so that the row is not put into the table
		err := e.Warm(&w, testNow, []WarmKey{{Key: key}})
		e.table.RUnlock(slot)
		if err != nil || len(w.rows) != 1 || !w.rows[0].ok {
			t.Fatalf("%d rows, %v", len(w.rows), err)
		}
		if got, loads := get(&w); got != "old" || loads != 0 {
			t.Fatalf("what was read ahead reads %q, after %d further reads", got, loads)
		}
		put("new")
		if got, _ := get(&w); (got == "old") != mutant {
			t.Errorf("mutant %v: the row reads %q", mutant, got)
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// coldEngine returns an engine on a disk where a read takes as long as look says, with
// rows of slot 6 that are in no memory, each in a block of its own.
func coldEngine(t *testing.T, look time.Duration, rows int) *Engine {
	t.Helper()
	o := smallOptions(vfs.NewMem())
	var clock atomic.Int64
	o.Now = func() time.Time { return time.Unix(0, clock.Add(int64(look))) }
	e := openTest(t, o)
	t.Cleanup(func() { _ = e.Close() })
	for i := range rows {
		mustUpdate(t, e, 6, func(tx *Tx) { tx.putRow(testRow(6, i), bytes.Repeat([]byte{1}, 5000)) })
	}
	if err := e.Forget(); err != nil {
		t.Fatal(err)
	}
	return e
}

// A caller that must not wait, the event loop, reads rows itself as long as that is
// quick. When the disk is slow it has read a few when it leaves the rest to those who
// may wait: hot rows are not held up by cold ones. (Counted, for time says nothing on a
// busy machine.)
func TestColdReadsLeaveWhoMustNotWait(t *testing.T) {
	const rows = 200
	for _, c := range []struct {
		look      time.Duration
		low, high uint64 // looks at the caller's expense
	}{{time.Microsecond, rows, rows}, {time.Second, 1, missLimit/missWeight + 1}} {
		e := coldEngine(t, c.look, rows)
		for i := range rows {
			_, err := e.TryView(testNow, 6, OpFunc(func(tx *Tx) error {
				_, _, err := tx.getRow(testRow(6, i))
				return err
			}))
			if err != nil && err != ErrWouldBlock {
				t.Fatal(err)
			}
		}
		if n := e.stats.loads.Load(); n < c.low || n > c.high {
			t.Errorf("looks that take %v each: %d of %d were made by a caller that must not wait", c.look, n, rows)
		}
	}
}

// What a pipeline needs from disk is read together: none of its commands waits after that.
func TestWarmPipelineDoesNotWait(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	var keys []WarmKey
	for i := range 16 {
		op := &setOp{key: fmt.Appendf(nil, "key:%d", i), value: []byte("value")}
		if _, err := e.Update(testNow, []slots.Slot{slots.Of(op.key)}, op); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, WarmKey{Key: op.key, Write: i%2 == 0})
	}
	keys = append(keys, WarmKey{Key: []byte("absent"), Write: true})
	if err := e.Forget(); err != nil {
		t.Fatal(err)
	}
	var w Warm
	before := e.stats.loads.Load()
	if err := e.Warm(&w, testNow, keys); err != nil {
		t.Fatal(err)
	}
	e.disk.score.Store(missMax)
	for _, k := range keys {
		var found bool
		look := OpFunc(func(tx *Tx) error {
			tx.Use(&w)
			entry, err := tx.Lookup(k.Key)
			found = entry.Live
			return err
		})
		try := e.TryView
		if k.Write {
			try = e.TryUpdate
		}
		if _, err := try(testNow, slots.Of(k.Key), look); err != nil || found == (string(k.Key) == "absent") {
			t.Errorf("%s: found %v, %v", k.Key, found, err)
		}
	}
	if n := e.stats.loads.Load() - before; n != uint64(len(keys)) {
		t.Errorf("%d rows were read for %d keys", n, len(keys))
	}
}
