package storage

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

func setTexts(t testing.TB, e *Engine, key string) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	view(t, e, key, func(tx *Tx) error {
		clear(out)
		s, err := tx.Set([]byte(key))
		if err != nil {
			return err
		}
		w := s.Walk()
		for w.Next() {
			if out[string(w.Member())] {
				return fmt.Errorf("member %q twice", w.Member())
			}
			out[string(w.Member())] = true
		}
		if int64(len(out)) != s.Len() || s.Live() != (len(out) > 0) {
			return fmt.Errorf("%d members, Len %d, Live %v", len(out), s.Len(), s.Live())
		}
		return w.Close()
	})
	return out
}

// setPlan is what a seed does: how many members there are to choose from, of which
// kind.
type setPlan struct {
	rng     *rand.Rand
	members int
	kind    int
}

func (p *setPlan) member() []byte {
	n := p.rng.IntN(p.members)
	switch {
	case p.kind == 0 || p.kind == 2 && n%3 == 0:
		return strconv.AppendInt(nil, int64(n-5)<<(n%3*16), 10)
	case p.kind == 3:
		return fmt.Append(nil, n, strings.Repeat("x", n%100))
	}
	return fmt.Append(nil, "member:", n)
}

// step is one transaction; it returns what the set holds afterwards. The
// transaction may run more than once.
func (p *setPlan) step(t testing.TB, e *Engine, model map[string]bool) map[string]bool {
	undo, pop := p.rng.IntN(5) == 0, p.rng.IntN(40) == 0
	count := p.rng.Int64N(int64(len(model)) + 2)
	type change struct {
		member []byte
		add    bool
	}
	changes := make([]change, 1+p.rng.IntN(12))
	for i := range changes {
		changes[i] = change{p.member(), p.rng.IntN(3) < 2}
	}
	var next map[string]bool
	update(t, e, "s", func(tx *Tx) error {
		next = maps.Clone(model)
		mark := tx.Savepoint()
		s, err := tx.Set([]byte("s"))
		if err != nil {
			return err
		}
		if pop && s.Live() {
			popped := map[string]bool{}
			if err := s.Pop(count, func(member []byte) { popped[string(member)] = true }); err != nil {
				return err
			}
			if int64(len(popped)) != min(count, int64(len(model))) {
				t.Fatalf("popped %d of %d, asked for %d", len(popped), len(model), count)
			}
			for member := range popped {
				if !next[member] {
					t.Fatalf("popped %q, which was not there", member)
				}
				delete(next, member)
			}
			if s, err = tx.Set([]byte("s")); err != nil {
				return err
			}
		}
		for _, c := range changes {
			had, err := next[string(c.member)], error(nil)
			did := false
			if c.add {
				did, err = s.Add(c.member)
				next[string(c.member)] = true
			} else {
				did, err = s.Delete(c.member)
				delete(next, string(c.member))
			}
			if err != nil {
				return err
			}
			if did == (had == c.add) {
				t.Fatalf("%q: had %v, add %v, did %v", c.member, had, c.add, did)
			}
			if has, err := s.Has(c.member); err != nil || has != c.add {
				return fmt.Errorf("Has %q: %v, %w", c.member, has, err)
			}
		}
		s.Save()
		if undo {
			tx.RollbackTo(mark)
			next = model
		}
		return nil
	})
	return next
}

// Random operations on a set, several in a transaction, some undone, some on rows
// that went to the store, give what a map gives; counters stay exact and no row is
// left behind.
func TestSetAgainstMap(t *testing.T) {
	seen := map[string]int{}
	for seed := range testSeeds(t, 16) {
		setSeed(t, seed, mutants{}, seen)
	}
	for _, kind := range []string{"intset0", "listpack0", "hashtable0", "intset1", "hashtable1"} {
		if seen[kind] == 0 {
			t.Errorf("no set was ever %s: %v", kind, seen)
		}
	}
}

func setSeed(t testing.TB, seed uint64, m mutants, seen map[string]int) {
	plan := &setPlan{rng: rand.New(rand.NewPCG(seed, 17)), kind: int(seed % 4)}
	plan.members = []int{3, 40, 150, 700}[seed/4%4]
	o := smallOptions(vfs.NewMem())
	o.mutant = m
	e, model := openTest(t, o), map[string]bool{}
	for range 120 {
		model = plan.step(t, e, model)
		view(t, e, "s", func(tx *Tx) error {
			s, err := tx.Set([]byte("s"))
			seen[fmt.Sprintf("%v%d", s.e.Meta.Enc, s.e.Meta.Layout)]++
			return err
		})
		if plan.rng.IntN(12) == 0 {
			if err := errors.Join(e.Flush(), e.Close()); err != nil {
				t.Fatal(err)
			}
			e = openTest(t, o) // every row is cold now
			checkSlot(t, e, "s")
		}
	}
	checkSlot(t, e, "s")
	if got := setTexts(t, e, "s"); !maps.Equal(got, model) {
		t.Fatalf("seed %d\ngot  %v\nwant %v", seed, got, model)
	}
	_ = e.Close()
}

