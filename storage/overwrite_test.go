package storage

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// gateFunc makes a Gate of a function.
type gateFunc func() bool

func (f gateFunc) Open() bool { return f() }

var openGate = gateFunc(func() bool { return true })

// crashStrings are names of strings in each of the crash harness's slots; those from crashCounters on hold integers.
var crashStrings = sync.OnceValue(func() map[slots.Slot][][]byte {
	names, missing := map[slots.Slot][][]byte{}, len(crashSlots)
	for _, s := range crashSlots {
		names[s] = nil
	}
	for i := 0; missing > 0; i++ {
		name := fmt.Appendf(nil, "{%d}", i)
		if list, takes := names[slots.Of(name)]; takes && list == nil {
			names[slots.Of(name)] = nil
			for _, end := range []byte("abcdef") {
				names[slots.Of(name)] = append(names[slots.Of(name)], append(bytes.Clone(name), end))
			}
			missing--
		}
	}
	return names
})

const crashCounters = 3

// overwrite sets a string in place, or adds to one, or as usual where that cannot be. The model hears of either.
func (r *crashRun) overwrite(s slots.Slot, rng *rand.Rand) error {
	names := crashStrings()[s]
	which := rng.IntN(len(names))
	key, value := names[which], fmt.Appendf(nil, "%0*d", 20+8*rng.IntN(2), rng.Uint32())
	by := int64(rng.Uint32())
	row := format.AppendMetaKey(nil, uint16(s), 0, key)
	var o Overwrite
	ev := &event{kind: log.KindBatch}
	gate := gateFunc(func() bool {
		ev.payload = append(bytes.Clone(o.record.Payload), o.record.Tail...)
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
	})
	var lsn LSN
	var done bool
	if which < crashCounters {
		lsn, done = r.e.Overwrite(&o, testNow, s, key, value, gate)
	} else {
		_, lsn, done = r.e.OverwriteSum(&o, testNow, s, key, by, gate)
	}
	if done {
		ev.lsn = lsn
		r.add(ev)
		return nil
	}
	return r.logged([]slots.Slot{s}, func(tx *Tx) error {
		if _, _, err := r.read(tx, row); err != nil {
			return err
		}
		if which < crashCounters {
			_, err := tx.StringSet(key, value, SetOptions{})
			return err
		}
		_, err := tx.StringIncr(key, by)
		return err
	})
}

