package storage

import (
	"math"

	"cobble/slots"
	"cobble/storage/format"
)

// sweepRows is how many expiry rows one hold of a slot lock may look at, and
// defaultSweepFields after how many fields that it has removed, or of one hash, it ends.
const (
	sweepRows          = 64
	defaultSweepFields = 128
)

// SweepExpired looks at up to limit expiry rows whose time (Unix
// milliseconds) is before now and removes the keys and fields that have expired, in batches that are logged
// like any write. It returns how many rows it looked at, and for fields how many it removed: limit means that there
// may be more. Only a primary may sweep; concurrent calls do no harm.
func (e *Engine) SweepExpired(now int64, limit int) (looked int, err error) {
	if e.soonest.Load() >= now {
		return 0, nil
	}
	e.soonest.Store(math.MaxInt64) // before any slot is looked at: what changes behind the look lowers it again
	soonest := int64(1)            // unless all slots were seen
	defer func() { e.lowerSoonest(soonest) }()
	seen := int64(math.MaxInt64)
	start := e.sweepFrom.Load()
	for i := range int64(slots.Count) {
		slot := slots.Slot((start + i) % slots.Count)
		for {
			next := e.NextExpiry(slot)
			if next == 0 || next >= now {
				if next != 0 {
					seen = min(seen, next)
				}
				break
			}
			if looked >= limit {
				e.sweepFrom.Store(int64(slot))
				return looked, nil
			}
			n, err := e.sweepSlot(now, slot, min(sweepRows, limit-looked))
			looked += n
			if err != nil {
				return looked, err
			}
		}
	}
	soonest = seen
	return looked, nil
}

// expires sets the time before which no key of a slot expires, Unix milliseconds, 0 for never. The slot is locked for
// writing, or the engine is being opened.
func (e *Engine) expires(slot slots.Slot, at int64) {
	e.slots[slot].nextExpiry.Store(at)
	if at != 0 && !e.opts.mutant.sweepSleeps {
		e.lowerSoonest(at) // behind the store: a sweep that did not see that is told here
	}
}

func (e *Engine) lowerSoonest(at int64) {
	for {
		old := e.soonest.Load()
		if old <= at || e.soonest.CompareAndSwap(old, at) {
			return
		}
	}
}

// ExpiredKeys returns how many keys were removed because their time had come,
// since the engine was opened.
func (e *Engine) ExpiredKeys() int64 { return e.expired.Load() }

// ExpiredFields returns the same of fields of hashes.
func (e *Engine) ExpiredFields() int64 { return e.subExpired.Load() }

func (e *Engine) sweepSlot(now int64, slot slots.Slot, limit int) (int, error) {
	bound := e.NextExpiry(slot)
	op := &sweepOp{slot: slot, limit: limit}
	if _, err := e.Update(now, []slots.Slot{slot}, op); err != nil {
		// Nothing was removed, so nothing was learnt.
		_, _ = e.Update(now, []slots.Slot{slot}, OpFunc(func(tx *Tx) error {
			tx.SetNextExpiry(slot, bound)
			return nil
		}))
		return len(op.due), err
	}
	if op.more {
		e.sweepRow.Store(&dueRow{slot, op.due[len(op.due)-1]})
	} else {
		e.sweepRow.Store(nil)
	}
	return max(len(op.due), op.fields), nil
}

// dueRow is the last row of a slot's expiry index that a sweep acted on when it was not
// through with the slot. The next one goes on there: what was removed before it would
// be stepped over again each time, which is quadratic where very many keys expire
// together. A row that came to stand before it in the meantime is seen by the look
// from the beginning that ends the sweep of a slot.
type dueRow struct {
	slot slots.Slot
	row  []byte
}

// sweepOp removes or files again what the first due rows of a slot's expiry index name.
type sweepOp struct {
	slot   slots.Slot
	limit  int
	due    [][]byte
	fields int  // that were removed
	more   bool // rows that are due were left
}

