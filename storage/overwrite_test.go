package storage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// gateFunc makes a Gate of a function.
type gateFunc func() bool

func (f gateFunc) Open() bool { return f() }

var openGate = gateFunc(func() bool { return true })

// crashStrings are names of strings in each of the crash harness's slots.
var crashStrings = sync.OnceValue(func() map[slots.Slot][][]byte {
	names, missing := map[slots.Slot][][]byte{}, len(crashSlots)
	for _, s := range crashSlots {
		names[s] = nil
	}
	for i := 0; missing > 0; i++ {
		name := fmt.Appendf(nil, "{%d}", i)
		if list, takes := names[slots.Of(name)]; takes && list == nil {
			names[slots.Of(name)] = [][]byte{append(name, 'a'), append(name, 'b'), append(name, 'c')}
			missing--
		}
	}
	return names
})

// overwrite sets a string in place, or as usual where that cannot be. The model hears of either.
func (r *crashRun) overwrite(s slots.Slot, rng *rand.Rand) error {
	names := crashStrings()[s]
	key, value := names[rng.IntN(len(names))], fmt.Appendf(nil, "%0*d", 20+8*rng.IntN(2), rng.Uint32())
	row := format.AppendMetaKey(nil, uint16(s), 0, key)
	var o Overwrite
	ev := &event{kind: log.KindBatch}
	lsn, done := r.e.Overwrite(&o, testNow, s, key, value, gateFunc(func() bool {
		ev.payload = append(bytes.Clone(o.record.Payload), value...)
		d := o.deltas[0]
		ev.deltas = []delta{{slot: d.Slot, bytes: d.Bytes, nextOID: d.NextOID}}
		facts := r.facts[s]
		if !facts.barrier.Load() {
			_ = format.EachOp(ev.payload, func(_ byte, _, value []byte) error {
				facts.rows[string(row)] = string(value)
				return nil
			})
		}
		return true
	}))
	if done {
		ev.lsn = lsn
		r.add(ev)
		return nil
	}
	return r.logged([]slots.Slot{s}, func(tx *Tx) error {
		if _, _, err := r.read(tx, row); err != nil {
			return err
		}
		_, err := tx.StringSet(key, value, SetOptions{})
		return err
	})
}

// TestOverwriteIsStringSet: what is overwritten in place leaves the same log, byte for byte, the same counters and the
// same rows as what is not, flushes between.
func TestOverwriteIsStringSet(t *testing.T) {
	for seed := range uint64(4) {
		direct, usual := openTest(t, smallOptions(vfs.NewMem())), openTest(t, smallOptions(vfs.NewMem()))
		rng := rand.New(rand.NewPCG(seed, 1))
		var o Overwrite
		overwritten := 0
		for i := range 3000 {
			now := testNow + int64(i)
			key := fmt.Appendf(nil, "key:%d", rng.IntN(10))
			slot := slots.Of(key)
			ss := []slots.Slot{slot}
			both := func(f func(tx *Tx) error) {
				for _, e := range []*Engine{direct, usual} {
					if _, err := e.Update(now, ss, OpFunc(f)); err != nil {
						t.Fatal(err)
					}
				}
			}
			switch n := rng.IntN(100); {
			case n == 0:
				for _, e := range []*Engine{direct, usual} {
					if err := e.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			case n < 3:
				both(func(tx *Tx) error { _, _, err := tx.StringGetDel(key); return ignoreWrongType(err) })
			case n < 5:
				both(func(tx *Tx) error {
					_, err := tx.StringSet(key, []byte("expires"), SetOptions{ExpireAt: now + 100})
					return err
				})
			case n < 6:
				both(func(tx *Tx) error { _, err := tx.StringIncr(key, 1); return ignoreNumber(ignoreWrongType(err)) })
			default:
				value := fmt.Appendf(nil, "%0*d", 1+rng.IntN(30), rng.Uint32N(1000))
				if rng.IntN(2) == 0 {
					value = append(value, "text that is rather long, or not so long"[:rng.IntN(40)]...)
				}
				set := OpFunc(func(tx *Tx) error { _, err := tx.StringSet(key, value, SetOptions{}); return err })
				if _, done := direct.Overwrite(&o, now, slot, key, value, openGate); done {
					overwritten++
				} else if _, err := direct.Update(now, ss, set); err != nil {
					t.Fatal(err)
				}
				if _, err := usual.Update(now, ss, set); err != nil {
					t.Fatal(err)
				}
			}
			if a, b := direct.log.Tip(), usual.log.Tip(); a != b {
				t.Fatalf("seed %d, operation %d: the log is at %+v, want %+v", seed, i, a, b)
			}
			if a, b := direct.Counters(slot), usual.Counters(slot); a != b {
				t.Fatalf("seed %d, operation %d: counters %+v, want %+v", seed, i, a, b)
			}
			mustHoldSame(t, direct, usual, slot)
		}
		if overwritten < 300 {
			t.Errorf("seed %d: only %d of 3000 were overwritten in place", seed, overwritten)
		}
		direct.Close()
		usual.Close()
	}
}

func ignoreWrongType(err error) error {
	if err == ErrWrongType {
		return nil
	}
	return err
}

func ignoreNumber(err error) error {
	if err == ErrNotInteger {
		return nil
	}
	return err
}

func mustHoldSame(t *testing.T, a, b *Engine, slot slots.Slot) {
	t.Helper()
	got, err := slotContents(a, slot)
	want, err2 := slotContents(b, slot)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("rows %q, want %q", got, want)
	}
}

