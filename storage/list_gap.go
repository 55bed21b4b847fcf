package storage

import (
	"bytes"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// roomyGap is the mean distance between the elements that a spreading leaves.
const roomyGap = 1 << 10

// insertRow puts value before the element with index i, which is neither the first
// nor beyond the last.
func (l *List) insertRow(i int64, value []byte) error {
	if err := l.undense(); err != nil {
		return err
	}
	before, err := l.position(i - 1)
	if err != nil {
		return err
	}
	after, err := l.position(i)
	if err != nil {
		return err
	}
	m := &l.e.Meta
	m.Count++
	m.Bytes += uint64(listpack.ElementSize(value))
	if after-before >= 2 {
		pos := before + (after-before)/2
		l.tx.putRow(l.rowKey(pos), value)
		return l.count(pos, 1)
	}
	return l.spread(before, value)
}

// spread puts value behind the position left, and moves so many of the elements
// that follow that there is room between them again: a rewrite of few rows, once in
// many insertions at the same place.
func (l *List) spread(left uint64, value []byte) error {
	values, gone := [][]byte{value}, []uint64{}
	step := uint64(format.ListStride) // if everything up to the tail is moved
	it := l.rows(nil, nil)
	for ok := it.SeekGE(append(l.rowKey(left), 0)); ok; ok = it.Next() {
		pos, err := format.SplitListElement(it.Key())
		if err != nil {
			_ = it.Close()
			return err
		}
		if gap := (pos - left) / uint64(len(values)+1); gap >= roomyGap {
			step = gap
			break
		}
		values, gone = append(values, bytes.Clone(it.Value())), append(gone, pos)
	}
	if err := it.Close(); err != nil {
		return err
	}
	for _, pos := range gone {
		l.tx.delRow(l.rowKey(pos))
		if err := l.count(pos, -1); err != nil {
			return err
		}
	}
	pos := left
	for _, v := range values {
		pos += step
		if pos > l.x.Tail { // all that follow are moved, to beyond the last
			if err := l.clear(l.x.Tail+1, min(pos, l.x.High)); err != nil {
				return err
			}
			l.x.Tail, l.x.High = pos, max(pos, l.x.High)
		}
		l.tx.putRow(l.rowKey(pos), v)
		if err := l.count(pos, 1); err != nil {
			return err
		}
	}
	return nil
}
