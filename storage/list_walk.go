package storage

import (
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// pointReads is up to how many elements of a dense list are read one by one; an
// iterator over rows costs more to open, and to keep beside rows that change.
const pointReads = 1024

// ListWalk visits elements of a list from one end towards the other. Begin it with
// List.Walk; it must be closed. It sees the list as it is when it begins.
type ListWalk struct {
	tx       *Tx
	backward bool
	left     int64 // elements yet to visit

	// layout Inline
	lp     []byte
	starts [inlineListElements]uint16 // backward: where the elements begin
	cursor listpack.Cursor

	// layout Rows
	list  List // as it was
	rows  *rowIter
	skip  int64 // rows to leave out before the first
	begun bool
	pos   uint64 // of the current element

	leafy  bool   // positions come from the directory,
	at     leafAt // of this leaf,
	within int    // and of this element in it

	value      []byte
	start, end int
	err        error
}

// Walk begins a walk over n elements (or those that there are), after leaving out
// the first from elements from the given end.
func (l *List) Walk(end End, from, n int64) ListWalk {
	w := ListWalk{tx: l.tx, backward: end == Tail}
	w.left = max(min(n, l.Len()-from), 0)
	if w.left == 0 {
		return w
	}
	if l.inline() {
		w.lp, w.cursor = l.lp, listpack.Walk(l.lp)
		w.beginInline(from)
		return w
	}
	if w.err = w.find(l, from); w.err != nil || w.left <= pointReads && (l.dense() || w.leafy) {
		return w
	}
	w.leafy = false
	w.rows = l.rows(nil, nil)
	return w
}

// find finds the first element of a walk in layout Rows.
func (w *ListWalk) find(l *List, from int64) (err error) {
	index := from
	if w.backward {
		index = l.Len() - 1 - from
	}
	switch {
	case l.dense():
		w.pos, err = l.position(index)
	case l.hasLeaves():
		w.leafy = true
		if w.at, w.within, err = l.leafOf(index); err == nil {
			w.pos, err = l.positionIn(w.at, w.within)
		}
	case w.backward:
		w.pos, w.skip = l.x.Tail, from
	default:
		w.pos, w.skip = l.x.Head, from
	}
	w.list = *l
	return err
}

func (w *ListWalk) beginInline(from int64) {
	if !w.backward {
		for ; from > 0; from-- {
			w.cursor.Next()
		}
		return
	}
	n := 0
	for ; ; n++ {
		at := w.cursor.At()
		if _, ok := w.cursor.Next(); !ok {
			break
		}
		if n == len(w.starts) {
			w.err = format.ErrCorrupt // nobody wrote so long a list inline
			return
		}
		w.starts[n] = uint16(at)
	}
	w.skip = int64(n) - from // how many elements are before the next, and it
}

// Next moves to the next element; it is false at the end.
func (w *ListWalk) Next() bool {
	if w.left == 0 || w.err != nil {
		return false
	}
	w.left--
	switch {
	case w.lp != nil:
		return w.nextInline()
	case w.rows != nil:
		return w.nextRow()
	}
	if w.begun {
		w.step()
	}
	w.begun = true
	if w.err != nil {
		return false
	}
	var ok bool
	w.value, ok, w.err = w.tx.getRow(w.list.rowKey(w.pos))
	if w.err == errCold { // find out about the others at once
		for ; w.left > 0 && w.err == errCold; w.left-- {
			w.step()
			if _, _, err := w.tx.getRow(w.list.rowKey(w.pos)); err != nil && err != errCold {
				w.err = err
			}
		}
	}
	if w.err == nil && !ok {
		w.err = format.ErrCorrupt
	}
	return w.err == nil
}

// step moves to the next position.
func (w *ListWalk) step() {
	switch {
	case w.leafy:
		w.stepLeaf()
	case w.backward:
		w.pos -= format.ListStride
	default:
		w.pos += format.ListStride
	}
}

func (w *ListWalk) stepLeaf() {
	dir, ok := w.list.leaves.dir, true
	if w.backward {
		if w.within--; w.within < 0 {
			if w.at, ok = dir.previous(w.at); ok {
				w.within = int(dir.at(w.at).count) - 1
			}
		}
	} else if w.within++; uint64(w.within) == dir.at(w.at).count {
		w.at, ok = dir.next(w.at)
		w.within = 0
	}
	if !ok || w.within < 0 {
		w.err = format.ErrCorrupt // Count says there are more
		return
	}
	pos, err := w.list.positionIn(w.at, w.within)
	if w.pos = pos; err != nil {
		w.err = err
	}
}

func (w *ListWalk) nextInline() bool {
	if w.backward {
		w.skip--
		if w.skip < 0 {
			w.err = listpack.ErrCorrupt
			return false
		}
		w.cursor = listpack.WalkFrom(w.lp, int(w.starts[w.skip]))
	}
	w.start = w.cursor.At()
	var ok bool
	w.value, ok = w.cursor.Text(w.tx.digits[0][:0])
	w.end = w.cursor.At()
	if !ok {
		w.err = listpack.ErrCorrupt
		return false
	}
	return true
}

func (w *ListWalk) nextRow() bool {
	ok := false
	switch {
	case w.begun && w.backward:
		ok = w.rows.Prev()
	case w.begun:
		ok = w.rows.Next()
	case w.backward:
		ok = w.rows.SeekLT(append(w.list.rowKey(w.pos), 0))
	default:
		ok = w.rows.SeekGE(w.list.rowKey(w.pos))
	}
	for ; ok && w.skip > 0; w.skip-- {
		if w.backward {
			ok = w.rows.Prev()
		} else {
			ok = w.rows.Next()
		}
	}
	w.begun = true
	if !ok {
		w.err = format.ErrCorrupt // Count says there are more
		return false
	}
	w.pos, w.err = format.SplitListElement(w.rows.Key())
	w.value = w.rows.Value()
	return w.err == nil
}

// Value returns the element, valid until the next move.
func (w *ListWalk) Value() []byte { return w.value }

// place says where the current element is.
func (w *ListWalk) place() listPlace {
	return listPlace{listpack.ElementSize(w.value), w.pos, w.start, w.end}
}

// Close ends the walk and returns the first error that it met.
func (w *ListWalk) Close() error {
	err := w.err
	if w.rows != nil {
		if closed := w.rows.Close(); closed != nil && (err == nil || err == format.ErrCorrupt) {
			err = closed
		}
		w.rows = nil
	}
	return err
}
