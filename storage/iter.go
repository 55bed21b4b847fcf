package storage

import (
	"bytes"
	"slices"
	"sort"

	"github.com/cockroachdb/pebble/v2"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
)

// rowIter walks rows in key order as a transaction sees them: its own writes over
// the dirty rows of the table over the store. Key and Value are valid until the
// next move.
type rowIter struct {
	layers [3]layer // newest first
	used   int
	back   bool
	valid  bool
	key    []byte
	seek   []byte
	value  []byte
	err    error

	hurried *Tx // that must not go on for long; else nil
	moves   int
}

// layer is one sorted source of rows. A row may be absent, which hides the same
// row of older layers.
type layer interface {
	First() bool
	Last() bool
	Next() bool
	Prev() bool
	SeekGE(key []byte) bool
	SeekLT(key []byte) bool
	Valid() bool
	Key() []byte
	row() (value []byte, absent bool, err error)
	close() error
}

// iter opens an iterator over lo ≤ row key < hi, both in one slot; nil hi is the
// slot's end. The slot lock is held, and must be until the iterator is closed.
func (e *Engine) iter(tx *Tx, lo, hi []byte) *rowIter {
	if tx.frozen != nil {
		return tx.frozen.rows(tx, lo, hi)
	}
	slot := slots.Slot(format.SlotOf(lo))
	if hi == nil {
		hi = []byte{byte((slot + 1) >> 8), byte(slot + 1)}
	}
	it := &rowIter{}
	if tx.hurried {
		it.hurried = tx
		if it.err = tx.patient(uint64(e.table.Unordered(slot))); it.err != nil {
			return it
		}
	} else if it.err = e.ordered(tx, slot); it.err != nil {
		return it
	}
	if len(tx.writes.ops) > 0 {
		it.add(newWritesLayer(&tx.writes, lo, hi))
	}
	if c := e.table.Dirty(slot, lo, hi); !c.Empty() {
		it.add(&dirtyLayer{c})
	}
	if e.slots[slot].void {
		return it
	}
	pit, err := e.store.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		it.err = e.storeError(err)
		return it
	}
	it.add(&storeLayer{pit, e})
	return it
}

func (it *rowIter) add(l layer) {
	it.layers[it.used] = l
	it.used++
}

// First moves to the lowest row; false if there is none.
func (it *rowIter) First() bool {
	for _, l := range it.layers[:it.used] {
		l.First()
	}
	return it.settle(false)
}

// Last moves to the highest row; false if there is none.
func (it *rowIter) Last() bool {
	for _, l := range it.layers[:it.used] {
		l.Last()
	}
	return it.settle(true)
}

// SeekGE moves to the first row ≥ key.
func (it *rowIter) SeekGE(key []byte) bool {
	for _, l := range it.layers[:it.used] {
		l.SeekGE(key)
	}
	return it.settle(false)
}

// SeekLT moves to the last row < key.
func (it *rowIter) SeekLT(key []byte) bool {
	for _, l := range it.layers[:it.used] {
		l.SeekLT(key)
	}
	return it.settle(true)
}

// Next moves to the next higher row.
func (it *rowIter) Next() bool {
	if !it.valid {
		return false
	}
	if it.back {
		it.seek = append(append(it.seek[:0], it.key...), 0)
		return it.SeekGE(it.seek)
	}
	it.leave()
	return it.settle(false)
}

// Prev moves to the next lower row.
func (it *rowIter) Prev() bool {
	if !it.valid {
		return false
	}
	if !it.back {
		it.seek = append(it.seek[:0], it.key...)
		return it.SeekLT(it.seek)
	}
	it.leave()
	return it.settle(true)
}

// leave moves every layer that stands at the current key one row on.
func (it *rowIter) leave() {
	for _, l := range it.layers[:it.used] {
		if !l.Valid() || !bytes.Equal(l.Key(), it.key) {
			continue
		}
		if it.back {
			l.Prev()
		} else {
			l.Next()
		}
	}
}

