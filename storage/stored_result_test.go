package storage

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/slots"
	"cobble/storage/format"
)

// TestStoredResult: results stand in one row up to their own bounds, become rows with the next member that is added, and
// have the right members before and after, also when another result has taken their place.
func TestStoredResult(t *testing.T) {
	for _, name := range []string{"%d", "m%d", "a longer name of a member:%d"} {
		r := storedResult{e: openTest(t, smallOptions(vfs.NewMem())), name: name}
		for _, n := range []int{1, inlineZSetMembers, inlineZSetMembers + 1, 700, storedZSetMembers, storedZSetMembers + 1, 150} {
			r.store(t, n)
			stored := n <= 150 || n <= storedZSetMembers && name != "a longer name of a member:%d"
			r.check(t, n, stored)
			r.add(t, n)
			r.check(t, n+1, n < inlineZSetMembers)
			r.store(t, n) // takes the place of rows
			r.remove(t, n-1)
			r.check(t, n-1, stored)
		}
		if err := r.e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// storedResult is a set and a sorted set of numbered members.
type storedResult struct {
	e    *Engine
	name string
}

func (r *storedResult) do(t *testing.T, f func(tx *Tx) error) {
	t.Helper()
	if _, err := r.e.Update(testNow, []slots.Slot{slots.Of([]byte("{s}"))}, OpFunc(f)); err != nil {
		t.Fatal(err)
	}
}

func (r *storedResult) member(i int) []byte { return fmt.Appendf(nil, r.name, i) }

// store makes both the union of members 0 to n/2 and n/3 to n.
func (r *storedResult) store(t *testing.T, n int) {
	t.Helper()
	r.do(t, func(tx *Tx) error {
		sets := make([]Set, 2)
		var all ScoredList
		for half, span := range [][2]int{{0, n / 2}, {n / 3, n}} {
			s, err := tx.replaceSet(fmt.Append(nil, "{s}", half))
			for i := span[0]; err == nil && i < span[1]; i++ {
				_, err = s.Add(r.member(i))
			}
			if s.Save(); err != nil {
				return err
			}
		}
		for half := range sets {
			var err error
			if sets[half], err = tx.Set(fmt.Append(nil, "{s}", half)); err != nil {
				return err
			}
		}
		if _, err := tx.StoreUnion([]byte("{s}set"), sets); err != nil {
			return err
		}
		for i := range n {
			all.Add(r.member(i), float64(i*7%n))
		}
		return tx.StoreZSet([]byte("{s}zset"), all.All)
	})
}

// change looks both up, and saves them.
func (r *storedResult) change(t *testing.T, f func(s *Set, z *ZSet) error) {
	t.Helper()
	r.do(t, func(tx *Tx) error {
		s, err := tx.Set([]byte("{s}set"))
		if err != nil {
			return err
		}
		z, err := tx.ZSet([]byte("{s}zset"))
		if err != nil {
			return err
		}
		return f(&s, &z)
	})
}

func (r *storedResult) add(t *testing.T, i int) {
	t.Helper()
	r.change(t, func(s *Set, z *ZSet) error {
		if _, err := s.Add(r.member(i)); err != nil {
			return err
		}
		s.Save()
		if _, err := z.Add(r.member(i), 0.5, ZAdd{}); err != nil {
			return err
		}
		return z.Save()
	})
}

func (r *storedResult) remove(t *testing.T, i int) {
	t.Helper()
	r.change(t, func(s *Set, z *ZSet) error {
		if _, err := s.Delete(r.member(i)); err != nil {
			return err
		}
		s.Save()
		if _, err := z.Remove(r.member(i)); err != nil {
			return err
		}
		return z.Save()
	})
}

// check compares both with members 0 to n.
func (r *storedResult) check(t *testing.T, n int, inline bool) {
	t.Helper()
	r.change(t, func(s *Set, z *ZSet) error {
		if int(s.Len()) != n || int(z.Len()) != n {
			t.Errorf("%q: %d members of the set, %d of the sorted set, want %d", r.name, s.Len(), z.Len(), n)
		}
		for i := range n {
			has, err := s.Has(r.member(i))
			_, scored, scoreErr := z.Score(r.member(i))
			if !has || !scored || err != nil || scoreErr != nil {
				t.Fatalf("%q of %d: %v %v %v %v", r.member(i), n, has, err, scored, scoreErr)
			}
		}
		if s.inline() != inline || z.inline() != inline {
			t.Errorf("%q, %d members: inline %v %v, want %v", r.name, n, s.inline(), z.inline(), inline)
		}
		if s.e.Meta.Enc == format.EncListpack && n > defaultSetEntries || z.Packed() && n > defaultZSetEntries {
			t.Errorf("%q, %d members: reported as listpacks", r.name, n)
		}
		return nil
	})
}