// TestOverwriteIsLeftToOthers: wherever anybody must hear of a change, may forbid it, or
// the row is not as it must be, Overwrite does nothing.
func TestOverwriteIsLeftToOthers(t *testing.T) {
	key, value := []byte("key"), []byte("some value")
	slot := slots.Of(key)
	set := func(o SetOptions, name, text []byte) func(t *testing.T, e *Engine) {
		return func(t *testing.T, e *Engine) {
			mustUpdate(t, e, slot, func(tx *Tx) {
				if _, err := tx.StringSet(name, text, o); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
	plain := set(SetOptions{}, key, value)
	and := func(f func(e *Engine)) func(t *testing.T, e *Engine) {
		return func(t *testing.T, e *Engine) { plain(t, e); f(e) }
	}
	until := func(f, undo func(e *Engine)) func(t *testing.T, e *Engine) {
		return func(t *testing.T, e *Engine) {
			plain(t, e)
			f(e)
			t.Cleanup(func() { undo(e) }) // before the engine is closed
		}
	}
	var w Watcher
	h := NewHold()
	for _, c := range []struct {
		name    string
		prepare func(t *testing.T, e *Engine)
		done    bool
	}{
		{"a string of this generation", plain, true},
		{"no key", func(*testing.T, *Engine) {}, false},
		{"a key that is gone", and(func(e *Engine) {
			mustUpdate(t, e, slot, func(tx *Tx) { _, _, _ = tx.StringGetDel(key) })
		}), false},
		{"one that expires", set(SetOptions{ExpireAt: testNow + 1000}, key, value), false},
		{"another size", set(SetOptions{}, key, []byte("a value that is much longer than the other one")), false},
		{"a large one", set(SetOptions{}, key, make([]byte, InlineString+1)), false},
		{"a hash", func(t *testing.T, e *Engine) {
			mustUpdate(t, e, slot, func(tx *Tx) {
				hash, err := tx.Hash(key)
				if err == nil {
					_, err = hash.Set([]byte("f"), []byte("v"))
				}
				if err != nil {
					t.Fatal(err)
				}
			})
		}, false},
		{"a row that is clean", and(func(e *Engine) {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}), false},
		{"a generation that was cut", and(func(e *Engine) { e.cut() }), false},
		{"a watched key", and(func(e *Engine) {
			mustUpdate(t, e, slot, func(tx *Tx) { _ = tx.Watch(&w, key) })
		}), false},
		{"a held key", and(func(e *Engine) {
			mustUpdate(t, e, slot, func(tx *Tx) { _ = tx.Hold(h, [][]byte{key}) })
		}), false},
		{"somebody waiting in the slot", until(func(e *Engine) { e.slots[slot].waiters.Store(1) }, func(e *Engine) { e.slots[slot].waiters.Store(0) }), false},
		{"a slot that is being replaced", until(func(e *Engine) { e.slots[slot].busy = make(chan struct{}) }, func(e *Engine) { e.slots[slot].busy = nil }), false},
		{"events", and(func(e *Engine) { e.SetEvents(EventGeneric) }), false},
		{"a follower", and(func(e *Engine) { e.SetFollower(true) }), false},
		{"a full disk", until(func(e *Engine) { e.full.Store(true) }, func(e *Engine) { e.full.Store(false) }), false},
		{"a slot that is locked", until(func(e *Engine) { e.table.RLock(slot) }, func(e *Engine) { e.table.RUnlock(slot) }), false},
		{"an engine that failed", until(func(e *Engine) { err := ErrUnavailable; e.fatal.Store(&err) }, func(e *Engine) { e.fatal.Store(nil) }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := openTest(t, smallOptions(vfs.NewMem()))
			t.Cleanup(func() { e.Close() })
			c.prepare(t, e)
			end := e.log.End()
			var o Overwrite
			lsn, done := e.Overwrite(&o, testNow, slot, key, []byte("another val"), openGate)
			if done != c.done || done != (e.log.End() > end) || done && lsn != e.log.End() {
				t.Errorf("done %v at %d, the log went from %d to %d; want done %v", done, lsn, end, e.log.End(), c.done)
			}
		})
	}
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	plain(t, e)
	end := e.log.End()
	var o Overwrite
	if _, done := e.Overwrite(&o, testNow, slot, key, value, gateFunc(func() bool { return false })); done || e.log.End() != end {
		t.Error("it went through a closed gate")
	}
	long := bytes.Repeat([]byte("k"), maxOverwriteKey+1)
	mustUpdate(t, e, slots.Of(long), func(tx *Tx) { _, _ = tx.StringSet(long, value, SetOptions{}) })
	if _, done := e.Overwrite(&o, testNow, slots.Of(long), long, value, openGate); done {
		t.Error("a key that is longer than its room was overwritten")
	}
}
