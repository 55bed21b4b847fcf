package storage

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"cobble/slots"
	"cobble/storage/format"
)

func newStringEngine(t *testing.T) *Engine {
	t.Helper()
	e, err := Open(Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// on runs f on the slot of key.
func on(t *testing.T, e *Engine, key string, f func(tx *Tx) error) error {
	t.Helper()
	_, err := e.Update(1, []slots.Slot{slots.Of([]byte(key))}, OpFunc(f))
	return err
}

// TestHugeString sets, changes, copies and deletes a long string: 24 MB, or with
// COBBLE_BIG=1 the largest there is, 512 MB.
func TestHugeString(t *testing.T) {
	size := 24 << 20
	if os.Getenv("COBBLE_BIG") != "" {
		size = MaxString
	}
	e := newStringEngine(t)
	key := []byte("k")
	want := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	do := func(f func(tx *Tx) error) {
		t.Helper()
		if err := on(t, e, "k", f); err != nil {
			t.Fatal(err)
		}
	}
	same := func(k string) {
		t.Helper()
		do(func(tx *Tx) error {
			got, ok, err := tx.StringGet([]byte(k))
			if err == nil && (!ok || !bytes.Equal(got, want)) {
				t.Fatalf("%s: wrong value, %d bytes", k, len(got))
			}
			return err
		})
	}
	do(func(tx *Tx) error { _, err := tx.StringSet(key, want, SetOptions{}); return err })
	same("k")
	if err := e.Flush(); err != nil { // out of the row table, into the store
		t.Fatal(err)
	}
	copy(want[size/2:], "changed")
	do(func(tx *Tx) error { _, err := tx.StringSetRange(key, int64(size/2), []byte("changed")); return err })
	same("k")
	do(func(tx *Tx) error { _, err := tx.Copy(key, []byte("{k}2"), false); return err })
	do(func(tx *Tx) error { _, err := tx.Rename(key, []byte("{k}3"), false); return err })
	same("{k}2")
	same("{k}3")
	if size == MaxString {
		err := on(t, e, "k", func(tx *Tx) error { _, err := tx.StringAppend([]byte("{k}2"), []byte("x")); return err })
		if err != ErrTooLarge {
			t.Fatalf("APPEND to the largest string: %v", err)
		}
	}
	do(func(tx *Tx) error { _, err := tx.Delete([]byte("{k}2")); return err })
	do(func(tx *Tx) error { _, err := tx.Delete([]byte("{k}3")); return err })
	if c := e.Counters(slots.Of(key)); c.Keys != 0 || c.Bytes != 0 {
		t.Errorf("after DEL: %+v", c)
	}
}

// A bit far out must not cost what lies before it.
func TestSparseStringStoresOneChunk(t *testing.T) {
	e := newStringEngine(t)
	key := []byte("k")
	const maxBit = int64(MaxString) * 8
	if err := on(t, e, "k", func(tx *Tx) error {
		if _, err := tx.BitSet(key, maxBit-1, true); err != nil {
			return err
		}
		lo := format.AppendKind(nil, uint16(slots.Of(key)), format.KindElement)
		it := tx.iter(lo, format.AppendKind(nil, uint16(slots.Of(key)), format.KindElement+1))
		rows := 0
		for ok := it.First(); ok; ok = it.Next() {
			rows++
		}
		if rows != 1 {
			t.Errorf("%d rows", rows)
		}
		return it.Close()
	}); err != nil {
		t.Fatal(err)
	}
	if err := on(t, e, "k", func(tx *Tx) error {
		n, err := tx.BitCount(key, BitRange{Open: true})
		at, err2 := tx.BitPos(key, true, BitRange{Open: true})
		if err == nil && err2 == nil && (n != 1 || at != maxBit-1) {
			t.Errorf("%d bits, first at %d", n, at)
		}
		return errors.Join(err, err2)
	}); err != nil {
		t.Fatal(err)
	}
}

// TestSweeperRefilesWhatWasPutOff holds the sweeper to its batches and to the index.
func TestSweeperRefilesWhatWasPutOff(t *testing.T) {
	e := newStringEngine(t)
	const keys = 200
	name := func(i int) []byte { return []byte{'{', 'k', '}', byte(i)} }
	update := func(now int64, f func(tx *Tx) error) {
		t.Helper()
		if _, err := e.Update(now, []slots.Slot{slots.Of([]byte("k"))}, OpFunc(f)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		update(1, func(tx *Tx) error {
			_, err := tx.StringSet(name(i), []byte("v"), SetOptions{ExpireAt: 100})
			return err
		})
	}
	for i := range keys / 2 { // put off: the index still says 100
		update(2, func(tx *Tx) error { _, err := tx.Expire(name(i), 1000, ExpireAlways); return err })
	}
	slot := slots.Of([]byte("k"))
	sweep := func(now int64, limit, looked int, left int64) {
		t.Helper()
		n, err := e.SweepExpired(now, limit)
		if err != nil || n != looked || e.KeysIn(slot) != left {
			t.Fatalf("sweep at %d: looked at %d rows, %d keys left, want %d and %d (%v)", now, n, e.KeysIn(slot), looked, left, err)
		}
	}
	sweep(100, 1000, 0, keys) // in the millisecond that it names, a key still lives
	n, err := e.SweepExpired(101, 10)
	if err != nil || n != 10 {
		t.Fatalf("a bounded sweep looked at %d rows (%v)", n, err)
	}
	sweep(101, 1000, keys-10, keys/2)
	if at := e.NextExpiry(slot); at != 1000 {
		t.Errorf("next expiry %d", at)
	}
	sweep(1000, 1000, 0, keys/2)
	sweep(1001, 1000, keys/2, 0)
	if c := e.Counters(slot); c.Keys != 0 || c.Expires != 0 || c.Bytes != 0 || e.NextExpiry(slot) != 0 {
		t.Errorf("after all: %+v, next %d", c, e.NextExpiry(slot))
	}
	if e.ExpiredKeys() != keys {
		t.Errorf("%d expired", e.ExpiredKeys())
	}
}

// A sweep goes on behind the rows that it has removed, and still finds one that came to
// stand before that place in between.
func TestSweeperGoesOn(t *testing.T) {
	e := newStringEngine(t)
	slot := slots.Of([]byte("k"))
	set := func(key string, at int64) {
		t.Helper()
		if _, err := e.Update(1, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			_, err := tx.StringSet([]byte(key), []byte("v"), SetOptions{ExpireAt: at})
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
	sweep := func(left int64) {
		t.Helper()
		if _, err := e.SweepExpired(200, sweepRows); err != nil || e.KeysIn(slot) != left {
			t.Fatalf("%d keys left, want %d (%v)", e.KeysIn(slot), left, err)
		}
	}
	for i := range 3 * sweepRows {
		set(fmt.Sprintf("{k}%04d", i), 100)
	}
	sweep(2 * sweepRows)
	if e.sweepRow.Load() == nil {
		t.Fatal("the next sweep begins again")
	}
	set("{k}another", 100)
	set("{k}before", 50)
	sweep(sweepRows + 2)
	sweep(2)
	sweep(0)
	if place := e.sweepRow.Load(); place != nil || e.NextExpiry(slot) != 0 {
		t.Fatalf("after all: %+v, next %d", place, e.NextExpiry(slot))
	}
}

// What the sweeper files again is no change of the key: an EXEC after WATCH must not fail for it.
func TestSweeperDoesNotBreakWatches(t *testing.T) {
	e := newStringEngine(t)
	key, other := []byte("{k}put off"), []byte("{k}expires")
	slot := []slots.Slot{slots.Of(key)}
	var w, wo Watcher
	update := func(now int64, f func(tx *Tx) error) {
		t.Helper()
		if _, err := e.Update(now, slot, OpFunc(f)); err != nil {
			t.Fatal(err)
		}
	}
	set := func(tx *Tx) error {
		_, err := tx.StringSet(key, []byte("v"), SetOptions{ExpireAt: 100})
		_, err2 := tx.StringSet(other, []byte("v"), SetOptions{ExpireAt: 100})
		return errors.Join(err, err2)
	}
	update(1, set)
	update(2, func(tx *Tx) error { _, err := tx.Expire(key, 1000, ExpireAlways); return err })
	update(3, func(tx *Tx) error { return errors.Join(tx.Watch(&w, key), tx.Watch(&wo, other)) })
	if n, err := e.SweepExpired(200, 10); n != 2 || err != nil {
		t.Fatalf("looked at %d rows (%v)", n, err)
	}
	if w.Dirty() {
		t.Error("the sweeper filed a watched key's expiry again, and the watch says that the key has changed")
	}
	if !wo.Dirty() {
		t.Error("the sweeper removed a watched key, and the watch says nothing")
	}
	update(201, func(tx *Tx) error { _, err := tx.Expire(key, 2000, ExpireAlways); return err })
	if !w.Dirty() {
		t.Error("EXPIRE of a watched key, and the watch says nothing")
	}
}

// A key lives up to and with the millisecond that its expiry names, as in Redis.
func TestKeyLivesInItsLastMillisecond(t *testing.T) {
	e := newStringEngine(t)
	key := []byte("k")
	slot := slots.Of(key)
	live := func(now int64) (live bool, listed int) {
		t.Helper()
		_, err := e.View(now, slot, OpFunc(func(tx *Tx) error {
			_, ok, err := tx.StringGet(key)
			keys, err2 := tx.KeysInSlot(slot, 10)
			live, listed = ok, len(keys)
			return errors.Join(err, err2)
		}))
		if err != nil {
			t.Fatal(err)
		}
		return live, listed
	}
	set := func(at int64) {
		t.Helper()
		if _, err := e.Update(50, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			_, err := tx.StringSet(key, []byte("v"), SetOptions{ExpireAt: at})
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
	set(100)
	for now, want := range map[int64]bool{99: true, 100: true, 101: false} {
		if got, listed := live(now); got != want || (listed == 1) != want {
			t.Errorf("at %d of a key that expires at 100: found %v, listed %d times", now, got, listed)
		}
	}
	set(50)
	if got, _ := live(50); !got {
		t.Error("SET with an expiry of this very millisecond: the key is gone before it is over")
	}
}

// What came to stand before the place of a sweep is found also if as many rows are due from that place on as a sweep looks at.
func TestSweeperLooksBeforeItsPlace(t *testing.T) {
	e := newStringEngine(t)
	slot := slots.Of([]byte("k"))
	set := func(key string, at int64) {
		update(t, e, "k", func(tx *Tx) error {
			_, err := tx.StringSet([]byte(key), []byte("v"), SetOptions{ExpireAt: at})
			return err
		})
	}
	for i := range 2 * sweepRows {
		set(fmt.Sprintf("{k}%04d", i), testNow+100)
	}
	for _, left := range []int64{sweepRows + 1, 1, 0} {
		if _, err := e.SweepExpired(testNow+200, sweepRows); err != nil {
			t.Fatal(err)
		}
		if left > sweepRows {
			set("{k}before", testNow+50)
		}
		if n := e.KeysIn(slot); n != left {
			t.Errorf("%d keys left, want %d", n, left)
		}
	}
}
