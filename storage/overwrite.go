package storage

import (
	"strconv"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
	"cobble/storage/log"
)

// Overwrite is the room that one caller needs for overwriting strings, one at a time.
type Overwrite struct {
	record log.Record
	deltas [1]log.Delta
	head   [overwriteHead + maxOverwriteKey]byte
	adding adding
}

// adding is what OverwriteSum makes of a string.
type adding struct {
	by, sum int64
	text    [20]byte // of the sum
}

// to adds to the integer that text is, and returns the text of the sum; ok is false if text is none, or the sum is too large.
func (a *adding) to(text []byte) (sum []byte, ok bool) {
	n, ok := ParseInt(text)
	if !ok {
		return nil, false
	}
	if a.sum, ok = addInts(n, a.by); !ok {
		return nil, false
	}
	return strconv.AppendInt(a.text[:0], a.sum, 10), true
}

const (
	// overwriteHead is what a write set of one row takes beside key and value, at most.
	overwriteHead   = 64
	maxOverwriteKey = 128
)

// Gate says whether an overwrite may be, now that its slot is locked.
type Gate interface{ Open() bool }

// Overwrite sets key to value, as StringSet without options does and with the same
// record, if that is nothing but new bytes in a row of the current generation: a string
// that has changed since the last cut, of about the same size, without an expiry, in a
// slot where nobody listens, watches, holds or waits. Then no private write set is made:
// the record is built in the log, and the row changed where it stands. It is for callers
// that must not wait. If done is false nothing has happened, and TryUpdate will tell.
//
// What a commit keeps to holds here, in its order: slot lock, commits, gate, record, row,
// counters.
func (e *Engine) Overwrite(o *Overwrite, now int64, slot slots.Slot, key, value []byte, gate Gate) (lsn LSN, done bool) {
	if len(value) > InlineString {
		return 0, false
	}
	return e.tryOverwrite(o, now, slot, key, value, nil, gate)
}

// OverwriteSum adds by to the integer that a string holds, as StringIncr does, where
// Overwrite would set the sum. What is no integer, or becomes too large for one, is left
// to TryUpdate, too.
func (e *Engine) OverwriteSum(o *Overwrite, now int64, slot slots.Slot, key []byte, by int64, gate Gate) (sum int64, lsn LSN, done bool) {
	o.adding.by = by
	lsn, done = e.tryOverwrite(o, now, slot, key, nil, &o.adding, gate)
	return o.adding.sum, lsn, done
}

// tryOverwrite locks the slot, unless that would have to wait, and overwrites the string of key with value, or with what add
// makes of it.
func (e *Engine) tryOverwrite(o *Overwrite, now int64, slot slots.Slot, key, value []byte, add *adding, gate Gate) (lsn LSN, done bool) {
	if len(key) > maxOverwriteKey || e.overdue() || e.Backlogged() || !e.table.TryLock(slot) {
		return 0, false
	}
	if e.undisturbed(slot) {
		lsn, done = e.overwrite(o, now, slot, key, value, add, gate)
	}
	e.table.Unlock(slot) // not deferred: as commits, below
	if done && e.flushDue(lsn) {
		e.requestFlush()
	}
	return lsn, done
}

// undisturbed reports whether nobody wants to hear of changes in a slot, or to stop them. Its lock is held.
func (e *Engine) undisturbed(slot slots.Slot) bool {
	st := &e.slots[slot]
	return st.busy == nil && st.waiters.Load() == 0 && e.watch.count.Load() == 0 && e.holds.count.Load() == 0 && e.Events() == 0 &&
		!e.closed.Load() && e.writeTrouble() == nil && e.failure() == nil
}

// overwrite is tryOverwrite with the slot locked.
func (e *Engine) overwrite(o *Overwrite, now int64, slot slots.Slot, key, value []byte, add *adding, gate Gate) (lsn LSN, done bool) {
	hash := format.Hash(key)
	k := cache.Key{Slot: slot, Hash: uint32(hash), Meta: true, Bytes: key}
	e.commits.RLock() // from here on nothing is cut
	row, ok := e.table.FindActive(&k)
	version, old := format.PlainString(row.Value)
	if !ok || version == 0 || e.follower {
		e.commits.RUnlock()
		return 0, false
	}
	enc := format.EncInt
	if add == nil {
		enc = StringEnc(value)
	} else if value, ok = add.to(row.Value[len(row.Value)-old:]); !ok {
		e.commits.RUnlock()
		return 0, false
	}
	var meta [format.PlainStringMost]byte
	head := format.AppendPlainString(meta[:0], enc, version+1)
	if !row.Fits(len(head) + len(value)) {
		e.commits.RUnlock()
		return 0, false
	}
	d := &o.deltas[0]
	*d = log.Delta{Slot: slot, Bytes: int64(len(value) - old), NextOID: e.slots[slot].counters.NextOID}
	r := &o.record
	r.TimeMS, r.Kind, r.Essential, r.Deltas = now, log.KindBatch, d.Bytes <= 0, o.deltas[:]
	r.Payload, r.Tail = format.AppendSetHead(format.AppendWriteSetHeader(o.head[:0]), uint16(slot), hash, key, head, len(value)), value
	if gate.Open() {
		var err error
		if lsn, err = e.log.Append(r); err == nil { // else whoever may wait meets the error again
			e.table.Overwrite(&k, &row, head, value, seconds32(now))
			e.countOne(d, lsn)
			done = true
		}
	}
	r.Tail = nil
	e.commits.RUnlock()
	return lsn, done
}
