package storage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"cobble/slots"
)

// TestKeysAreSeenAtEveryStep: whatever a flush, a slot that is emptied or a table that
// is thrown away has done so far, a walk over a slot sees the keys that are there, and
// its counter counts them. The steps are the operations on files: before each of them
// somebody walks, changes keys, and walks again.
func TestKeysAreSeenAtEveryStep(t *testing.T) { keysSeen(t, mutants{}) }

func TestKeysSeenMutants(t *testing.T) {
	for name, m := range map[string]mutants{
		"rows clean when they are cut": {evictDirty: true},
		"rows clean before the ingest": {settleEarly: true},
		"ingest after a later excise":  {exciseFirst: true},
	} {
		if failure(t, func(t testing.TB) { keysSeen(t, m) }) == "" {
			t.Errorf("%s: not seen", name)
		}
	}
}

// seenRun is an engine whose file system tells of its steps, and what it has to hold.
type seenRun struct {
	t   testing.TB
	e   *Engine
	rng *rand.Rand

	step   sync.Mutex // of steps: those of others meanwhile, and of what a step does itself, are let pass
	wrong  string     // the first thing that was
	steps  int
	keys   [2]map[string]bool // by slot
	leaves [2]bool            // the slot is about to be emptied: from when on is seen by its counter
}

func seenKey(slot, n int) []byte { return fmt.Appendf(nil, "{seen%d}%d", slot, n) }

func keysSeen(t testing.TB, m mutants) {
	r := &seenRun{t: t, rng: rand.New(rand.NewPCG(1, 13)), keys: [2]map[string]bool{{}, {}}}
	r.step.Lock() // until it is open
	o := smallOptions(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(r.before)))
	o.mutant = m
	r.e = openTest(t, o)
	r.step.Unlock()
	for n := range 60 {
		r.turn()
		var err error
		switch {
		case n%3 == 2:
			err = r.empty(n)
		case n%25 == 1:
			err = r.e.Forget()
		default:
			err = r.e.Flush()
		}
		r.turn()
		r.step.Lock()
		wrong := r.wrong
		r.step.Unlock()
		if err != nil || wrong != "" {
			t.Fatalf("round %d: %v, %s", n, err, wrong)
		}
	}
	r.step.Lock() // closing is not looked at
	if r.steps < 300 {
		t.Errorf("there were only %d steps", r.steps)
	}
	if err := r.e.Close(); err != nil {
		t.Error(err)
	}
}

// before is called before each operation on files. The log's writer must not wait for what a step appends.
func (r *seenRun) before(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && !strings.Contains(op.Path, "/log/") && r.step.TryLock() {
		defer r.step.Unlock()
		r.steps++
		r.look()
	}
	return nil
}

func (r *seenRun) turn() {
	r.step.Lock()
	defer r.step.Unlock()
	r.look()
}

// empty empties one slot or both, once with all others.
func (r *seenRun) empty(n int) error {
	set := slots.Set{}
	all := n == 50
	if all {
		set = slots.Full()
	}
	r.step.Lock()
	for i := range r.keys {
		if r.leaves[i] = all || n>>i&1 == 0; r.leaves[i] {
			set.Add(slots.Of(seenKey(i, 0)))
			r.set(i, 0) // an empty slot would not tell
		}
	}
	r.step.Unlock()
	_, err := r.e.FlushSlots(testNow, set)
	r.step.Lock()
	defer r.step.Unlock()
	for i := range r.leaves {
		if r.leaves[i] {
			r.leaves[i] = false
			clear(r.keys[i])
		}
	}
	return err
}

// look compares both slots with what they have to hold, changes them, and compares again.
func (r *seenRun) look() {
	for i := range r.keys {
		r.compare(i)
		if r.leaves[i] { // before it is emptied or behind: who writes cannot tell
			continue
		}
		for range 1 + r.rng.IntN(6) {
			r.change(i)
		}
		r.compare(i)
	}
}

// change sets, deletes or renames a key.
func (r *seenRun) change(i int) {
	n := r.rng.IntN(12)
	key, to := seenKey(i, n), seenKey(i, r.rng.IntN(12))
	switch what := r.rng.IntN(5); {
	case what == 0:
		r.update(key, func(tx *Tx) error {
			_, err := tx.Delete(key)
			return err
		})
		delete(r.keys[i], string(key))
	case what == 1 && r.keys[i][string(key)]:
		r.update(key, func(tx *Tx) error {
			_, err := tx.Rename(key, to, false)
			return err
		})
		delete(r.keys[i], string(key))
		r.keys[i][string(to)] = true
	default:
		r.set(i, n)
	}
}

// set sets a key. The values of one are so large that the table keeps them apart.
func (r *seenRun) set(i, n int) {
	key, value := seenKey(i, n), make([]byte, r.rng.IntN(40)+n/11*10_000)
	r.update(key, func(tx *Tx) error {
		_, err := tx.StringSet(key, value, SetOptions{})
		return err
	})
	r.keys[i][string(key)] = true
}

func (r *seenRun) update(key []byte, f func(tx *Tx) error) {
	if _, err := r.e.Update(testNow, []slots.Slot{slots.Of(key)}, OpFunc(f)); err != nil {
		r.fail("%s: %v", key, err)
	}
}

func (r *seenRun) compare(i int) {
	slot := slots.Of(seenKey(i, 0))
	var got []string
	counted := int64(0)
	_, err := r.e.View(testNow, slot, OpFunc(func(tx *Tx) error {
		keys, err := tx.KeysInSlot(slot, 100)
		got, counted = got[:0], r.e.KeysIn(slot)
		for _, key := range keys {
			got = append(got, string(key))
		}
		return err
	}))
	if r.leaves[i] && counted == 0 {
		r.leaves[i] = false
		clear(r.keys[i])
	}
	want := slices.Sorted(maps.Keys(r.keys[i]))
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) || counted != int64(len(want)) {
		r.fail("step %d: %d keys are counted, seen are %q, want %q (%v)", r.steps, counted, got, want, err)
	}
}

func (r *seenRun) fail(format string, args ...any) {
	if r.wrong == "" {
		r.wrong = fmt.Sprintf(format, args...)
	}
}