// What sets have in common, together and alone is what maps say, in every layout
// and with rows in the store, in the table and in the transaction.
func TestSetAlgebraAgainstMaps(t *testing.T) {
	for seed := range testSeeds(t, 20) {
		rng := rand.New(rand.NewPCG(seed, 18))
		e := openHashTest(t)
		keys := make([]string, 1+rng.IntN(4))
		models := make([]map[string]bool, len(keys))
		for i := range keys {
			keys[i], models[i] = fmt.Sprintf("{t}%d", i), map[string]bool{}
			n := []int{0, 5, 120, 400, 900}[rng.IntN(5)]
			update(t, e, keys[i], func(tx *Tx) error {
				s, err := tx.Set([]byte(keys[i]))
				for j := 0; err == nil && j < n; j++ {
					member := fmt.Sprint(rng.IntN(1000))
					models[i][member] = true
					_, err = s.Add([]byte(member))
				}
				s.Save()
				return err
			})
			// The operation may have run more than once: what is there counts.
			models[i] = setTexts(t, e, keys[i])
			if rng.IntN(3) == 0 {
				if err := e.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := map[string]map[string]bool{"inter": {}, "union": {}, "diff": {}}
		for _, m := range models {
			for member := range m {
				all, none := true, true
				for i := range models {
					all = all && models[i][member]
					none = none && (i == 0 || !models[i][member])
				}
				want["union"][member] = true
				if all {
					want["inter"][member] = true
				}
				if none && models[0][member] {
					want["diff"][member] = true
				}
			}
		}
		for name, store := range map[string]func(*Tx, []byte, []Set) (int64, error){
			"inter": (*Tx).StoreIntersection, "union": (*Tx).StoreUnion, "diff": (*Tx).StoreDifference,
		} {
			target := []string{"{t}d", "{t}0"}[rng.IntN(2)]
			for _, into := range []string{"{t}d", target} {
				undo := into == target // so that the next one finds the same sets
				update(t, e, into, func(tx *Tx) error {
					mark := tx.Savepoint()
					sets := make([]Set, len(keys))
					for i, key := range keys {
						var err error
						if sets[i], err = tx.Set([]byte(key)); err != nil {
							return err
						}
					}
					n, err := store(tx, []byte(into), sets)
					if err != nil {
						return err
					}
					s, err := tx.Set([]byte(into))
					if err != nil {
						return err
					}
					got := map[string]bool{}
					w := s.Walk()
					for w.Next() {
						got[string(w.Member())] = true
					}
					if n != int64(len(want[name])) || !maps.Equal(got, want[name]) {
						t.Errorf("seed %d: %s of %d sets: %d members, want %d", seed, name, len(keys), n, len(want[name]))
					}
					if undo {
						tx.RollbackTo(mark)
					}
					return w.Close()
				})
				checkSlot(t, e, "{t}d")
			}
		}
	}
}

// A walk with Scan visits every member that is there from its beginning to its end
// exactly once, while others come and go.
func TestSetScan(t *testing.T) { setScans(t, mutants{}) }

func setScans(t testing.TB, m mutants) {
	for _, n := range []int{1, 100, 700} {
		rng := rand.New(rand.NewPCG(uint64(n), 19))
		o := smallOptions(vfs.NewMem())
		o.mutant = m
		e := openTest(t, o)
		change := func(there bool, members ...string) {
			update(t, e, "s", func(tx *Tx) error {
				s, err := tx.Set([]byte("s"))
				for _, m := range members {
					if err == nil && there {
						_, err = s.Add([]byte(m))
					} else if err == nil {
						_, err = s.Delete([]byte(m))
					}
				}
				s.Save()
				return err
			})
		}
		for i := range n {
			change(true, fmt.Sprint("stays", i))
		}
		seen := map[string]int{}
		for cursor, calls := uint64(0), 0; cursor != 0 || calls == 0; calls++ {
			view(t, e, "s", func(tx *Tx) error {
				s, err := tx.Set([]byte("s"))
				if err != nil {
					return err
				}
				cursor, err = s.Scan(cursor, 1+rng.Int64N(20), func(member []byte) { seen[string(member)]++ })
				return err
			})
			change(rng.IntN(2) == 0, fmt.Sprint("passes", rng.IntN(50)))
			if calls > n {
				t.Fatal("the walk does not end")
			}
		}
		for i := range n {
			if seen[fmt.Sprint("stays", i)] != 1 {
				t.Fatalf("%d members: stays%d seen %d times", n, i, seen[fmt.Sprint("stays", i)])
			}
		}
		_ = e.Close()
	}
}

// A set that expired, or was deleted, leaves nothing once its rows are collected.
func TestSetLeavesNoRows(t *testing.T) {
	for _, members := range []int{5, 300, 2000} {
		e := openHashTest(t)
		fill := func(now int64, n int) {
			if _, err := e.Update(now, []slots.Slot{slots.Of([]byte("s"))}, OpFunc(func(tx *Tx) error {
				s, err := tx.Set([]byte("s"))
				for i := 0; err == nil && i < n; i++ {
					_, err = s.Add(fmt.Append(nil, "member:", i))
				}
				s.Save()
				return err
			})); err != nil {
				t.Fatal(err)
			}
		}
		fill(testNow, members)
		update(t, e, "s", func(tx *Tx) error {
			_, err := tx.Expire([]byte("s"), testNow+10, ExpireAlways)
			return err
		})
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		fill(testNow+20, 3)
		if got := setTexts(t, e, "s"); len(got) != 3 {
			t.Errorf("after a set of %d members expired, the new one has %d", members, len(got))
		}
		fill(testNow+20, members)
		update(t, e, "s", func(tx *Tx) error { _, err := tx.Delete([]byte("s")); return err })
		var all slots.Set
		all.Add(slots.Of([]byte("s")))
		for more := true; more; {
			var err error
			if more, err = e.CollectGarbage(testNow+30, &all); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		for row := range contents(t, e, slots.Of([]byte("s"))) {
			t.Errorf("%d members: row %x is left", members, row)
		}
	}
}

// A payload restores what was dumped, whatever the layout; one that repeats a
// member is none.
func TestSetDumpRestore(t *testing.T) {
	for _, n := range []int{1, 100, 200, 600, 3000} {
		for _, kind := range []string{"", "m"} {
			e := openHashTest(t)
			update(t, e, "{t}a", func(tx *Tx) error {
				s, err := tx.Set([]byte("{t}a"))
				for i := 0; err == nil && i < n; i++ {
					_, err = s.Add(fmt.Append(nil, kind, i*7))
				}
				s.Save()
				return err
			})
			var before, after Digest
			var enc [2]format.Enc
			update(t, e, "{t}a", func(tx *Tx) error {
				payload, _, _, err := tx.Dump(nil, []byte("{t}a"))
				if err == nil {
					err = tx.Restore([]byte("{t}b"), payload, 0, true)
				}
				return err
			})
			view(t, e, "{t}a", func(tx *Tx) (err error) {
				for i, key := range []string{"{t}a", "{t}b"} {
					s, err := tx.Set([]byte(key))
					if err != nil {
						return err
					}
					enc[i] = s.e.Meta.Enc
				}
				if before, err = tx.DigestValue([]byte("{t}a")); err == nil {
					after, err = tx.DigestValue([]byte("{t}b"))
				}
				return err
			})
			if before != after || before == (Digest{}) || enc[0] != enc[1] {
				t.Errorf("%d members %q: digests %x and %x, encodings %v", n, kind, before, after, enc)
			}
			checkSlot(t, e, "{t}a")
		}
	}
}

// Every member comes up at random, none far more often than the others.
func TestSetRandom(t *testing.T) {
	for _, n := range []int{1, 10, 128, 129, 500} {
		e := openHashTest(t)
		update(t, e, "s", func(tx *Tx) error {
			s, err := tx.Set([]byte("s"))
			for i := 0; err == nil && i < n; i++ {
				_, err = s.Add(fmt.Append(nil, "m", i))
			}
			s.Save()
			return err
		})
		view(t, e, "s", func(tx *Tx) error {
			s, err := tx.Set([]byte("s"))
			if err != nil {
				return err
			}
			times := map[string]int{}
			const each = 60
			for range each * n {
				if err := s.Random(1, func(member []byte) { times[string(member)]++ }); err != nil {
					return err
				}
			}
			for i := range n {
				if got := times[fmt.Sprint("m", i)]; got == 0 || got > 6*each {
					t.Errorf("%d members: member %d came %d times, %d expected", n, i, got, each)
				}
			}
			for _, want := range []int{1, n / 4, n - 1, n, n + 5} {
				var different []string
				err = s.RandomDistinct(int64(want), func(member []byte) { different = append(different, string(member)) })
				slices.Sort(different)
				if got := len(slices.Compact(different)); got != min(want, n) || err != nil {
					t.Errorf("%d of %d different members: got %d, %v", want, n, got, err)
				}
			}
			return err
		})
	}
}
