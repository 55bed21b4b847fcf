package storage

import (
	"bytes"

	"cobble/storage/listpack"
)

// What looks for values in a list goes on as a draft when it has looked at lookTimes as much as a draft is worth for
// what it would write: looking is that much faster.
const lookTimes = 16

// looks is how much of a list was looked at.
type looks struct {
	rows, bytes int64
	asked       bool
}

// far counts a value that was looked at. It reports once whether the operation is long by now, or for the elements that
// it has found.
func (k *looks) far(e *Engine, value []byte, found int64) bool {
	k.rows++
	k.bytes += int64(len(value))
	few := int64(e.opts.draftRows)
	if k.asked || k.rows <= lookTimes*few && k.bytes <= lookTimes*draftBytes && found <= few {
		return false
	}
	k.asked = true
	return true
}

// Insert puts value before or after the first element that equals pivot, and
// reports whether there is one.
func (l *List) Insert(pivot, value []byte, before bool) (found bool, err error) {
	l.grow(value)
	at, i, found, err := l.find(pivot, value, before)
	if err != nil || !found {
		return false, err
	}
	l.changed = true
	if l.inline() {
		if len(l.lp)+listpack.ElementSize(value) <= inlineListBytes && l.Len() < inlineListElements {
			l.makeOwn()
			if before {
				at.end = at.start
			}
			l.replace(at.end, at.end, value)
			return true, nil
		}
		if err := l.toRows(); err != nil {
			return false, err
		}
	}
	if !before {
		i++
	}
	switch i {
	case 0:
		return true, l.Push(Head, value)
	case l.Len():
		return true, l.Push(Tail, value)
	}
	mark := l.tx.Mark()
	err = l.insertRow(i, value)
	l.tx.explain(mark, []byte("LINSERT"), l.e.Key, side(before), pivot, value)
	return true, err
}

// side is on which side of an element LINSERT inserts another.
func side(before bool) []byte {
	if before {
		return []byte("BEFORE")
	}
	return []byte("AFTER")
}

// find returns the first element that equals pivot, and its index: value is to be inserted there.
func (l *List) find(pivot, value []byte, before bool) (at listPlace, index int64, found bool, err error) {
	var seen looks
	w := l.Walk(Head, 0, l.Len())
	for err == nil && w.Next() {
		if found = bytes.Equal(w.Value(), pivot); found {
			at = w.place()
			break
		}
		index++
		if seen.far(l.tx.engine, w.Value(), 0) {
			err = l.tx.Long(seen.rows, seen.bytes, []byte("LINSERT"), l.e.Key, side(before), pivot, value)
		}
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	return at, index, found, err
}

// Remove removes elements that equal value: the first count from the head, or from
// the tail if count is negative, all if it is 0. It returns how many there were.
func (l *List) Remove(value []byte, count int64) (removed int64, err error) {
	end := Head
	if count < 0 {
		end, count = Tail, -max(count, -1<<62)
	}
	if count == 0 {
		count = l.Len()
	}
	if l.inline() {
		removed, err = l.removeInline(end, value, count)
	} else {
		removed, err = l.removeRows(end, value, count)
	}
	if removed > 0 && err == nil {
		l.changed = true
		err = l.shrink()
	}
	return removed, err
}

func (l *List) removeInline(end End, value []byte, count int64) (removed int64, err error) {
	var gone [inlineListElements]listPlace
	w := l.Walk(end, 0, l.Len())
	for removed < count && w.Next() {
		if bytes.Equal(w.Value(), value) {
			gone[removed] = w.place()
			removed++
		}
	}
	if err := w.Close(); err != nil || removed == 0 {
		return 0, err
	}
	l.makeOwn()
	for i := range removed { // the last in the listpack first: offsets before it stay
		at := gone[i]
		if end == Head {
			at = gone[removed-1-i]
		}
		l.lp = listpack.Remove(l.lp, at.start, at.end)
	}
	l.tx.build = l.lp
	return removed, nil
}

// removal is what there is to remove from a list.
type removal struct {
	end         End      // where the walk began
	gone        []uint64 // positions of the elements that go; in a draft the first of them
	n           int64    // how many go
	bound       uint64   // position of the last of them
	lead        int64    // as many of them stand at the end where the walk began
	trail       int64    // and so many behind everything that stays
	first, last uint64   // of those that stay and were seen, in the order of the walk
	whole       bool     // the far end was seen
}

func (l *List) removeRows(end End, value []byte, count int64) (removed int64, err error) {
	r, err := l.matches(end, value, count)
	switch {
	case err != nil || r.n == 0:
		return 0, err
	case r.n == int64(l.e.Meta.Count):
		return r.n, l.cut(Head, r.n)
	case l.moves(&r):
		mutant := l.tx.engine.opts.mutant.removeUnbounded
		return r.n, l.moveBut(l.Walk(Head, 0, l.Len()), func(w *ListWalk) bool {
			before := w.pos <= r.bound && end == Head || w.pos >= r.bound && end == Tail
			return (before || mutant) && bytes.Equal(w.Value(), value)
		})
	}
	return r.n, l.removeAt(&r, value)
}

// matches finds the first count elements from an end that equal value.
func (l *List) matches(end End, value []byte, count int64) (r removal, err error) {
	r = removal{end: end, gone: l.tx.positions[:0], lead: -1}
	most := lookTimes * l.tx.engine.opts.draftRows
	var seen looks
	w := l.Walk(end, 0, l.Len())
	for w.Next() {
		if r.n < count && bytes.Equal(w.Value(), value) {
			if l.tx.frozen == nil || len(r.gone) < most {
				r.gone = append(r.gone, w.pos)
			}
			r.bound = w.pos
			r.n++
			r.trail++
		} else {
			if r.lead < 0 {
				r.lead, r.first = r.n, w.pos
			}
			r.last, r.trail = w.pos, 0
			if r.n == count {
				break
			}
		}
		if seen.far(l.tx.engine, w.Value(), r.n) {
			if err = l.tx.Long(seen.rows, seen.bytes, []byte("LREM"), l.e.Key, decimal(signed(end, count)), value); err != nil {
				break
			}
		}
	}
	if w.left > 0 {
		r.trail = 0 // the far end was not seen
	}
	r.whole = w.left == 0
	l.tx.positions = r.gone
	if closed := w.Close(); err == nil {
		err = closed
	}
	return r, err
}

func signed(end End, n int64) int64 {
	if end == Tail {
		return -n
	}
	return n
}

// moves reports whether the elements that stay should be written anew rather than those that go deleted: if very many
// go. Only a draft can do so, for which that is not one record.
func (l *List) moves(r *removal) bool {
	few, stay := int64(l.tx.engine.opts.draftRows), int64(l.e.Meta.Count)-r.n
	return l.tx.frozen != nil && r.n > few && (r.n > int64(len(r.gone)) || r.n > stay/lookTimes)
}

// removeAt deletes the elements that go.
func (l *List) removeAt(r *removal, value []byte) error {
	if r.lead+r.trail < r.n {
		if err := l.undense(); err != nil {
			return err
		}
	}
	l.e.Meta.Count -= uint64(r.n)
	l.less(uint64(r.n) * uint64(listpack.ElementSize(value)))
	mark := l.tx.Mark()
	for _, pos := range r.gone {
		l.tx.delRow(l.rowKey(pos))
		if err := l.count(pos, -1); err != nil {
			return err
		}
	}
	l.tx.explain(mark, []byte("LREM"), l.e.Key, decimal(signed(r.end, r.n)), value)
	l.endAt(r.end, r.first, true)
	if r.whole {
		l.endAt(!r.end, r.last, true)
	}
	return nil
}
