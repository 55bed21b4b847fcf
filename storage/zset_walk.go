package storage

import (
	"cobble/storage/format"
)

// ZWalk visits members of a sorted set in order. Begin it with ZSet.Walk; it must be
// closed.
type ZWalk struct {
	items   []Scored // layout Inline: those to come
	rows    *rowIter // layout Rows; nil: layout Inline, or nothing to visit
	reverse bool
	placed  bool  // rows is at the next member, not at the last one
	begun   bool  // rows was moved
	left    int64 // at most so many more
	member  []byte
	score   float64
	err     error
}

// stepsFor is up to how many members a walk passes over one by one.
const stepsFor = 32

// Walk begins a walk over a range, from its end if reverse, passing over skip of its
// members.
func (z *ZSet) Walk(r ZRange, reverse bool, skip int64) ZWalk {
	w := ZWalk{reverse: reverse, left: z.Len()}
	if !r.byRank && skip > stepsFor {
		if r, w.err = z.ranks(r); w.err != nil {
			return w
		}
	}
	if !r.byRank {
		w.rows = z.rows(r.low, r.high)
		for ; skip > 0 && w.Next(); skip-- {
		}
		return w
	}
	if w.left = r.to - r.from - skip; w.left <= 0 {
		w.left = 0
		return w
	}
	if z.inline() {
		items, err := z.load()
		w.err = err
		if reverse {
			w.items = items[r.from : r.to-skip]
		} else {
			w.items = items[r.from+skip : r.to]
		}
		return w
	}
	w.rows = z.rows(nil, nil)
	first := r.from + skip
	if reverse {
		first = r.to - 1 - skip
	}
	w.err = z.place(w.rows, first)
	w.placed, w.begun = w.err == nil, true
	return w
}

// Next moves to the next member; it is false at the end.
func (w *ZWalk) Next() bool {
	if w.err != nil || w.left <= 0 {
		return false
	}
	w.left--
	if w.rows == nil {
		n := len(w.items)
		switch {
		case n == 0:
			return false
		case w.reverse:
			w.member, w.score, w.items = w.items[n-1].Member, w.items[n-1].Score, w.items[:n-1]
		default:
			w.member, w.score, w.items = w.items[0].Member, w.items[0].Score, w.items[1:]
		}
		return true
	}
	if !w.move() {
		w.left = 0
		return false
	}
	if w.score, w.member, w.err = format.SplitZSetOrder(w.rows.Key()[format.ElementPrefix:]); w.err == nil && w.score == 0 {
		w.score, w.err = format.ZSetMarked(w.score, w.rows.Value())
	}
	return w.err == nil
}

func (w *ZWalk) move() bool {
	switch {
	case w.placed:
		w.placed = false
		return true
	case w.begun && w.reverse:
		return w.rows.Prev()
	case w.begun:
		return w.rows.Next()
	}
	w.begun = true
	if w.reverse {
		return w.rows.Last()
	}
	return w.rows.First()
}

// Member returns the member, valid until the next move.
func (w *ZWalk) Member() []byte { return w.member }

// Score returns its score.
func (w *ZWalk) Score() float64 { return w.score }

// Close ends the walk and returns the first error that it met.
func (w *ZWalk) Close() error {
	if w.rows != nil {
		if err := w.rows.Close(); w.err == nil {
			w.err = err
		}
	}
	return w.err
}

// RemoveRange removes the members of a range, from its end if reverse, at most so
// many, and calls f (unless nil) with each. It returns how many they were.
func (z *ZSet) RemoveRange(r ZRange, reverse bool, most int64, f func(member []byte, score float64)) (n int64, err error) {
	if z.inline() {
		return z.cutRange(r, reverse, most, f)
	}
	first, last := r.byRank && r.from == 0, r.byRank && r.to == z.Len()
	first = first || !r.byRank && !reverse && z.fromStart(r.low)
	w := z.Walk(r, reverse, 0)
	var key []byte // of the last one removed
	for n < most && w.Next() {
		if f != nil {
			f(w.Member(), w.Score())
		}
		if err = z.removeRows(w.Member(), w.Score()); err != nil {
			break
		}
		key = append(key[:0], z.tx.scratch[format.ElementPrefix:]...)
		n++
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if n > 0 {
		z.changed = true
		if first && !reverse {
			z.removedFirst(key)
		} else if last && reverse {
			z.removedLast(key)
		}
	}
	return n, err
}

// fromStart reports whether no member is below a score key, as far as bounds say.
func (z *ZSet) fromStart(low []byte) bool {
	return string(low) <= string(z.extra.Low) || string(low) == string(lowestScore[:])
}

// lowestScore is the order of −∞.
var lowestScore = [8]byte{0x00, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

func (z *ZSet) cutRange(r ZRange, reverse bool, most int64, f func(member []byte, score float64)) (int64, error) {
	if n := r.to - r.from; n <= 0 || most <= 0 {
		return 0, nil
	} else if most < n && reverse {
		r.from = r.to - most
	} else if most < n {
		r.to = r.from + most
	}
	w := z.Walk(r, reverse, 0)
	for f != nil && w.Next() {
		f(w.Member(), w.Score())
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return r.to - r.from, z.cut(r.from, r.to)
}