func (op *sweepOp) Run(tx *Tx) error {
	next, err := op.collect(tx)
	if err != nil {
		return err
	}
	op.fields, op.more = 0, len(op.due) == op.limit
	for i, row := range op.due {
		enough := op.fields >= tx.engine.opts.sweepFields // for one hold of the lock
		again := false
		if !enough {
			if again, err = op.sweepRow(tx, row); err != nil {
				return err
			}
		}
		if _, ms, _, _, _, _ := format.SplitExpiryKey(row); (enough || again) && (next == 0 || ms < next) {
			next = ms
		}
		if enough {
			op.due, op.more = op.due[:i], i > 0
			break
		}
	}
	tx.SetNextExpiry(op.slot, next) // rows filed again lower it when they are committed
	return nil
}

// collect copies the rows that are due and returns the time of the first row that
// is left, 0 for none.
func (op *sweepOp) collect(tx *Tx) (next int64, err error) {
	if place := tx.engine.sweepRow.Load(); place != nil && place.slot == op.slot {
		if _, err = op.collectFrom(tx, place.row); err != nil {
			return 0, err
		}
		if len(op.due) == op.limit { // whether a row that is due stands before them, the next sweep sees
			_, next, _, _, _, _ = format.SplitExpiryKey(place.row)
			return next, nil
		}
	}
	return op.collectFrom(tx, format.AppendKind(nil, uint16(op.slot), format.KindExpiry))
}

func (op *sweepOp) collectFrom(tx *Tx, from []byte) (next int64, err error) {
	op.due = op.due[:0]
	it := tx.iter(from, format.AppendKind(nil, uint16(op.slot), format.KindExpiry+1))
	for ok := it.First(); ok; ok = it.Next() {
		_, ms, _, _, _, isExpiry := format.SplitExpiryKey(it.Key())
		if !isExpiry {
			_ = it.Close()
			return 0, format.ErrCorrupt
		}
		if ms >= tx.now || len(op.due) == op.limit {
			next = ms
			break
		}
		op.due = append(op.due, append([]byte(nil), it.Key()...))
	}
	return next, it.Close()
}

// sweepRow acts on one due row of the expiry index. It reports whether the row stays.
func (op *sweepOp) sweepRow(tx *Tx, row []byte) (again bool, err error) {
	_, ms, what, _, key, _ := format.SplitExpiryKey(row)
	if tx.engine.holds.has(key) { // the sweep would wait for who holds it
		return true, nil
	}
	removed := tx.expired
	e, err := tx.Lookup(key) // removes the key with this row, if it has expired
	switch {
	case err != nil:
		return false, err
	case tx.expired > removed:
	case what == format.ExpiresField && e.Live && e.disk.FieldsAt == ms:
		return op.sweepFields(tx, &e)
	case what == format.ExpiresKey && e.Live && e.disk.IndexAt == ms: // it fired early: the expiry was put off
		tx.delRow(row)
		e.Meta.IndexAt = e.Meta.ExpireAt
		tx.putRow(tx.expiryKey(&e, e.Meta.IndexAt), nil)
		tx.value = e.Meta.Append(tx.value[:0])
		tx.putRow(tx.metaKey(&e), tx.value)
	default:
		tx.delRow(row) // nothing knows of it
	}
	return false, nil
}

// sweepFields removes fields of a hash that have expired, or files the hash under the
// time at which the first will. It reports whether it is filed as it was.
func (op *sweepOp) sweepFields(tx *Tx, e *Entry) (again bool, err error) {
	h := tx.hashOf(e)
	n, err := h.removeDue(tx.engine.opts.sweepFields)
	if err != nil {
		return false, err
	}
	op.fields += n
	at := h.e.Meta.FieldsAt
	if n > 0 || at == 0 {
		h.changed = true
		h.Save()
		tx.Note(EventHash, "hexpired", e.Key)
		if h.fields() == 0 {
			tx.Note(EventGeneric, "del", e.Key)
		}
		return h.fields() > 0 && at == e.disk.FieldsAt, nil
	}
	again = at == e.disk.FieldsAt
	tx.refileFields(e, at)
	e.Meta.FieldsAt = at
	tx.value = e.Meta.Append(tx.value[:0])
	tx.putRow(tx.metaKey(e), tx.value)
	return again, nil
}
