package storage

import (
	"slices"
	"strconv"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/listpack"
)

// Fields that expire. A deadline stands with its field: in layout Inline in a second
// listpack before that of the fields, in layout Rows in the field's row, and there a
// row of its own files the field by deadline. A hash with such fields is filed in the
// expiry index of its slot under Meta.FieldsAt, before which none of them is due; a
// hash without them has neither a byte nor a look-up more.
//
// As with keys: a field lives in the millisecond that its deadline names; from then on
// it is hidden from everybody, and the sweeper of the primary removes it.

// MaxFieldDeadline is the latest deadline of a field, Unix milliseconds (Redis: HFE_MAX_ABS_TIME_MSEC).
const MaxFieldDeadline = 1<<46 - 1

// DeadlineResult is what became of a field, as the commands reply it.
type DeadlineResult int64

// The results.
const (
	FieldMissing    DeadlineResult = -2
	FieldNoDeadline DeadlineResult = -1 // of PersistField
	FieldKept       DeadlineResult = 0  // the condition of ExpireField did not hold
	FieldChanged    DeadlineResult = 1
	FieldDeleted    DeadlineResult = 2 // the deadline has passed already
)

// Deadline returns when a field expires (Unix milliseconds), 0 for never.
func (h *Hash) Deadline(field []byte) (at int64, ok bool, err error) {
	_, at, ok, err = h.find(field)
	if err == nil && ok && h.hideBefore == 0 && h.inline() {
		at, err = h.deadlineInline(field)
	}
	if err != nil || !ok || at != 0 && at < h.hideBefore {
		return 0, false, err
	}
	return at, true, nil
}

// ExpireField makes a field expire at a time (Unix milliseconds), at once if that has
// passed.
func (h *Hash) ExpireField(field []byte, at int64, cond ExpireIf) (DeadlineResult, error) {
	old, ok, err := h.Deadline(field)
	switch {
	case err != nil || !ok:
		return FieldMissing, err
	case !cond.holds(old, at):
		return FieldKept, nil
	case at <= h.tx.now:
		_, err = h.Delete(field)
		h.tx.subExpired++
		return FieldDeleted, err
	}
	return FieldChanged, h.setDeadline(field, old, at)
}

// PersistField takes the deadline from a field.
func (h *Hash) PersistField(field []byte) (DeadlineResult, error) {
	old, ok, err := h.Deadline(field)
	switch {
	case err != nil || !ok:
		return FieldMissing, err
	case old == 0:
		return FieldNoDeadline, nil
	}
	return FieldChanged, h.setDeadline(field, old, 0)
}

// setDeadline gives a field that there is another deadline, 0 for none.
func (h *Hash) setDeadline(field []byte, old, until int64) error {
	h.changed = true
	if h.inline() {
		if until == 0 || len(h.packed)+h.deadlinesSize(field, until) <= inlineHashBytes {
			_, err := h.setDeadlineInline(field, until)
			return err
		}
		if err := h.toRows(); err != nil {
			return err
		}
	}
	value, _, _, err := h.findRow(field)
	if err != nil {
		return err
	}
	h.moveDeadline(field, old, until)
	h.putField(field, value, until)
	return nil
}

// openDeadlines reads what the metadata say of deadlines.
func (h *Hash) openDeadlines() {
	m, err := &h.e.Meta, error(nil)
	if h.inline() {
		h.deadlines, h.packed, err = format.SplitHashInline(m.Inline)
	} else {
		h.expiring, err = format.SplitHashExtra(m.Extra)
	}
	if err != nil {
		h.tx.fail(err)
	}
	if m.FieldsAt < h.tx.now && !h.tx.engine.opts.mutant.expiredSeen {
		h.hideBefore = h.tx.now
	}
}

// sealDeadlines makes the metadata say it.
func (h *Hash) sealDeadlines() {
	m := &h.e.Meta
	if h.deadlines == nil && h.expiring == 0 {
		m.FieldsAt, m.Extra = 0, nil
		return
	}
	if h.inline() {
		h.tx.extra = format.AppendHashInline(h.tx.extra[:0], h.deadlines, h.packed)
		h.packed = h.tx.extra
		return
	}
	h.tx.extra = format.AppendHashExtra(h.tx.extra[:0], h.expiring)
	m.Extra = h.tx.extra
}

