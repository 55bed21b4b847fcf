package storage

import (
	"bytes"
	"sort"

	"cobble/slots"
	"cobble/storage/format"
)

// heldRows is a draft's source of rows: those of held keys, some at a time, each time under the lock of their slot. It
// moves forwards only.
type heldRows struct {
	draft  *draft
	slot   slots.Slot
	lo, hi []byte
	arena  []byte
	rows   []heldRow
	at     int
	last   bool // there is nothing behind the rows at hand
	behind []byte
	err    error
}

type heldRow struct{ key, value []byte }

// view runs f on a slot that the draft reads.
func (d *draft) view(slot slots.Slot, f func(tx *Tx) error) error {
	if d.err != nil {
		return d.err
	}
	_, err := d.engine.View(d.now, slot, OpFunc(func(tx *Tx) error {
		if d.broken.Load() {
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

// rows opens an iterator over lo ≤ row key < hi. The rows of the draft's own objects are there as far as they were put
// before.
func (d *draft) rows(lo, hi []byte) *rowIter {
	it := &rowIter{}
	if d.owns(lo) {
		it.err = d.write()
	}
	slot := slots.Slot(format.SlotOf(lo))
	if hi == nil {
		hi = []byte{byte((slot + 1) >> 8), byte(slot + 1)}
	}
	it.add(&heldRows{draft: d, slot: slot, lo: bytes.Clone(lo), hi: bytes.Clone(hi), at: -1})
	return it
}

// fill reads rows from a key on.
func (l *heldRows) fill(from []byte) bool {
	pieceRows := l.draft.engine.opts.pieceRows
	l.err = l.draft.view(l.slot, func(tx *Tx) error {
		l.arena, l.rows, l.at, l.last = l.arena[:0], l.rows[:0], 0, true
		it := tx.iter(from, l.hi)
		for ok := it.First(); ok; ok = it.Next() {
			if len(l.rows) == pieceRows || len(l.arena) >= pieceBytes {
				l.last = false
				break
			}
			start := len(l.arena)
			l.arena = append(append(l.arena, it.Key()...), it.Value()...)
			mid := start + len(it.Key())
			l.rows = append(l.rows, heldRow{l.arena[start:mid:mid], l.arena[mid:len(l.arena):len(l.arena)]})
		}
		return it.Close()
	})
	if l.err != nil {
		l.rows, l.last = l.rows[:0], true
	}
	return l.Valid()
}

func (l *heldRows) First() bool { return l.fill(l.lo) }

func (l *heldRows) Next() bool {
	if l.at++; l.at < len(l.rows) || l.last {
		return l.Valid()
	}
	l.behind = append(append(l.behind[:0], l.rows[len(l.rows)-1].key...), 0)
	return l.fill(l.behind)
}

func (l *heldRows) SeekGE(key []byte) bool {
	if n := len(l.rows); n > 0 && bytes.Compare(key, l.rows[0].key) >= 0 && (l.last || bytes.Compare(key, l.rows[n-1].key) <= 0) {
		l.at = sort.Search(n, func(i int) bool { return bytes.Compare(l.rows[i].key, key) >= 0 })
		return l.Valid()
	}
	if bytes.Compare(key, l.lo) < 0 {
		key = l.lo
	}
	return l.fill(key)
}

// Last, Prev and SeekLT are for walks backwards, which drafts do not make.
func (l *heldRows) Last() bool         { panic("storage: a draft reads backwards") }
func (l *heldRows) Prev() bool         { panic("storage: a draft reads backwards") }
func (l *heldRows) SeekLT([]byte) bool { panic("storage: a draft reads backwards") }

func (l *heldRows) Valid() bool  { return l.at >= 0 && l.at < len(l.rows) }
func (l *heldRows) Key() []byte  { return l.rows[l.at].key }
func (l *heldRows) close() error { return l.err }

func (l *heldRows) row() ([]byte, bool, error) {
	if !l.Valid() {
		return nil, false, l.err
	}
	return l.rows[l.at].value, false, nil
}
