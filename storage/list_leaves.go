package storage

import (
	"encoding/binary"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// A list of more than leafMost elements that was changed in the middle has a leaf
// directory, as sorted sets have: so an index is found without a walk. It is made of
// a dense list without looking at one element; most of its leaves stay even, and tell
// positions by themselves.

// exactRows is how many elements a large cut looks at to keep Bytes exact. If more
// go and more stay it is an estimate, until no more than so many are left.
const exactRows = 4096

func (l *List) leafKey() leafKey {
	return leafKey{slot: l.e.Slot, oid: l.e.Meta.OID, sub: format.SubListElement}
}

func (l *List) hasLeaves() bool { return l.x.Leaves > 0 }

// directory returns the leaf directory of a list that has one.
func (l *List) directory() (*leafDirectory, error) {
	if l.leaves.dir == nil {
		dir, err := l.tx.leavesOf(l.leafKey(), l.x.Leaves, l.x.Stamp)
		if err != nil {
			return nil, err
		}
		l.leaves = leafChanges{tx: l.tx, dir: dir}
	}
	return l.leaves.dir, nil
}

// undense prepares a dense list for a change in the middle: positions are no longer
// known from their indexes.
func (l *List) undense() error {
	m := &l.e.Meta
	if !l.dense() {
		return nil
	}
	m.Flags &^= format.FlagListDense
	if m.Count <= leafMost {
		return nil
	}
	if err := l.tx.patient(m.Count / leafFill); err != nil {
		return err
	}
	dir := &leafDirectory{key: l.leafKey(), total: m.Count}
	l.leaves = leafChanges{tx: l.tx, dir: dir}
	for from := uint64(0); from < m.Count; from += leafFill {
		var separator []byte
		if from > 0 {
			separator = binary.BigEndian.AppendUint64(nil, l.x.Head+from*format.ListStride)
		}
		leaf := dir.push(separator, min(leafFill, m.Count-from))
		leaf.even = from > 0
		l.leaves.put(leaf)
	}
	l.x.Leaves, l.x.Stamp = uint64(dir.leaves()), 1
	l.tx.keepLeaves(dir, l.x.Stamp)
	l.leaves.lose()
	return nil
}

// count tells the directory that the element at a position has come (delta 1) or gone.
func (l *List) count(pos uint64, delta int64) error {
	if !l.hasLeaves() || l.tx.engine.opts.mutant.listUncounted && delta > 0 {
		return nil
	}
	if _, err := l.directory(); err != nil {
		return err
	}
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], pos)
	l.leaves.count(key[:], false, delta)
	if at := l.leaves.dir.find(key[:]); l.tx.engine.opts.mutant.listStaysEven {
		l.leaves.dir.at(at).even = len(l.leaves.dir.at(at).separator) == 8
	}
	return nil
}

// saveLeaves writes what has changed in the directory, and makes one for a list that
// has become large.
func (l *List) saveLeaves() error {
	if l.dense() || !l.hasLeaves() && l.e.Meta.Count <= leafMost {
		return nil
	}
	if !l.hasLeaves() {
		l.leaves = leafChanges{tx: l.tx, dir: newLeafDirectory(l.leafKey(), l.e.Meta.Count)}
		l.tx.keepLeaves(l.leaves.dir, l.x.Stamp)
		l.leaves.lose()
		l.leaves.touch(nil)
	}
	if len(l.leaves.touched) == 0 {
		return nil
	}
	l.x.Stamp++
	l.leaves.ends[0] = binary.BigEndian.AppendUint64(nil, l.x.Head)
	l.leaves.ends[1] = append(binary.BigEndian.AppendUint64(nil, l.x.Tail), 0)
	if err := l.leaves.save(l.x.Stamp); err != nil {
		return err
	}
	l.x.Leaves = uint64(l.leaves.dir.leaves())
	return nil
}

// dropLeafRows deletes the rows of the directory.
func (l *List) dropLeafRows() {
	if !l.hasLeaves() {
		return
	}
	it := l.tx.iter(l.leafKey().leafRow(nil, nil), format.AppendElement(nil, uint16(l.e.Slot), l.e.Meta.OID, format.SubLeaf+1))
	for ok := it.First(); ok; ok = it.Next() {
		l.tx.delRow(it.Key())
	}
	l.tx.fail(it.Close())
}

// position returns the position of the element with an index, which there is.
func (l *List) position(i int64) (uint64, error) {
	switch {
	case l.dense():
		return l.x.Head + uint64(i)*format.ListStride, nil
	case l.hasLeaves():
		at, within, err := l.leafOf(i)
		if err != nil {
			return 0, err
		}
		return l.positionIn(at, within)
	}
	at, err := l.seek(i)
	return at.pos, err
}

// leafOf returns the leaf of the element with an index, and its index there.
func (l *List) leafOf(i int64) (at leafAt, within int, err error) {
	dir, err := l.directory()
	if err != nil {
		return at, 0, err
	}
	if uint64(i) >= dir.total {
		return at, 0, format.ErrCorrupt
	}
	at, rank := dir.locate(uint64(i))
	return at, int(rank), nil
}

