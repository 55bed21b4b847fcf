package storage

import (
	"bytes"
	"encoding/binary"
	"slices"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
	"cobble/storage/log"
)

// commit appends the write set to the log as one record and applies it. The slot
// locks are held for writing. On an error nothing has changed.
func (e *Engine) commit(tx *Tx) (LSN, error) {
	rec := &tx.record
	tx.fillRecord(rec)
	if err := e.writeTrouble(); err != nil && !rec.Essential {
		return 0, err
	}
	lsn, err := e.appendAndApply(rec, tx)
	if err != nil {
		return 0, logError(err)
	}
	tx.leafUndo = tx.leafUndo[:0]
	e.publish(tx, lsn)
	if tx.expired != 0 {
		e.expired.Add(tx.expired)
	}
	if tx.subExpired != 0 {
		e.subExpired.Add(tx.subExpired)
	}
	if e.flushDue(lsn) {
		e.requestFlush()
	}
	return lsn, nil
}

func (e *Engine) appendAndApply(rec *log.Record, tx *Tx) (LSN, error) {
	if tx.writes.ranges || len(tx.writes.ops) > patience {
		if !tx.hurried {
			e.longCommits.Lock()
		} else if !e.longCommits.TryLock() {
			return 0, ErrWouldBlock
		}
		defer e.longCommits.Unlock()
	}
	e.commits.RLock()
	if e.follower && !e.opts.mutant.followerWrites {
		e.commits.RUnlock()
		return 0, ErrFollower
	}
	lsn, err := e.log.Append(rec)
	if err != nil {
		e.commits.RUnlock()
		return 0, err
	}
	now := seconds32(tx.now)
	changed := e.applyWrites(&tx.writes, now)
	for _, u := range tx.usage {
		e.table.SetUsage(tableKey(u.row), now, u.idle, u.frequency)
	}
	e.count(rec.Deltas, lsn)
	if changed != nil {
		e.watch.tell(tx.by, changed)
	}
	e.commits.RUnlock() // not deferred: who panics here has broken the log's word, and nothing may go on
	return lsn, nil
}

// stopCommits takes commits for writing. It waits for long commits first: who waits for
// commits holds up every commit that comes behind.
func (e *Engine) stopCommits() {
	if !e.opts.mutant.longUnheeded {
		e.longCommits.Lock()
		defer e.longCommits.Unlock()
	}
	e.commits.Lock()
}

// fillRecord makes the log record of the write set.
func (tx *Tx) fillRecord(rec *log.Record) {
	for i := range tx.writes.ops {
		slot := slots.Slot(format.SlotOf(tx.writes.keyOf(tx.writes.ops[i])))
		tx.mustOwn(slot)
		tx.deltaOf(slot) // every slot that is touched has one
	}
	if len(tx.deltas) > 1 {
		slices.SortFunc(tx.deltas, func(a, b delta) int { return int(a.slot) - int(b.slot) })
	}
	deltas := rec.Deltas[:0]
	grows := tx.piece // its rows count for no key yet
	for i := range tx.deltas {
		d := &tx.deltas[i]
		c := &tx.engine.slots[d.slot].counters
		next := c.NextOID
		if d.nextOID != 0 {
			next = d.nextOID
		}
		grows = grows || d.bytes > 0
		deltas = slices.Grow(deltas, 1)[:i+1]
		o := &deltas[i] // in place, as in deltaOf
		o.Slot, o.DB, o.Keys, o.Expires, o.SubExpires, o.Bytes, o.NextOID = d.slot, 0, int32(d.keys), int32(d.expires), int32(d.subExpires), d.bytes, next
	}
	rec.LSN, rec.TimeMS, rec.Kind, rec.Cmd, rec.Essential = 0, tx.now, log.KindBatch, nil, !grows
	rec.Deltas, rec.Payload = deltas, tx.writes.payload()
	if len(tx.notes) > 0 {
		rec.Cmd = tx.noteText
	}
}

func (tx *Tx) mustOwn(slot slots.Slot) {
	for _, s := range tx.slots {
		if s == slot {
			return
		}
	}
	panic("storage: a transaction writes to a slot that it has not locked")
}

// applyAhead is how many operations of a write set the row table is asked for side by side.
const applyAhead = 16

// applyWrites is applyOp of a write set. It returns the keys that have changed, if anybody watches keys.
func (e *Engine) applyWrites(w *writeSet, now uint32) (changed [][]byte) {
	if len(w.ops) > smallWriteSet {
		return e.applyMany(w, now)
	}
	for i := range w.ops {
		o := &w.ops[i]
		if key := e.applyOp(o.op, w.keyOf(*o), w.valueOf(*o), now); key != nil {
			changed = append(changed, key)
		}
	}
	return changed
}

// applyMany is applyWrites of many rows. Each lookup waits for memory: here some of the waits overlap.
func (e *Engine) applyMany(w *writeSet, now uint32) (changed [][]byte) {
	var keys [applyAhead]cache.Key
	for from := 0; from < len(w.ops); from += applyAhead {
		ops := w.ops[from:min(from+applyAhead, len(w.ops))]
		for i := range ops {
			keys[i] = tableKey(w.keyOf(ops[i]))
			e.table.PrefetchCell(cache.Hint{Slot: keys[i].Slot, Hash: keys[i].Hash})
		}
		for i := range ops {
			if key := e.applyTo(&keys[i], ops[i].op, w.keyOf(ops[i]), w.valueOf(ops[i]), now); key != nil {
				changed = append(changed, key)
			}
		}
	}
	return changed
}

