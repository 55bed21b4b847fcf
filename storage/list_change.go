package storage

import (
	"bytes"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// Pop takes up to n elements off an end; f is called with each before it goes.
func (l *List) Pop(end End, n int64, f func(value []byte)) error {
	if !l.inline() && l.dense() && n <= pointDeleteRows && n < l.Len() {
		return l.popDense(end, n, f)
	}
	w := l.Walk(end, 0, n)
	n = w.left
	for w.Next() {
		f(w.Value())
	}
	if err := w.Close(); err != nil || n == 0 {
		return err
	}
	if err := l.cut(end, n); err != nil {
		return err
	}
	return l.shrink()
}

// popDense is Pop of a few elements, but not all, of a dense list: each is looked at once.
func (l *List) popDense(end End, n int64, f func(value []byte)) error {
	if n <= 0 {
		return nil
	}
	m := &l.e.Meta
	size := uint64(0)
	w := l.Walk(end, 0, n)
	for w.Next() {
		size += uint64(listpack.ElementSize(w.Value()))
		f(w.Value())
	}
	if err := w.Close(); err != nil {
		return err
	}
	l.changed = true
	l.less(size)
	pos, step := l.x.Head, uint64(format.ListStride)
	if end == Tail {
		pos, step = l.x.Tail, -step
	}
	for range n {
		l.tx.delRow(l.rowKey(pos))
		pos += step
	}
	m.Count -= uint64(n)
	l.endAt(end, pos, true)
	l.expectPop(pos, pos+step)
	return l.shrink()
}

// Trim keeps the elements with index start to stop, from the tail if negative.
func (l *List) Trim(start, stop int64) error {
	n := l.Len()
	if start < 0 {
		start = max(start+n, 0)
	}
	if stop < 0 {
		stop += n
	}
	stop = min(stop, n-1)
	kept := stop - start + 1
	if start > stop || start >= n {
		kept, start = 0, n
	}
	if kept == n {
		return nil
	}
	if l.inline() || kept == 0 || kept > pointDeleteRows || n-kept <= pointDeleteRows {
		if err := l.cut(Tail, n-kept-start); err != nil {
			return err
		}
		if err := l.cut(Head, start); err != nil {
			return err
		}
	} else if err := l.move(start, kept); err != nil {
		return err
	}
	return l.shrink()
}

// cut removes n elements at an end.
func (l *List) cut(end End, n int64) error {
	if n == 0 {
		return nil
	}
	l.changed = true
	if l.inline() {
		from, to, err := l.offsets(end, n)
		if err != nil {
			return err
		}
		l.makeOwn()
		l.lp = listpack.Remove(l.lp, from, to)
		l.tx.build = l.lp
		return nil
	}
	m := &l.e.Meta
	kept := int64(m.Count) - n
	if n > pointDeleteRows && kept == 0 {
		m.Count, l.dropped = 0, true
		return nil
	}
	if n > pointDeleteRows && (l.dense() || l.hasLeaves()) {
		return l.cutRange(end, n)
	}
	w := l.Walk(end, 0, min(n+1, int64(m.Count)))
	l.tx.positions = l.tx.positions[:0]
	next := uint64(0)
	for i := int64(0); w.Next(); i++ {
		if next = w.pos; i == n {
			break
		}
		l.less(uint64(listpack.ElementSize(w.Value())))
		l.tx.positions = append(l.tx.positions, w.pos)
	}
	if err := w.Close(); err != nil {
		return err
	}
	for _, pos := range l.tx.positions {
		l.tx.delRow(l.rowKey(pos))
		if err := l.count(pos, -1); err != nil {
			return err
		}
	}
	m.Count = uint64(kept)
	l.endAt(end, next, true)
	return nil
}

// endAt makes the element at a position the end of the list. If the rows beyond it
// are deleted one by one, nothing of them is left behind.
func (l *List) endAt(end End, pos uint64, clean bool) {
	switch {
	case end == Head:
		if clean && l.x.Low == l.x.Head {
			l.x.Low = pos
		}
		l.x.Head = pos
	default:
		if clean && l.x.High == l.x.Tail {
			l.x.High = pos
		}
		l.x.Tail = pos
	}
}

// cutRange removes n elements at an end, more than pointDeleteRows but not all, with
// one deletion of a range: what it costs does not depend on how many they are.
func (l *List) cutRange(end End, n int64) error {
	m := &l.e.Meta
	kept := int64(m.Count) - n
	at := n // index of the element that becomes the end
	if end == Tail {
		at = kept - 1
	}
	if err := l.tx.patient(min(uint64(n), uint64(l.tx.engine.table.DirtyRows(l.e.Slot)))); err != nil {
		return err // those that are dirty are dropped one by one
	}
	next, err := l.position(at)
	if err != nil {
		return err
	}
	if err := l.cutBytes(end, n, kept); err != nil {
		return err
	}
	if l.hasLeaves() {
		if err := l.cutLeaves(end, uint64(n)); err != nil {
			return err
		}
	}
	from, to := l.x.Head, next // the first of the range and what follows it
	if end == Tail {
		from, to = next+1, l.x.Tail+1
	}
	mark, command := l.tx.Mark(), "LPOP"
	if end == Tail {
		command = "RPOP"
	}
	l.tx.delRange(
		format.AppendListElement(nil, uint16(l.e.Slot), m.OID, from),
		format.AppendListElement(nil, uint16(l.e.Slot), m.OID, to))
	l.tx.explain(mark, []byte(command), l.e.Key, decimal(n))
	m.Count = uint64(kept)
	l.endAt(end, next, false)
	return nil
}

// offsets returns where n elements at an end are in the listpack.
func (l *List) offsets(end End, n int64) (from, to int, err error) {
	skip := n
	if end == Tail {
		skip = l.Len() - n
	}
	c := listpack.Walk(l.lp)
	for ; skip > 0; skip-- {
		if _, ok := c.Next(); !ok {
			return 0, 0, listpack.ErrCorrupt
		}
	}
	if end == Tail {
		return c.At(), len(l.lp) - 1, nil
	}
	return listpack.HeaderSize, c.At(), nil
}

// move keeps n elements from an index on, in rows of their own; the others are left
// to the garbage collector.
func (l *List) move(from, n int64) error {
	return l.moveBut(l.Walk(Head, from, n), func(*ListWalk) bool { return false })
}

// moveBut keeps the elements of a walk that do not go, likewise.
func (l *List) moveBut(w ListWalk, goes func(w *ListWalk) bool) error {
	l.changed = true
	l.begin()
	for w.Next() {
		if goes(&w) {
			continue
		}
		if err := l.pushRow(Tail, w.Value()); err != nil {
			_ = w.Close()
			return err
		}
	}
	return w.Close()
}

// ListMove moves an element from an end of one list to an end of another, perhaps
// of the same one. ok is false if there is no source. The value is valid until Run
// returns.
func (tx *Tx) ListMove(source, target []byte, from, to End) (value []byte, ok bool, err error) {
	l, err := tx.List(source)
	if err != nil || !l.Live() {
		return nil, false, err
	}
	if _, err := tx.LookupType(target, format.List); err != nil {
		return nil, false, err
	}
	if err := l.Pop(from, 1, func(v []byte) { tx.moved = append(tx.moved[:0], v...) }); err != nil {
		return nil, false, err
	}
	if !bytes.Equal(source, target) {
		l.Save()
		if l, err = tx.List(target); err != nil {
			return nil, false, err
		}
	}
	if err := l.Push(to, tx.moved); err != nil {
		return nil, false, err
	}
	l.Save()
	return tx.moved, true, nil
}
