package storage

import (
	"bytes"
	"slices"
	"sort"

	"cobble/slots"
	"cobble/storage/format"
)

// heldRows is a draft's source of rows: those of held keys, some at a time, each time under the lock of their slot.
type heldRows struct {
	draft  *draft
	slot   slots.Slot
	lo, hi []byte
	arena  []byte
	rows   []heldRow // ascending
	at     int
	first  bool // there is nothing before the rows at hand,
	last   bool // or behind them
	want   int  // how many to read the next time; who looks for few of many is not read many for each
	bound  []byte
	err    error
}

type heldRow struct{ key, value []byte }

// view runs f on a slot that the draft reads.
func (d *draft) view(slot slots.Slot, f func(tx *Tx) error) error {
	if d.err != nil {
		return d.err
	}
	_, err := d.engine.View(d.now, slot, OpFunc(func(tx *Tx) error {
		if d.ended() {
			return errBroken
		}
		return f(tx)
	}))
	if err != nil {
		d.err = err
	}
	return err
}

// row reads one row.
func (d *draft) row(key []byte) (value []byte, ok bool, err error) {
	err = d.view(slots.Slot(format.SlotOf(key)), func(tx *Tx) error {
		row, found, err := tx.getRow(key)
		value, ok = bytes.Clone(row), found
		return err
	})
	return value, ok, err
}

// rows opens an iterator over lo ≤ row key < hi, with what the transaction has written. The rows of the draft's own
// objects are there as far as they were put before.
func (d *draft) rows(tx *Tx, lo, hi []byte) *rowIter {
	it := &rowIter{}
	if d.owns(lo) && !d.engine.opts.mutant.gatherShort {
		it.err = d.write()
	}
	slot := slots.Slot(format.SlotOf(lo))
	if hi == nil {
		hi = []byte{byte((slot + 1) >> 8), byte(slot + 1)}
	}
	if len(tx.writes.ops) > 0 && !d.engine.opts.mutant.draftBlind {
		it.add(newWritesLayer(&tx.writes, lo, hi))
	}
	it.add(&heldRows{draft: d, slot: slot, lo: bytes.Clone(lo), hi: bytes.Clone(hi), at: -1})
	return it
}

// fill reads rows from a key on, and stands at the first of them.
func (l *heldRows) fill(from []byte) bool {
	first := bytes.Compare(from, l.lo) <= 0
	return l.read(from, l.hi, false, func(more bool) { l.at, l.first, l.last = 0, first, !more })
}

// fillBack reads the rows before a key, and stands at the last of them.
func (l *heldRows) fillBack(before []byte) bool {
	last := bytes.Compare(before, l.hi) >= 0
	return l.read(l.lo, before, true, func(more bool) {
		slices.Reverse(l.rows)
		l.at, l.first, l.last = len(l.rows)-1, !more, last
	})
}

// read reads rows of a range, from its end if back, and calls done with whether there are more.
func (l *heldRows) read(lo, hi []byte, back bool, done func(more bool)) bool {
	want := min(l.want, l.draft.engine.opts.pieceRows)
	l.err = l.draft.view(l.slot, func(tx *Tx) error {
		l.arena, l.rows = l.arena[:0], l.rows[:0]
		more := false
		it := tx.iter(lo, hi)
		begin, move := it.First, it.Next
		if back {
			begin, move = it.Last, it.Prev
		}
		for ok := begin(); ok; ok = move() {
			if more = len(l.rows) == want || len(l.arena) >= pieceBytes; more {
				break
			}
			start := len(l.arena)
			l.arena = append(append(l.arena, it.Key()...), it.Value()...)
			mid := start + len(it.Key())
			l.rows = append(l.rows, heldRow{l.arena[start:mid:mid], l.arena[mid:len(l.arena):len(l.arena)]})
		}
		done(more)
		return it.Close()
	})
	if l.err != nil {
		l.rows, l.first, l.last = l.rows[:0], true, true
	}
	return l.Valid()
}

// leastSought is how many rows are read where a search ends.
const leastSought = 8

// used notes that of the rows at hand n were of use: twice as many are read next.
func (l *heldRows) used(n int) { l.want = max(2*n, leastSought) }

func (l *heldRows) First() bool {
	l.want = defaultPieceRows
	return l.fill(l.lo)
}

func (l *heldRows) Last() bool {
	l.want = defaultPieceRows
	return l.fillBack(l.hi)
}

func (l *heldRows) Next() bool {
	if l.at++; l.at < len(l.rows) || l.last {
		return l.Valid()
	}
	l.used(len(l.rows))
	l.bound = append(append(l.bound[:0], l.rows[len(l.rows)-1].key...), 0)
	return l.fill(l.bound)
}

func (l *heldRows) Prev() bool {
	if l.at--; l.at >= 0 || l.first {
		return l.Valid()
	}
	l.used(len(l.rows))
	l.bound = append(l.bound[:0], l.rows[0].key...)
	return l.fillBack(l.bound)
}

// search returns how many of the rows at hand are below key.
func (l *heldRows) search(key []byte) int {
	return sort.Search(len(l.rows), func(i int) bool { return bytes.Compare(l.rows[i].key, key) >= 0 })
}

func (l *heldRows) SeekGE(key []byte) bool {
	if n := len(l.rows); n > 0 && (l.first || bytes.Compare(key, l.rows[0].key) >= 0) && (l.last || bytes.Compare(key, l.rows[n-1].key) <= 0) {
		l.at = l.search(key)
		return l.Valid()
	}
	if bytes.Compare(key, l.lo) < 0 {
		key = l.lo
	}
	l.used(min(l.at+1, len(l.rows)))
	l.bound = append(l.bound[:0], key...)
	return l.fill(l.bound)
}

func (l *heldRows) SeekLT(key []byte) bool {
	if n := len(l.rows); n > 0 && (l.first || bytes.Compare(key, l.rows[0].key) > 0) && (l.last || bytes.Compare(key, l.rows[n-1].key) <= 0) {
		l.at = l.search(key) - 1
		return l.Valid()
	}
	if bytes.Compare(key, l.hi) > 0 {
		key = l.hi
	}
	l.used(max(len(l.rows)-l.at, 0))
	l.bound = append(l.bound[:0], key...)
	return l.fillBack(l.bound)
}

func (l *heldRows) Valid() bool  { return l.at >= 0 && l.at < len(l.rows) }
func (l *heldRows) Key() []byte  { return l.rows[l.at].key }
func (l *heldRows) close() error { return l.err }

func (l *heldRows) row() ([]byte, bool, error) {
	if !l.Valid() {
		return nil, false, l.err
	}
	return l.rows[l.at].value, false, nil
}