// settle finds the row to stand at: the nearest key, from the newest layer that
// has it, unless it is absent there.
func (it *rowIter) settle(back bool) bool {
	it.back = back
	if it.hurried != nil && it.err == nil {
		if it.moves++; it.moves > patience {
			it.err = it.hurried.patient(uint64(it.moves))
		}
	}
	for it.err == nil {
		var best layer
		for _, l := range it.layers[:it.used] {
			if !l.Valid() {
				if _, _, err := l.row(); err != nil {
					it.err = err
				}
				continue
			}
			if best == nil {
				best = l
				continue
			}
			if c := bytes.Compare(l.Key(), best.Key()); c != 0 && c < 0 != back {
				best = l
			}
		}
		if best == nil || it.err != nil {
			break
		}
		it.key = append(it.key[:0], best.Key()...)
		value, absent, err := best.row()
		if err != nil {
			it.err = err
			break
		}
		if !absent {
			it.value, it.valid = value, true
			return true
		}
		it.leave()
	}
	it.valid = false
	return false
}

// Valid says whether the iterator stands at a row.
func (it *rowIter) Valid() bool { return it.valid }

// Key is the row key at which the iterator stands.
func (it *rowIter) Key() []byte { return it.key }

// Value is the value of that row.
func (it *rowIter) Value() []byte { return it.value }

// Close releases the iterator and returns the first error it met.
func (it *rowIter) Close() error {
	for _, l := range it.layers[:it.used] {
		if err := l.close(); err != nil && it.err == nil {
			it.err = err
		}
	}
	it.used = 0
	return it.err
}

// dirtyLayer is the part of the slot that the store does not have yet.
type dirtyLayer struct{ cache.Cursor }

func (l *dirtyLayer) row() ([]byte, bool, error) {
	if !l.Valid() {
		return nil, false, nil
	}
	value, absent := l.Value()
	return value, absent, nil
}

func (l *dirtyLayer) close() error { return nil }

// storeLayer is the store.
type storeLayer struct {
	*pebble.Iterator
	engine *Engine
}

func (l *storeLayer) row() ([]byte, bool, error) {
	if !l.Valid() {
		return nil, false, l.engine.storeError(l.Error())
	}
	value, err := l.ValueAndErr()
	return value, false, l.engine.storeError(err)
}

func (l *storeLayer) close() error { return l.engine.storeError(l.Iterator.Close()) }

// writesLayer is what the transaction has written itself. A range deletion only
// covers rows that nobody looks for, so it is not looked at.
type writesLayer struct {
	writes *writeSet
	ops    []int
	at     int
}

func newWritesLayer(w *writeSet, lo, hi []byte) *writesLayer {
	l := &writesLayer{writes: w, at: -1}
	for i := range w.ops {
		if key := w.keyOf(w.ops[i]); w.ops[i].op != format.OpDeleteRange && bytes.Compare(key, lo) >= 0 && bytes.Compare(key, hi) < 0 {
			l.ops = append(l.ops, i)
		}
	}
	slices.SortStableFunc(l.ops, func(a, b int) int { return bytes.Compare(w.keyOf(w.ops[a]), w.keyOf(w.ops[b])) })
	last := l.ops[:0]
	for i, op := range l.ops { // of several writes of a row the last one counts
		if i+1 < len(l.ops) && bytes.Equal(w.keyOf(w.ops[op]), w.keyOf(w.ops[l.ops[i+1]])) {
			continue
		}
		last = append(last, op)
	}
	l.ops = last
	return l
}

func (l *writesLayer) move(to int) bool { l.at = to; return l.Valid() }
func (l *writesLayer) First() bool      { return l.move(0) }
func (l *writesLayer) Last() bool       { return l.move(len(l.ops) - 1) }
func (l *writesLayer) Next() bool       { return l.move(l.at + 1) }
func (l *writesLayer) Prev() bool       { return l.move(l.at - 1) }
func (l *writesLayer) Valid() bool      { return l.at >= 0 && l.at < len(l.ops) }
func (l *writesLayer) Key() []byte      { return l.writes.keyOf(l.writes.ops[l.ops[l.at]]) }
func (l *writesLayer) close() error     { return nil }

func (l *writesLayer) SeekGE(key []byte) bool { return l.move(l.search(key)) }
func (l *writesLayer) SeekLT(key []byte) bool { return l.move(l.search(key) - 1) }

func (l *writesLayer) search(key []byte) int {
	return sort.Search(len(l.ops), func(i int) bool {
		return bytes.Compare(l.writes.keyOf(l.writes.ops[l.ops[i]]), key) >= 0
	})
}

func (l *writesLayer) row() ([]byte, bool, error) {
	if !l.Valid() {
		return nil, false, nil
	}
	o := l.writes.ops[l.ops[l.at]]
	return l.writes.valueOf(o), o.op == format.OpDelete, nil
}
