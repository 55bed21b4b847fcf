package storage

import (
	"cobble/storage/format"
	"cobble/storage/intset"
	"cobble/storage/listpack"
)

// SetWalk visits the members of a set: in ascending order if they are an intset in
// one row, else in the order of the listpack or of the members' hashes. Begin it
// with Set.Walk; it must be closed.
type SetWalk struct {
	tx     *Tx
	rows   memberRows // rows.it nil: layout Inline
	cursor listpack.Cursor
	ints   []byte
	at     int
	member []byte
	text   int // which of the texts of integers it uses
}

// Walk begins a walk over the members as they are now.
func (s *Set) Walk() SetWalk {
	w := SetWalk{tx: s.tx, text: 1}
	switch {
	case !s.inline():
		w.rows = s.rows()
	case s.packed == nil:
		w.ints = emptyIntset[:]
	case s.e.Meta.Enc == format.EncIntset:
		w.ints = s.packed
	default:
		w.cursor = listpack.Walk(s.packed)
	}
	return w
}

func (s *Set) walker() walker {
	w := s.Walk()
	return &w
}

// Next moves to the next member; it is false at the end.
func (w *SetWalk) Next() bool {
	var e listpack.Element
	switch {
	case w.rows.it != nil:
		ok := w.rows.next()
		w.member = w.rows.name
		return ok
	case w.ints != nil:
		if w.at == intset.Len(w.ints) {
			return false
		}
		e = listpack.Element{IsInt: true, Int: intset.At(w.ints, w.at)}
		w.at++
	default:
		var ok bool
		if e, ok = w.cursor.Next(); !ok {
			return false
		}
	}
	w.member = w.tx.text(e, w.text)
	return true
}

// Member returns the member, valid until the next move.
func (w *SetWalk) Member() []byte { return w.member }

func (w *SetWalk) element() (name, value []byte) { return w.member, nil }

// Close ends the walk and returns the first error that it met.
func (w *SetWalk) Close() error {
	switch {
	case w.rows.it != nil:
		return w.rows.close()
	case w.ints != nil:
		return nil
	}
	return w.cursor.Err()
}

// Scan calls f with about count members from cursor on (0 begins) and returns the
// cursor to go on with, 0 at the end. A member that is there from the first call to
// the last is visited exactly once. A small set is visited whole.
func (s *Set) Scan(cursor uint64, count int64, f func(member []byte)) (next uint64, err error) {
	if !s.inline() {
		return s.scanRows(cursor, count, func(name, _ []byte) { f(name) })
	}
	w := s.Walk()
	for w.Next() {
		f(w.Member())
	}
	return 0, w.Close()
}

// Random calls f with n members chosen at random, each member as often as it comes.
func (s *Set) Random(n int64, f func(member []byte)) error {
	return s.random(n, s.Len(), s.walker, func(name, _ []byte) { f(name) })
}

// RandomDistinct calls f with n different members chosen at random, or with all if
// there are no more.
func (s *Set) RandomDistinct(n int64, f func(member []byte)) error {
	return s.randomDistinct(n, s.Len(), s.walker, func(name, _ []byte) { f(name) })
}

// popRebuilds is how many times as many members must be popped as are left for the
// rest to become a new object (SPOP_MOVE_STRATEGY_MUL of Redis, which has an effect
// on the encoding).
const popRebuilds = 5

// Pop takes n members chosen at random out of the set, or all if there are no more,
// calls f with each, and saves the set.
func (s *Set) Pop(n int64, f func(member []byte)) error {
	left := s.Len() - n
	if left <= 0 {
		w := s.Walk()
		for w.Next() {
			f(w.Member())
		}
		s.tx.remove(&s.e)
		return w.Close()
	}
	if n >= popRebuilds*left {
		return s.popMost(n, f)
	}
	var arena []byte
	var ends []int
	err := s.RandomDistinct(n, func(member []byte) {
		f(member)
		arena = append(arena, member...)
		ends = append(ends, len(arena))
	})
	start := 0
	if n := len(ends); n > 1 && s.tx.engine.opts.mutant.setPopKeeps {
		ends = ends[:n-1]
	}
	for _, end := range ends {
		if _, deleted := s.Delete(arena[start:end]); err == nil {
			err = deleted
		}
		start = end
	}
	s.Save()
	return err
}

// popMost is Pop of so many members that the few that stay are written anew.
func (s *Set) popMost(n int64, f func(member []byte)) error {
	rest := Set{members{tx: s.tx, e: s.e, sub: s.sub, changed: true}}
	rest.e.Meta.Layout, rest.e.Meta.Inline = format.Inline, nil
	if rest.e.Meta.Enc != format.EncIntset {
		rest.e.Meta.Enc = format.EncListpack
	}
	w := s.Walk()
	var err error
	for left := s.Len(); err == nil && w.Next(); left-- {
		if chosen(n, left) {
			f(w.Member())
			n--
		} else {
			_, err = rest.Add(w.Member())
		}
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	rest.Save()
	return err
}
