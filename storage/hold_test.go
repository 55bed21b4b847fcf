package storage

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
)

func set(key, value string) OpFunc {
	return func(tx *Tx) error {
		_, err := tx.StringSet([]byte(key), []byte(value), SetOptions{})
		return err
	}
}

func getString(t testing.TB, e *Engine, key string) string {
	t.Helper()
	var got string
	view(t, e, key, func(tx *Tx) error {
		value, _, err := tx.StringGet([]byte(key))
		got = string(value)
		return err
	})
	return got
}

func hold(t testing.TB, e *Engine, h *Hold, keys ...string) {
	t.Helper()
	var list [][]byte
	for _, k := range keys {
		list = append(list, []byte(k))
	}
	view(t, e, keys[0], func(tx *Tx) error { return tx.Hold(h, list) })
}

// Writers of a held key wait, those of its neighbours and all readers do not.
func TestHoldStopsWritersOfTheKeyOnly(t *testing.T) {
	e := openHashTest(t)
	update(t, e, "a{t}", set("a{t}", "1"))
	h := NewHold()
	hold(t, e, h, "a{t}", "b{t}", "a{t}")
	var waiting sync.WaitGroup
	done := make(chan string, 3)
	for _, key := range []string{"a{t}", "b{t}"} {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			if _, err := e.Update(testNow, []slots.Slot{slots.Of([]byte(key))}, set(key, "late")); err != nil {
				t.Error(err)
			}
			done <- key
		}()
	}
	update(t, e, "c{t}", set("c{t}", "2")) // same slot
	if got := getString(t, e, "a{t}"); got != "1" {
		t.Errorf("a reader sees %q", got)
	}
	update(t, e, "a{t}", func(tx *Tx) error {
		tx.Through(h)
		if h.Broken() {
			t.Error("the hold is broken, it says")
		}
		_, err := tx.Delete([]byte("a{t}"))
		return err
	})
	select {
	case key := <-done:
		t.Errorf("the writer of %s did not wait", key)
	case <-time.After(20 * time.Millisecond): // long enough for a writer that does not wait
	}
	e.Release(h)
	waiting.Wait()
	for _, key := range []string{"a{t}", "b{t}"} {
		if got := getString(t, e, key); got != "late" {
			t.Errorf("%s is %q after the hold", key, got)
		}
	}
	e.Release(h)
	if n := e.holds.count.Load(); n != 0 || len(e.holds.keys) != 0 || e.watch.count.Load() != 0 {
		t.Errorf("%d keys held, %v, %d watched", n, e.holds.keys, e.watch.count.Load())
	}
}

// A second hold on a key waits for the first, and takes none of its keys before.
func TestHoldsExcludeEachOther(t *testing.T) {
	e := openHashTest(t)
	var group sync.WaitGroup
	var inside sync.Map
	for i := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := range 50 {
				keys := []string{fmt.Sprintf("%d{t}", (i+n)%3), fmt.Sprintf("%d{t}", (i+n+1)%3)}
				h := NewHold()
				hold(t, e, h, keys...)
				for _, k := range keys {
					if _, taken := inside.LoadOrStore(k, i); taken {
						t.Errorf("%s is held twice", k)
					}
				}
				for _, k := range keys {
					inside.Delete(k)
				}
				e.Release(h)
			}
		}()
	}
	group.Wait()
}

func TestHoldBrokenByFlush(t *testing.T) {
	e := openHashTest(t)
	update(t, e, "k", set("k", "1"))
	h := NewHold()
	defer e.Release(h)
	hold(t, e, h, "k")
	var all slots.Set
	all.Add(slots.Of([]byte("k")))
	if _, err := e.FlushSlots(testNow, all); err != nil {
		t.Fatal(err)
	}
	view(t, e, "k", func(*Tx) error {
		if !h.Broken() {
			t.Error("the key was flushed, and the hold says it is whole")
		}
		return nil
	})
}

// A server that is closed does not leave writers waiting for a hold.
func TestHoldAndClose(t *testing.T) {
	e := openHashTest(t)
	h := NewHold()
	hold(t, e, h, "k")
	ended := make(chan error)
	go func() {
		_, err := e.Update(testNow, []slots.Slot{slots.Of([]byte("k"))}, set("k", "1"))
		ended <- err
	}()
	_ = e.Close()
	if err := <-ended; err == nil {
		t.Error("a write of a held key passed")
	}
}

// moveUnderWriters moves a counter elsewhere while writers add to it, each where it
// finds it, as clients do that are redirected. It returns how many additions were
// acknowledged and what the counter says in the end. While the key is on its way,
// network runs, which is told how many were acknowledged so far.
func moveUnderWriters(t *testing.T, e *Engine, network func(total *atomic.Int64)) (acknowledged, counted int64) {
	key := []byte("n")
	update(t, e, "n", set("n", "0"))
	var elsewhere struct {
		sync.Mutex
		n int64
	}
	var total atomic.Int64
	var writers sync.WaitGroup
	moved := make(chan struct{})
	for range 4 {
		writers.Add(1)
		go func() {
			defer writers.Done()
			for more := 0; more < 20; {
				here := false
				if _, err := e.Update(testNow, []slots.Slot{slots.Of(key)}, OpFunc(func(tx *Tx) error {
					entry, err := tx.Lookup(key)
					if here = entry.Live; err != nil || !here {
						return err
					}
					_, err = tx.StringIncr(key, 1)
					return err
				})); err != nil {
					t.Error(err)
				}
				if !here {
					elsewhere.Lock()
					elsewhere.n++
					elsewhere.Unlock()
				}
				total.Add(1)
				select {
				case <-moved:
					more++
				default:
				}
			}
		}()
	}
	for total.Load() < 50 {
		runtime.Gosched()
	}
	h := NewHold()
	var value int64
	view(t, e, "n", func(tx *Tx) error {
		if err := tx.Hold(h, [][]byte{key}); err != nil {
			return err
		}
		text, _, err := tx.StringGet(key)
		value, _ = ParseInt(text)
		return err
	})
	elsewhere.Lock()
	elsewhere.n += value
	elsewhere.Unlock()
	network(&total)
	update(t, e, "n", func(tx *Tx) error {
		tx.Through(h)
		_, err := tx.Delete(key)
		return err
	})
	e.Release(h)
	close(moved)
	writers.Wait()
	return total.Load(), elsewhere.n
}

func TestNoWriteIsLostWhileAKeyMoves(t *testing.T) {
	for range 20 {
		acknowledged, counted := moveUnderWriters(t, openHashTest(t), func(*atomic.Int64) {
			for range 100 {
				runtime.Gosched()
			}
		})
		if acknowledged != counted {
			t.Fatalf("%d additions were acknowledged, %d counted", acknowledged, counted)
		}
	}
}

func TestMutantHoldsIgnored(t *testing.T) {
	o := smallOptions(vfs.NewMem())
	o.mutant.holdsIgnored = true
	e := openTest(t, o)
	acknowledged, counted := moveUnderWriters(t, e, func(total *atomic.Int64) {
		// Each of the four may have been past its write before: the fifth is of one who did not wait.
		for at := total.Load() + 5; total.Load() < at; {
			runtime.Gosched()
		}
	})
	_ = e.Close()
	if acknowledged == counted {
		t.Error("writers do not wait for holds, and nobody noticed")
	}
}
