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
	before, err := l.seek(i - 1)
	if err != nil {
		return err
	}
	after, err := l.seek(i)
	if err != nil {
		return err
	}
	m := &l.e.Meta
	m.Flags &^= format.FlagListDense
	m.Count++
	m.Bytes += uint64(listpack.ElementSize(value))
	if after.pos-before.pos >= 2 {
		l.tx.putRow(l.rowKey(before.pos+(after.pos-before.pos)/2), value)
		return nil
	}
	return l.spread(before.pos, value)
}

// spread puts value behind the position left, and moves so many of the elements
// that follow that there is room between them again: a rewrite of few rows, once in
// many insertions at the same place.
func (l *List) spread(left uint64, value []byte) error {
	values, gone := [][]byte{value}, []uint64{}
	step := uint64(format.ListStride) // if everything up to the tail is moved
	it := l.iter()
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
	}
	pos := left
	for _, v := range values {
		pos += step
		l.tx.putRow(l.rowKey(pos), v)
	}
	if len(gone) > 0 && gone[len(gone)-1] == l.tail {
		l.tail = pos
	}
	return nil
}