// TestOverwriteIsStringSet: what is overwritten in place leaves the same log, byte for byte, the same counters and the
// same rows as what is not, flushes between. So does what is added in place, with the same sum.
func TestOverwriteIsStringSet(t *testing.T) {
	seeds := uint64(4)
	if raceEnabled {
		seeds = 2
	}
	for seed := range seeds {
		direct, usual := openTest(t, smallOptions(vfs.NewMem())), openTest(t, smallOptions(vfs.NewMem()))
		rng := rand.New(rand.NewPCG(seed, 1))
		var o Overwrite
		overwritten, added := 0, 0
		for i := range 6000 {
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
			case n < 8: // to be counted with: far from what is too large, or not
				value := strconv.AppendInt(nil, []int64{0, 1, -1, math.MaxInt64, math.MinInt64}[rng.IntN(5)]/int64(1+99*rng.IntN(2)), 10)
				both(func(tx *Tx) error { _, err := tx.StringSet(key, value, SetOptions{}); return err })
			case n < 50:
				by := int64(rng.Uint64()) >> rng.IntN(64)
				var inPlace, asUsual struct {
					sum int64
					err error
				}
				sumOf := func(e *Engine) (sum int64, incrErr error) {
					_, err := e.Update(now, ss, OpFunc(func(tx *Tx) error {
						sum, incrErr = tx.StringIncr(key, by)
						return incrErr
					}))
					if err != incrErr {
						t.Fatal(err)
					}
					return sum, incrErr
				}
				var done bool
				if inPlace.sum, _, done = direct.OverwriteSum(&o, now, slot, key, by, openGate); done {
					added++
				} else {
					inPlace.sum, inPlace.err = sumOf(direct)
				}
				if asUsual.sum, asUsual.err = sumOf(usual); inPlace != asUsual {
					t.Fatalf("seed %d, operation %d: adding %d made %+v, want %+v (in place: %v)", seed, i, by, inPlace, asUsual, done)
				}
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
			if i%8 == 0 { // the next change of a row that is not as it should be differs
				mustHoldSame(t, direct, usual, slot)
			}
		}
		if overwritten < 300 || added < 100 {
			t.Errorf("seed %d: of 6000 only %d were overwritten, and %d added to, in place", seed, overwritten, added)
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
// the row is not as it must be, neither Overwrite nor OverwriteSum does anything.
func TestOverwriteIsLeftToOthers(t *testing.T) {
	key, value := []byte("key"), []byte("1234567890")
	value80 := bytes.Repeat([]byte("v"), 80)
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
				hash.Save()
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
		{"a held key that is not watched yet", and(func(e *Engine) {
			h := NewHold()
			mustUpdate(t, e, slot, func(tx *Tx) { _ = tx.Hold(h, [][]byte{key}) })
			e.Unwatch(&h.watch)
		}), false},
		{"somebody waiting in the slot", until(func(e *Engine) { e.slots[slot].waiters.Store(1) }, func(e *Engine) { e.slots[slot].waiters.Store(0) }), false},
		{"a slot that is being replaced", until(func(e *Engine) { e.slots[slot].busy = make(chan struct{}) }, func(e *Engine) { e.slots[slot].busy = nil }), false},
		{"events", and(func(e *Engine) { e.SetEvents(EventGeneric) }), false},
		{"a follower", and(func(e *Engine) { e.SetFollower(true) }), false},
		{"a full disk", until(func(e *Engine) { e.full.Store(true) }, func(e *Engine) { e.full.Store(false) }), false},
		{"a slot that is locked", until(func(e *Engine) { e.table.RLock(slot) }, func(e *Engine) { e.table.RUnlock(slot) }), false},
		{"a flusher that is behind", until(func(e *Engine) { e.limits.dirty.Store(1) }, func(e *Engine) { e.limits.dirty.Store(1 << 20) }), false},
		{"an engine that is being closed", until(func(e *Engine) { e.closed.Store(true) }, func(e *Engine) { e.closed.Store(false) }), false},
		{"an engine that failed", until(func(e *Engine) { err := ErrUnavailable; e.fatal.Store(&err) }, func(e *Engine) { e.fatal.Store(nil) }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := openTest(t, smallOptions(vfs.NewMem()))
			t.Cleanup(func() { e.Close() })
			c.prepare(t, e)
			end := e.log.End()
			var o Overwrite
			sum, lsn, done := e.OverwriteSum(&o, testNow, slot, key, 1, openGate)
			if done != c.done || done != (e.log.End() > end) || done && (lsn != e.log.End() || sum != 1234567891) {
				t.Errorf("sum %d done %v at %d, the log went from %d to %d; want done %v", sum, done, lsn, end, e.log.End(), c.done)
			}
			end = e.log.End()
			lsn, done = e.Overwrite(&o, testNow, slot, key, []byte("another val"), openGate)
			if done != c.done || done != (e.log.End() > end) || done && lsn != e.log.End() {
				t.Errorf("done %v at %d, the log went from %d to %d; want done %v", done, lsn, end, e.log.End(), c.done)
			}
			for n := 0; n < 80 && !c.done; n++ { // of whatever size what stands there is
				if _, done := e.Overwrite(&o, testNow, slot, key, value80[:n], openGate); done || e.log.End() > end {
					t.Fatalf("%d bytes went in place", n)
				}
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
	if _, _, done := e.OverwriteSum(&o, testNow, slot, key, 1, gateFunc(func() bool { return false })); done || e.log.End() != end {
		t.Error("it added through a closed gate")
	}
	if _, done := e.Overwrite(&o, testNow, slot, key, []byte("a value that is much longer than the other one"), openGate); done {
		t.Error("a value of another size went in place")
	}
	full := make([]byte, InlineString+1) // of a size with a byte less, where it would fit but must not be
	set(SetOptions{}, key, full[:InlineString])(t, e)
	if _, done := e.Overwrite(&o, testNow, slot, key, full[1:], openGate); !done {
		t.Error("a value that is as large as a row may be was not overwritten")
	}
	if _, done := e.Overwrite(&o, testNow, slot, key, full, openGate); done {
		t.Error("a value that needs chunks went in place")
	}
	long := bytes.Repeat([]byte("k"), maxOverwriteKey+1)
	mustUpdate(t, e, slots.Of(long), func(tx *Tx) { _, _ = tx.StringSet(long, value, SetOptions{}) })
	if _, done := e.Overwrite(&o, testNow, slots.Of(long), long, value, openGate); done {
		t.Error("a key that is longer than its room was overwritten")
	}
	if _, _, done := e.OverwriteSum(&o, testNow, slots.Of(long), long, 1, openGate); done {
		t.Error("a key that is longer than its room was added to")
	}
}

// TestSumsInPlace: an integer is added to in place; what is none, as Redis reads integers, and a sum that is too large, or
// longer than the row has room for, are left to others.
func TestSumsInPlace(t *testing.T) {
	const most, least = "9223372036854775807", "-9223372036854775808"
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	var o Overwrite
	for _, c := range []struct {
		text string
		by   int64
		done bool
		want string
	}{
		{"1", 1, true, "2"}, {"0", -1, true, "-1"}, {"10", -1, true, "9"}, {"-5", 5, true, "0"}, {"7", 0, true, "7"},
		{most, 0, true, most}, {most, 1, false, ""}, {most, -1, true, "9223372036854775806"}, {most, -2e18, true, "7223372036854775807"}, {"1", math.MaxInt64, false, ""},
		{least, 0, true, least}, {least, -1, false, ""}, {least, 2e18, true, "-7223372036854775808"}, {least, 1, true, "-9223372036854775807"}, {"-1", math.MinInt64, false, ""},
		{"9223372036854775808", -1, false, ""}, {"99999999999999999999", -1, false, ""}, {"123456789012345678901", 1, false, ""},
		{"", 1, false, ""}, {"-", 1, false, ""}, {"-0", 1, false, ""}, {"01", 1, false, ""}, {"+1", 1, false, ""}, {" 1", 1, false, ""}, {"1 ", 1, false, ""},
		{"1.0", 1, false, ""}, {"1e3", 1, false, ""}, {"abc", 1, false, ""}, {"1", 999_999_999_999_999, false, ""},
	} {
		key := []byte("count")
		slot := slots.Of(key)
		mustUpdate(t, e, slot, func(tx *Tx) { _, _ = tx.StringSet(key, []byte(c.text), SetOptions{}) })
		end := e.log.End()
		sum, lsn, done := e.OverwriteSum(&o, testNow, slot, key, c.by, openGate)
		if done != c.done || done && strconv.FormatInt(sum, 10) != c.want || done != (e.log.End() > end) || done && lsn != e.log.End() {
			t.Errorf("%q and %d: %d, done %v at %d, the log is at %d; want %q, done %v", c.text, c.by, sum, done, lsn, e.log.End(), c.want, c.done)
		}
		want := c.text
		if c.done {
			want = c.want
		}
		if _, err := e.View(testNow, slot, OpFunc(func(tx *Tx) error {
			got, _, err := tx.StringGet(key)
			if string(got) != want {
				t.Errorf("%q and %d left %q", c.text, c.by, got)
			}
			return err
		})); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOverwriteCountsAsUse: what is overwritten was used, and the log's reserve is for what does not grow.
func TestOverwriteCountsAsUse(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	key := []byte("key")
	slot := slots.Of(key)
	mustUpdate(t, e, slot, func(tx *Tx) { _, _ = tx.StringSet(key, []byte("12345"), SetOptions{}) })
	var o Overwrite
	now := testNow
	for _, value := range []string{"123456", "123", "abc"} {
		now += 100_000
		grows := o.deltas[0].Bytes // of the one before; the gate sees this one's
		_, done := e.Overwrite(&o, now, slot, key, []byte(value), gateFunc(func() bool {
			grows = o.deltas[0].Bytes
			return true
		}))
		if !done || o.record.Essential != (grows <= 0) {
			t.Errorf("%s: done %v, essential %v, grows by %d bytes", value, done, o.record.Essential, grows)
		}
		_, err := e.View(now, slot, OpFunc(func(tx *Tx) error {
			if idle, _, ok := tx.IdleTime(key); !ok || idle != 0 {
				t.Errorf("%s: idle for %d s (%v)", value, idle, ok)
			}
			tx.Touch(false)
			got, _, err := tx.StringGet(key)
			if string(got) != value {
				t.Errorf("%q, want %q", got, value)
			}
			return err
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOverwritesAskForAFlush: rows that are overwritten do not become more, but the log becomes longer. Somebody must ask
// for a flush.
func TestOverwritesAskForAFlush(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.ReplayBytes = 64 << 10
	e := openTest(t, o)
	defer e.Close()
	key := []byte("key")
	slot := slots.Of(key)
	mustUpdate(t, e, slot, func(tx *Tx) { _, _ = tx.StringSet(key, []byte("value"), SetOptions{}) })
	var room Overwrite
	for done := true; done; { // until a flush has cut the row's generation, or the flusher is behind
		_, done = e.Overwrite(&room, testNow, slot, key, []byte("other"), openGate)
	}
	for range 24_000 { // two minutes: a bound on a hang
		if e.Stats().Generations > 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("nothing was flushed after %d bytes of log", e.log.End())
}

// TestCutsMeetOverwrites: a cut is one exact state, and what is overwritten behind it stays out of it.
func TestCutsMeetOverwrites(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	key := []byte("key")
	slot := slots.Of(key)
	const cuts = 200
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range cuts {
			if err := e.Flush(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	var o Overwrite
	inPlace, last := 0, LSN(0)
	for n := 0; ; n++ {
		value := fmt.Appendf(nil, "%08d", n)
		lsn, done := e.Overwrite(&o, testNow, slot, key, value, openGate)
		if !done {
			var err error
			if lsn, err = e.Update(testNow, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
				_, err := tx.StringSet(key, value, SetOptions{})
				return err
			})); err != nil {
				t.Fatal(err)
			}
		} else {
			inPlace++
		}
		if last = lsn; e.Counters(slot).LSN != last {
			t.Fatalf("the slot is at %d behind a write at %d", e.Counters(slot).LSN, last)
		}
		if inPlace == 0 && n < 1<<20 {
			continue // not between these cuts; some are left, or there are none any more
		}
		select {
		case <-ended:
		default:
			continue
		}
		break
	}
	if inPlace == 0 {
		t.Error("nothing was overwritten in place")
	}
}