// noteDeadline notes that a field got a deadline.
func (h *Hash) noteDeadline(at int64) {
	m := &h.e.Meta
	if m.FieldsAt == 0 || at < m.FieldsAt {
		m.FieldsAt = at
	}
	if m.Enc == format.EncListpack {
		m.Enc = format.EncListpackEx
	}
}

// moveDeadline changes under which time a field in layout Rows is filed; 0: none.
func (h *Hash) moveDeadline(field []byte, old, until int64) {
	if old != 0 {
		h.expiring--
		if !h.tx.engine.opts.mutant.deadlinesStay {
			h.tx.delRow(h.deadlineKey(field, old))
		}
	}
	if until != 0 {
		h.expiring++
		h.noteDeadline(until)
		h.tx.putRow(h.deadlineKey(field, until), nil)
	}
}

// deadlineKey builds the key of the row that files a field, valid until the next key is built.
func (h *Hash) deadlineKey(field []byte, at int64) []byte {
	h.tx.scratch = format.AppendHashDeadline(h.tx.scratch[:0], uint16(h.e.Slot), h.e.Meta.OID, at, field)
	return h.tx.scratch
}

// deadlineIn returns the deadline of a field in a listpack of them, 0 for none.
func deadlineIn(deadlines, field []byte) (at int64, err error) {
	if deadlines == nil {
		return 0, nil
	}
	e, _, found, err := listpack.Pair(deadlines, field)
	if err == nil && found && (!e.IsInt || e.Int <= 0) {
		err = format.ErrCorrupt
	}
	return e.Int, err
}

func (h *Hash) deadlineInline(field []byte) (int64, error) { return deadlineIn(h.deadlines, field) }

// deadlinesSize bounds what the deadlines add to the inline bytes once a field has
// one; until 0: it does not get one.
func (h *Hash) deadlinesSize(field []byte, until int64) int {
	const lengthSize, deadlineSize = 2, 10
	size := lengthSize + max(len(h.deadlines), listpack.MinSize)
	if until != 0 {
		size += listpack.ElementSize(field) + deadlineSize
	}
	return size
}

// setDeadlineInline gives a field a deadline, or takes it (0). It reports whether the
// field had expired.
func (h *Hash) setDeadlineInline(field []byte, until int64) (expired bool, err error) {
	lp := h.deadlines
	if lp == nil {
		lp = emptyListpack[:]
	}
	e, at, found, err := listpack.Pair(lp, field)
	if err != nil || !found && until == 0 {
		return false, err
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], until, 10)
	lp = slices.Clone(lp) // a change of deadlines is rare beside one of values
	switch {
	case until == 0:
		lp = listpack.Remove(lp, at.Key, at.End)
	case found:
		lp = listpack.Replace(lp, at.Value, at.End, text)
	default:
		lp = listpack.Push(listpack.Push(lp, field), text)
	}
	if h.deadlines = lp; listpack.Count(lp) == 0 {
		h.deadlines = nil
	}
	if until != 0 {
		h.noteDeadline(until)
	}
	return found && e.Int < h.hideBefore, nil
}

// eachDeadline calls f with fields that have a deadline in from ≤ deadline < to, until
// it returns false: in layout Rows from the earliest on, by name those of one deadline.
// The field is valid during the call.
func (h *Hash) eachDeadline(from, to int64, f func(field []byte, at int64) bool) error {
	if !h.inline() {
		return h.eachFiled(from, nil, to, f)
	}
	if h.deadlines == nil {
		return nil
	}
	c := listpack.Walk(h.deadlines)
	for {
		field, ok := c.Next()
		if !ok {
			return c.Err()
		}
		at, _ := c.Next()
		if at.Int >= from && at.Int < to && !f(h.tx.text(field, 2), at.Int) {
			return nil
		}
	}
}

// eachFiled is eachDeadline in layout Rows, from a field of the deadline from on.
func (h *Hash) eachFiled(from int64, after []byte, to int64, f func(field []byte, at int64) bool) error {
	lo := format.AppendHashDeadline(nil, uint16(h.e.Slot), h.e.Meta.OID, from, after)
	it := h.tx.iter(lo, format.AppendHashDeadline(nil, uint16(h.e.Slot), h.e.Meta.OID, to, nil))
	for ok := it.First(); ok; ok = it.Next() {
		at, field, err := format.SplitHashDeadline(it.Key())
		if err != nil {
			_ = it.Close()
			return err
		}
		if !f(field, at) {
			break
		}
	}
	return it.Close()
}

