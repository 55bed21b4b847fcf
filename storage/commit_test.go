package storage

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// While a long commit goes on a flush waits for it in a place where it holds up no
// other commit.
func TestLongCommitHoldsUpNobody(t *testing.T) {
	for _, m := range []mutants{{}, {longUnheeded: true}} {
		o := smallOptions(vfs.NewMem())
		o.mutant = m
		e := openTest(t, o)
		growList(t, e, 1000)
		e.longCommits.Lock() // as in appendAndApply
		e.commits.RLock()
		flushed := make(chan error, 1)
		go func() { flushed <- e.Flush() }()
		heldUp := false
		// The bug is waited for, however long the flush has to wait for a processor.
		for n, end := 0, time.Now().Add(time.Minute); !heldUp && (n < 200_000 || m.longUnheeded && time.Now().Before(end)); n++ {
			if heldUp = !e.commits.TryRLock(); !heldUp {
				e.commits.RUnlock()
				runtime.Gosched()
			}
		}
		e.commits.RUnlock()
		e.longCommits.Unlock()
		if err := <-flushed; err != nil {
			t.Fatal(err)
		}
		if heldUp != m.longUnheeded {
			t.Errorf("mutant %v: other commits are held up: %v", m.longUnheeded, heldUp)
		}
		_ = e.Close()
	}
}

// TestWriteSetOfManyRows: a write set that is applied with its rows asked for ahead leaves what its operations leave one by one,
// in their order, however often one row is written in it, and with ranges deleted between.
func TestWriteSetOfManyRows(t *testing.T) {
	const slot = slots.Slot(7)
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 3))
		whole, single := openTest(t, smallOptions(vfs.NewMem())), openTest(t, smallOptions(vfs.NewMem()))
		for oid := uint64(100); oid < 104; oid++ {
			var ops []func(tx *Tx)
			row := func() []byte {
				return format.AppendElement(nil, uint16(slot), oid+uint64(rng.IntN(2))*1000, byte(rng.IntN(20)))
			}
			for n := smallWriteSet + rng.IntN(4*applyAhead); len(ops) <= n; {
				key, value := row(), fmt.Appendf(nil, "%0*d", 1+rng.IntN(40), len(ops))
				switch rng.IntN(8) {
				case 0, 1, 2:
					ops = append(ops, func(tx *Tx) { tx.writes.del(key) })
				default:
					ops = append(ops, func(tx *Tx) { tx.writes.put(key, value) })
				}
			}
			// nothing of what goes is written behind that
			lo, hi := format.AppendObject(nil, uint16(slot), oid), format.AppendObject(nil, uint16(slot), oid+1)
			ops = append(ops, func(tx *Tx) { tx.writes.delRange(lo, hi) })
			for range rng.IntN(2 * applyAhead) {
				key := format.AppendElement(nil, uint16(slot), 2000+oid, byte(rng.IntN(6)))
				ops = append(ops, func(tx *Tx) { tx.writes.put(key, lo) }, func(tx *Tx) { tx.writes.del(key) }, func(tx *Tx) { tx.writes.put(key, hi) })
				if rng.IntN(2) == 0 {
					ops = append(ops, func(tx *Tx) { tx.writes.del(key) })
				}
			}
			mustUpdate(t, whole, slot, func(tx *Tx) {
				for _, op := range ops {
					op(tx)
				}
			})
			for _, op := range ops {
				mustUpdate(t, single, slot, op)
			}
			if oid%2 == 0 {
				mustHoldSame(t, whole, single, slot)
				continue
			}
			for _, e := range []*Engine{whole, single} {
				if err := e.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		mustHoldSame(t, whole, single, slot)
		if a, b := dirtyRowsOf(whole, slot), dirtyRowsOf(single, slot); a != b {
			t.Errorf("seed %d: in memory are %q, want %q", seed, a, b)
		}
		whole.Close()
		single.Close()
	}
}

func dirtyRowsOf(e *Engine, slot slots.Slot) (rows string) {
	c := e.table.Dirty(slot, []byte{byte(slot >> 8), byte(slot)}, nil)
	for ok := c.First(); ok; ok = c.Next() {
		value, absent := c.Value()
		rows += fmt.Sprintf("%q=%q %v\n", c.Key(), value, absent)
	}
	return rows
}

// TestEveryChangedKeyIsTold: of a write set of any size the observer hears of each key, once and in order.
func TestEveryChangedKeyIsTold(t *testing.T) {
	e := openTest(t, smallOptions(vfs.NewMem()))
	defer e.Close()
	var told []string
	e.Observe(changes(func(keys [][]byte) {
		for _, key := range keys {
			told = append(told, string(key))
		}
	}))
	slot := slots.Of([]byte("t"))
	for _, n := range []int{1, smallWriteSet, smallWriteSet + 1, applyAhead, applyAhead + 1, 3*applyAhead + 2} {
		var want []string
		told = nil
		mustUpdate(t, e, slot, func(tx *Tx) {
			for i := range n {
				want = append(want, fmt.Sprintf("{t}%d", i))
				if _, err := tx.StringSet([]byte(want[i]), []byte("value"), SetOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		})
		if !slices.Equal(told, want) {
			t.Errorf("of %d keys %q were told", n, told)
		}
	}
}