// applyOp changes the row table as one operation of a logged write set says. The
// slot lock is held for writing, and commits for reading. It returns the key that has
// changed, if anybody watches keys.
func (e *Engine) applyOp(op byte, key, value []byte, now uint32) (changed []byte) {
	k := tableKey(key)
	return e.applyTo(&k, op, key, value, now)
}

// applyTo is applyOp of the row that the row table calls k.
func (e *Engine) applyTo(k *cache.Key, op byte, key, value []byte, now uint32) (changed []byte) {
	_, db, _, user, isKey := format.SplitMetaKey(key)
	watched := isKey && e.watch.count.Load() > 0 && !(op == format.OpSet && e.onlyRefiled(key, value))
	switch op {
	case format.OpSet:
		e.table.Put(*k, value, now, e.follower) // who follows has not looked
		e.noteSpecial(key)
	case format.OpDelete:
		e.table.Delete(*k, now)
	case format.OpDeleteRange:
		e.dropRange(key, value)
		return nil
	}
	if !watched {
		return nil
	}
	e.watch.touch(db, user)
	return user
}

// onlyRefiled reports whether a metadata row that is about to be put differs from the one it
// replaces in where an expiry is filed and in nothing else, as the sweeper writes it.
func (e *Engine) onlyRefiled(key, value []byte) bool {
	row, presence := e.table.Peek(tableKey(key))
	if presence != cache.Present {
		return false
	}
	var before, after format.Meta
	if before.Decode(row) != nil || after.Decode(value) != nil || before.IndexAt == after.IndexAt && before.FieldsAt == after.FieldsAt {
		return false
	}
	before.IndexAt, before.FieldsAt = after.IndexAt, after.FieldsAt
	return bytes.Equal(before.Append(nil), value)
}

// noteSpecial looks out for rows that make background work.
func (e *Engine) noteSpecial(key []byte) {
	slot := slots.Slot(format.SlotOf(key))
	switch key[2] {
	case format.KindExpiry:
		at := int64(binary.BigEndian.Uint64(key[3:]))
		if old := e.NextExpiry(slot); old == 0 || at < old { // the slot lock is held: nobody else writes
			e.expires(slot, at)
		}
	case format.KindGarbage:
		e.garbage.note(slot)
	}
}

// rowRange is lo ≤ row key < hi, within one slot.
type rowRange struct{ lo, hi []byte }

func (e *Engine) dropRange(lo, hi []byte) {
	slot := slots.Slot(format.SlotOf(lo))
	if !e.opts.mutant.rowsUnderRange {
		e.table.DropDirty(slot, lo, hi)
	}
	if e.extendRange(lo, hi) {
		return
	}
	both := append(append(make([]byte, 0, len(lo)+len(hi)), lo...), hi...)
	e.rangesMu.Lock()
	e.ranges = append(e.ranges, rowRange{both[:len(lo):len(lo)], both[len(lo):]})
	e.rangesMu.Unlock()
}

// extendRange makes the last range longer if the next one begins where it ends, or where it begins: pieces of one object.
func (e *Engine) extendRange(lo, hi []byte) bool {
	e.rangesMu.Lock()
	defer e.rangesMu.Unlock()
	n := len(e.ranges) - 1
	if n < 0 || !bytes.Equal(e.ranges[n].hi, lo) && !(bytes.Equal(e.ranges[n].lo, lo) && bytes.Compare(e.ranges[n].hi, hi) <= 0) {
		return false
	}
	e.ranges[n].hi = bytes.Clone(hi)
	return true
}

// count adds the deltas of a record to the counters of its slots. The slot locks
// are held for writing, and commits for reading.
func (e *Engine) count(deltas []log.Delta, lsn LSN) {
	for i := range deltas {
		e.countOne(&deltas[i], lsn)
	}
}

func (e *Engine) countOne(d *log.Delta, lsn LSN) {
	st := e.thaw(d.Slot)
	c := &st.counters
	c.LSN = lsn
	c.Keys += int64(d.Keys)
	c.Expires += uint32(d.Expires)
	c.SubExpires += uint32(d.SubExpires)
	c.Bytes += d.Bytes
	c.NextOID = d.NextOID
	if d.Keys != 0 {
		st.keys.Store(c.Keys)
	}
	if d.Keys != 0 || d.Bytes != 0 {
		e.dataBytes.Add(dataShare(int64(d.Keys), d.Bytes))
	}
}

// thaw returns the state of a slot for changing its counters, and keeps what they
// were at the last cut for the flusher. The locks are as for count.
func (e *Engine) thaw(slot slots.Slot) *slotState {
	st := &e.slots[slot]
	if st.generation != e.generation {
		st.generation, st.frozen = e.generation, st.counters
		e.changed[slot>>6].Or(1 << (slot & 63))
	}
	return st
}