// due counts the fields that have expired and are not yet removed.
func (h *Hash) due() (n int64) {
	h.tx.fail(h.eachDeadline(h.e.Meta.FieldsAt, h.hideBefore, func([]byte, int64) bool { n++; return true }))
	return n
}

// dueSince reports whether a field has expired that had not at a time.
func (h *Hash) dueSince(then int64) (found bool, err error) {
	if h.hideBefore == 0 {
		return false, nil
	}
	err = h.eachDeadline(then, h.hideBefore, func([]byte, int64) bool { found = true; return false })
	return found, err
}

// nextDeadline returns the first deadline from a time on, 0 if there is none.
func (h *Hash) nextDeadline(from int64) (first int64, err error) {
	err = h.eachDeadline(from, MaxFieldDeadline+1, func(_ []byte, at int64) bool {
		if first == 0 || at < first {
			first = at
		}
		return h.inline()
	})
	return first, err
}

// dueField is a field that has expired.
type dueField struct {
	field []byte
	at    int64
}

// sweepPlace is where the last sweep of a hash in layout Rows stopped. The next one
// begins there: rows that were deleted take as long to pass as others, and very many
// fields may have one deadline. It is looked for nothing less because of it.
type sweepPlace struct {
	slot slots.Slot
	oid  uint64
	last dueField
}

// listDue returns up to limit fields that have expired.
func (h *Hash) listDue(limit int) (list []dueField, err error) {
	add := func(field []byte, at int64) bool {
		list = append(list, dueField{slices.Clone(field), at})
		return len(list) < limit
	}
	place := h.tx.engine.sweepPlace.Load()
	if h.inline() || place == nil || place.slot != h.e.Slot || place.oid != h.e.Meta.OID {
		err = h.eachDeadline(h.e.Meta.FieldsAt, h.hideBefore, add)
	} else if err = h.eachFiled(place.last.at, place.last.field, h.hideBefore, add); err == nil && len(list) < limit {
		list = list[:0]
		err = h.eachDeadline(h.e.Meta.FieldsAt, h.hideBefore, add)
	}
	return list, err
}

// removeDue removes up to limit fields that have expired, and says from when on the
// others are due. It returns how many it removed.
func (h *Hash) removeDue(limit int) (n int, err error) {
	if h.hideBefore == 0 {
		return 0, nil
	}
	list, err := h.listDue(limit)
	if err != nil {
		return 0, err
	}
	if !h.inline() { // the rows that are not in memory are asked for together
		for i := range list {
			if _, _, err := h.tx.getRow(h.rowKey(list[i].field)); err != nil && err != errCold {
				return 0, err
			}
		}
		if len(h.tx.cold) > 0 {
			return 0, errCold
		}
		if n := len(list); n > 0 { // not before: what was read is for the next run of this sweep
			h.tx.engine.sweepPlace.Store(&sweepPlace{h.e.Slot, h.e.Meta.OID, list[n-1]})
		}
	}
	for i := range list {
		if err := h.removeField(list[i].field, list[i].at); err != nil {
			return 0, err
		}
	}
	h.tx.subExpired += int64(len(list))
	if h.inline() && len(list) == limit {
		h.e.Meta.FieldsAt, err = h.nextDeadline(0)
	} else if len(list) < limit { // else there may be more that are due
		h.e.Meta.FieldsAt, err = h.nextDeadline(h.hideBefore)
	}
	return len(list), err
}

// removeField removes a field that was due at a time.
func (h *Hash) removeField(field []byte, due int64) error {
	if h.inline() {
		_, at, found, err := listpack.Pair(h.packed, field)
		if err != nil || !found {
			return firstError(err, format.ErrCorrupt)
		}
		return h.dropInline(field, at)
	}
	old, at, found, err := h.findRow(field)
	if err != nil || (!found || at != due) && !h.tx.engine.opts.mutant.deadlinesStay {
		return firstError(err, format.ErrCorrupt)
	}
	if found {
		h.dropRow(field, len(old), at)
	}
	if h.tx.engine.opts.mutant.deadlinesStay {
		h.tx.delRow(h.deadlineKey(field, due))
	}
	return nil
}

func firstError(err, other error) error {
	if err != nil {
		return err
	}
	return other
}
