package storage

import (
	"bytes"
	"math/bits"
	"sync/atomic"

	"cobble/slots"
	"cobble/storage/format"
)

const (
	// garbagePerBatch is how many dropped objects one record collects.
	garbagePerBatch = 64
	// maxRanges is how many range deletions of one generation are enough: each
	// makes reads of its tables dearer.
	maxRanges = 64
	// defaultDropRows is how many rows in memory one record drops.
	defaultDropRows = 4096
)

// garbageQueue knows in which slots there may be garbage rows.
type garbageQueue struct {
	words [slots.Count / 64]atomic.Uint64
}

func (q *garbageQueue) note(s slots.Slot) { q.words[s>>6].Or(1 << (s & 63)) }

// take returns a slot of set that was noted, and forgets it.
func (q *garbageQueue) take(set *slots.Set) (slots.Slot, bool) {
	for i := range q.words {
		for w := q.words[i].Load() & set[i]; w != 0; w &= w - 1 {
			bit := w & -w
			if q.words[i].And(^bit)&bit != 0 {
				return slots.Slot(i*64 + bits.TrailingZeros64(bit)), true
			}
		}
	}
	return 0, false
}

// CollectGarbage deletes the rows of some objects that commands have dropped in
// slots of set, at time now (Unix milliseconds), as a transaction of its own. Only
// a primary may call it. It returns false when there was nothing to do.
func (e *Engine) CollectGarbage(now int64, set *slots.Set) (bool, error) {
	e.rangesMu.Lock()
	ranges := len(e.ranges)
	e.rangesMu.Unlock()
	if ranges >= maxRanges {
		e.requestFlush()
		return false, nil
	}
	for {
		s, ok := e.garbage.take(set)
		if !ok {
			return false, nil
		}
		op := collect{slot: s}
		if _, err := e.Update(now, []slots.Slot{s}, &op); err != nil {
			e.garbage.note(s)
			return false, err
		}
		if op.more {
			e.garbage.note(s)
		}
		if op.place.next != nil {
			e.dropped.Store(&op.place)
		}
		if op.found > 0 {
			return true, nil
		}
	}
}

// collect is the operation of CollectGarbage.
type collect struct {
	slot  slots.Slot
	found int
	more  bool
	place dropPlace // how far a large object has come; written after the commit
}

// dropPlace is how far the rows in memory of a large object were dropped. It only saves looking at them again.
type dropPlace struct {
	slot slots.Slot
	oid  uint64
	next []byte // a row key
}

// Run deletes the rows of up to garbagePerBatch objects; neighbours in one range. An object of which very many rows are
// in memory is dropped in pieces, its row in the queue with the last of them: the range of that covers all of it once
// more. So is a part of an object that is still there, one at a time.
func (c *collect) Run(tx *Tx) error {
	c.found, c.more, c.place = 0, false, dropPlace{}
	lo := format.AppendKind(nil, uint16(c.slot), format.KindGarbage)
	it := tx.iter(lo, format.AppendKind(nil, uint16(c.slot), format.KindGarbage+1))
	var first, last uint64
	left := tx.engine.opts.dropRows
	for ok := it.First(); ok; ok = it.Next() {
		oid, sub, part, known := format.SplitGarbageKey(it.Key())
		if !known {
			continue
		}
		if part && c.found > 0 && oid == last { // of an object that goes
			tx.delRow(it.Key())
			continue
		}
		if c.found == garbagePerBatch || part && c.found > 0 {
			c.more = true
			break
		}
		if tx.engine.drafts.has(c.slot, oid) && !tx.engine.opts.mutant.draftTaken {
			continue
		}
		whole := rowRange{format.AppendObject(nil, uint16(c.slot), oid), format.AppendObject(nil, uint16(c.slot), oid+1)}
		if part {
			whole.lo = format.AppendElement(nil, uint16(c.slot), oid, sub)
			whole.hi = append(bytes.Clone(whole.lo), it.Value()...)
		}
		from, end := c.piece(tx, oid, whole, &left)
		if end != nil && c.found > 0 {
			c.more = true
			break
		}
		if end != nil || part {
			c.alone(tx, it.Key(), oid, part, whole, rowRange{from, end})
			return it.Close()
		}
		if c.found > 0 && oid != last+1 {
			c.drop(tx, first, last)
			first = oid
		} else if c.found == 0 {
			first = oid
		}
		last = oid
		c.found++
		tx.delRow(it.Key())
	}
	if err := it.Close(); err != nil {
		return err
	}
	if c.found > 0 {
		c.drop(tx, first, last)
	}
	return nil
}

// alone is what a record does that drops a piece of an object or of a part of one, or the rest of a part.
func (c *collect) alone(tx *Tx, row []byte, oid uint64, part bool, whole, piece rowRange) {
	c.found, c.more = 1, true
	forgets := tx.engine.opts.mutant.dropForgets && !part || tx.engine.opts.mutant.trimForgets && part
	if piece.hi == nil {
		piece, forgets = whole, true
	} else {
		c.place = dropPlace{c.slot, oid, piece.hi}
	}
	tx.delRange(piece.lo, piece.hi)
	if forgets {
		tx.delRow(row)
	}
}

// piece takes the rows of an object, or of a part of it, that are in memory off what is left to drop. If they are more,
// it returns the range of as many.
func (c *collect) piece(tx *Tx, oid uint64, whole rowRange, left *int) (from, end []byte) {
	from = whole.lo
	if p := tx.engine.dropped.Load(); p != nil && p.slot == c.slot && p.oid == oid && bytes.Compare(p.next, whole.lo) > 0 {
		from = p.next
	}
	if bytes.Compare(from, whole.hi) >= 0 {
		return from, nil
	}
	rows := tx.engine.table.Dirty(c.slot, from, whole.hi)
	for ok := rows.First(); ok; ok = rows.Next() {
		if *left == 0 {
			return from, bytes.Clone(rows.Key())
		}
		*left--
	}
	return from, nil
}

func (c *collect) drop(tx *Tx, first, last uint64) {
	tx.delRange(format.AppendObject(nil, uint16(c.slot), first), format.AppendObject(nil, uint16(c.slot), last+1))
}