// positionIn returns the position of an element of a leaf.
func (l *List) positionIn(at leafAt, within int) (uint64, error) {
	dir := l.leaves.dir
	if leaf := dir.at(at); leaf.even && len(leaf.separator) == 8 {
		return binary.BigEndian.Uint64(leaf.separator) + uint64(within)*format.ListStride, nil
	}
	keys := dir.held(at)
	if keys == nil {
		var err error
		if keys, err = l.tx.readKeys(dir, at, l.rows); err != nil {
			return 0, err
		}
	}
	if within >= len(keys.order) || len(keys.key(within)) != 8 {
		return 0, format.ErrCorrupt
	}
	return binary.BigEndian.Uint64(keys.key(within)), nil
}

// rows opens an iterator over the elements from low to before high, or from the head
// and to the tail if these are nil or farther out.
func (l *List) rows(low, high []byte) *rowIter {
	lo := format.AppendListElement(nil, uint16(l.e.Slot), l.e.Meta.OID, l.x.Head)
	hi := append(format.AppendListElement(nil, uint16(l.e.Slot), l.e.Meta.OID, l.x.Tail), 0)
	if string(low) > string(lo[format.ElementPrefix:]) {
		lo = append(lo[:format.ElementPrefix], low...)
	}
	if high != nil && string(high) < string(hi[format.ElementPrefix:]) {
		hi = append(hi[:format.ElementPrefix], high...)
	}
	return l.tx.iter(lo, hi)
}

// cutLeaves takes n elements at an end, but not all, off the directory.
func (l *List) cutLeaves(end End, n uint64) error {
	dir, err := l.directory()
	if err != nil {
		return err
	}
	l.leaves.lose()
	for n > 0 {
		at := leafAt{}
		if end == Tail {
			at.part = len(dir.parts) - 1
			at.leaf = len(dir.parts[at.part].leaves) - 1
		}
		leaf := dir.at(at)
		if leaf.count > n {
			dir.release(at)
			dir.add(at, -int64(n))
			l.leaves.touch(leaf.separator)
			break
		}
		n -= leaf.count
		l.tx.delRow(dir.key.leafRow(nil, leaf.separator))
		dir.remove(at)
	}
	// What comes before the others belongs to the first leaf, whatever its elements.
	if first := dir.at(leafAt{}); end == Head {
		if len(first.separator) > 0 {
			l.tx.delRow(dir.key.leafRow(nil, first.separator))
			dir.size -= int64(len(first.separator))
		}
		first.separator, first.even = nil, false
		l.leaves.touch(nil)
	}
	return nil
}

// clear deletes the rows between two positions beyond an end of the list, those
// included: the end is about to move there.
func (l *List) clear(from, to uint64) error {
	if from > to || l.dense() || l.tx.engine.opts.mutant.listUncleared {
		return nil // the elements of a dense list will take the place of each
	}
	mark := l.tx.Mark()
	it := l.tx.iter(bytesOf(l.rowKey(from)), append(bytesOf(l.rowKey(to)), 0))
	for ok := it.First(); ok; ok = it.Next() {
		l.tx.delRow(it.Key())
	}
	if l.tx.Mark() > mark {
		l.tx.explain(mark)
	}
	return it.Close()
}

func bytesOf(b []byte) []byte { return append(make([]byte, 0, len(b)+1), b...) }

// less takes what elements count for off Bytes.
func (l *List) less(n uint64) { l.e.Meta.Bytes -= min(n, l.e.Meta.Bytes) }

// cutBytes takes n elements at an end off Bytes, before they go.
func (l *List) cutBytes(end End, n, kept int64) error {
	m := &l.e.Meta
	switch {
	case min(n, kept) > exactRows:
		m.Flags |= format.FlagListAbout
		l.less(uint64(float64(m.Bytes) / float64(m.Count) * float64(n)))
		return nil
	case kept < n:
		return l.recount(!end, kept)
	}
	w := l.Walk(end, 0, n)
	for w.Next() {
		l.less(uint64(listpack.ElementSize(w.Value())))
	}
	return w.Close()
}

// recount makes Bytes the size of n elements from an end.
func (l *List) recount(end End, n int64) error {
	m := &l.e.Meta
	m.Flags &^= format.FlagListAbout
	m.Bytes = 0
	w := l.Walk(end, 0, n)
	for w.Next() {
		m.Bytes += uint64(listpack.ElementSize(w.Value()))
	}
	return w.Close()
}

// measure makes Bytes exact if it is an estimate and elements are few.
func (l *List) measure() error {
	m := &l.e.Meta
	if l.inline() || m.Flags&format.FlagListAbout == 0 || m.Count > exactRows {
		return nil
	}
	return l.recount(Head, int64(m.Count))
}
