package storage

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// Barriers are records that replace slots whole. They reach the store by a path
// of their own, in log order with the generations: flushing is held throughout,
// and what was cut before is ingested first. Dirty rows of the slots are dropped
// when the record is appended.

// FlushSlots empties the slots of set (FLUSHALL, a slot that has moved away) at
// time now (Unix milliseconds). It returns when that is in the store; the
// slots can be used meanwhile and are empty at once.
func (e *Engine) FlushSlots(now int64, set slots.Set) (LSN, error) {
	ranges := rangesOf(set)
	if len(ranges) == 0 {
		return e.log.End(), nil
	}
	if err := e.lockStore(); err != nil {
		return 0, err
	}
	defer e.flushing.Unlock()
	if err := e.finishPending(); err != nil {
		return 0, err
	}
	var late func() error
	if e.opts.mutant.exciseFirst {
		late = e.ingestLate()
	}
	b := format.Barrier{Ranges: ranges}
	rec := &log.Record{TimeMS: now, Kind: log.KindExcise, Payload: format.AppendExcise(nil, ranges), Essential: true}
	b.Each(func(s uint16) { rec.Deltas = append(rec.Deltas, log.Delta{Slot: slots.Slot(s)}) })
	if err := e.runBarrier(&b, rec, nil); err != nil {
		return 0, err
	}
	if late != nil {
		return rec.LSN, late()
	}
	return rec.LSN, nil
}

func rangesOf(set slots.Set) []format.SlotRange {
	var out []format.SlotRange
	for s := range slots.Slot(slots.Count) {
		if !set.Has(s) {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Last+1 == uint16(s) {
			out[n-1].Last++
		} else {
			out = append(out, format.SlotRange{First: uint16(s), Last: uint16(s)})
		}
	}
	return out
}

// barrier appends a barrier record (raw if it comes from the primary, nothing if
// it is replayed: rec.LSN is set then) and empties its slots in memory. With busy
// nobody gets into them until fill; busy must be closed after it. flushing is
// held, and no generation is pending.
func (e *Engine) barrier(b *format.Barrier, rec *log.Record, raw []byte, busy chan struct{}) error {
	b.Each(func(s uint16) { e.table.Lock(slots.Slot(s)) })
	defer b.Each(func(s uint16) { e.table.Unlock(slots.Slot(s)) })
	e.commits.RLock()
	defer e.commits.RUnlock()
	if e.closed.Load() {
		return ErrClosed
	}
	if e.follower && raw == nil && rec.LSN == 0 {
		return ErrFollower
	}
	var err error
	switch {
	case raw != nil:
		_, err = e.log.AppendRaw(raw)
	case rec.LSN == 0:
		_, err = e.log.Append(rec)
	}
	if err != nil {
		return logError(err)
	}
	var emptied slots.Set
	b.Each(func(s uint16) {
		e.empty(slots.Slot(s), rec.LSN)
		e.table.SetWhole(slots.Slot(s), len(b.Files) == 0 || e.opts.mutant.wholeImport)
		e.slots[s].busy = busy
		if rec.Kind == log.KindImport { // what was dropped elsewhere comes with it
			e.garbage.note(slots.Slot(s))
		}
		emptied.Add(slots.Slot(s))
	})
	e.watch.tellEmptied(&emptied)
	for i := range rec.Deltas { // absolute values: the slots were just emptied
		d := &rec.Deltas[i]
		c := &e.slots[d.Slot].counters
		c.Keys, c.Expires, c.SubExpires, c.Bytes = c.Keys+int64(d.Keys), c.Expires+uint32(d.Expires), c.SubExpires+uint32(d.SubExpires), c.Bytes+d.Bytes
		c.NextOID = max(c.NextOID, d.NextOID)
		if c.Expires > 0 || c.SubExpires > 0 {
			e.expires(d.Slot, 1)
		}
		e.slots[d.Slot].keys.Store(c.Keys)
		e.dataBytes.Add(dataShare(int64(d.Keys), d.Bytes))
	}
	return nil
}

// empty forgets everything about a slot. Its lock is held for writing.
func (e *Engine) empty(s slots.Slot, lsn LSN) {
	if !e.opts.mutant.draftOutlives {
		e.drafts.end(func(of slots.Slot) bool { return of == s })
	}
	e.table.Discard(s)
	e.leaves.forget(s)
	e.dropRangesOf(s)
	st := e.thaw(s)
	e.dataBytes.Add(-dataShare(st.counters.Keys, st.counters.Bytes))
	st.counters = Counters{LSN: lsn, NextOID: st.counters.NextOID}
	st.keys.Store(0)
	st.nextExpiry.Store(0)
	st.void = true
	e.watch.touchSlot(s)
}

// dropRangesOf forgets range deletions of a slot that were not flushed yet: an
// import may bring the same object ids.
func (e *Engine) dropRangesOf(s slots.Slot) {
	if e.opts.mutant.keepRanges {
		return
	}
	e.rangesMu.Lock()
	defer e.rangesMu.Unlock()
	kept := e.ranges[:0]
	for _, r := range e.ranges {
		if slots.Slot(format.SlotOf(r.lo)) != s {
			kept = append(kept, r)
		}
	}
	e.ranges = kept
}

// runBarrier carries out a barrier: the record, the rows in memory, the store.
// What barrier says about its arguments and locks holds.
func (e *Engine) runBarrier(b *format.Barrier, rec *log.Record, raw []byte) error {
	w := waitingBarrier{Barrier: *b, lsn: rec.LSN}
	if rec.Kind == log.KindImport {
		if err := e.checkSideFiles(b); err != nil {
			return err
		}
		w.busy = make(chan struct{})
	}
	if err := e.barrier(b, rec, raw, w.busy); err != nil {
		if w.busy != nil {
			close(w.busy)
		}
		return err
	}
	w.lsn = rec.LSN
	e.noteSideFiles(b, rec.LSN)
	e.waiting = append(e.waiting, w)
	if e.opts.InSync && e.replaying {
		return nil // the members of the shard have yet to agree on it
	}
	return e.finishBarriers()
}

// waitingBarrier is a barrier that is in the log and in memory, not in the store.
type waitingBarrier struct {
	format.Barrier
	lsn  LSN
	busy chan struct{}
}

// finishBarriers brings waiting barriers into the store. Until that is done the
// store's rows of their slots are not looked at. flushing is held.
func (e *Engine) finishBarriers() error {
	for len(e.waiting) > 0 {
		w := &e.waiting[0]
		if err := e.awaitCommitted(w.lsn); err != nil {
			return err
		}
		if err := e.retry(func() error { return e.replaceSlots(&w.Barrier) }); err != nil {
			return err
		}
		if err := e.storeChanged(); err != nil {
			return err
		}
		e.fill(&w.Barrier)
		if w.busy != nil {
			close(w.busy)
		}
		e.waiting = e.waiting[1:]
	}
	return nil
}

// replaceSlots makes the slots in the store what a barrier says. It may be
// repeated: what it does is not atomic, but nobody looks at the slots, and after
// a crash the record is replayed.
func (e *Engine) replaceSlots(b *format.Barrier) error {
	for _, r := range b.Ranges {
		if err := e.store.Excise(context.Background(), span(r)); err != nil {
			return err
		}
	}
	return e.ingestSideFiles(b)
}

// fill lets the store's rows of a barrier's slots be seen again.
func (e *Engine) fill(b *format.Barrier) {
	b.Each(func(s uint16) {
		e.table.Lock(slots.Slot(s))
		e.slots[s].void, e.slots[s].busy = false, nil
		e.table.Unlock(slots.Slot(s))
	})
}

func span(r format.SlotRange) pebble.KeyRange {
	return pebble.KeyRange{
		Start: []byte{byte(r.First >> 8), byte(r.First)},
		End:   []byte{byte((r.Last + 1) >> 8), byte(r.Last + 1)},
	}
}

// applyRecord applies a record that was not made here: one that is replayed (raw
// is nil, it is in the log already), or one of the primary.
func (e *Engine) applyRecord(rec *log.Record, raw []byte) error {
	switch rec.Kind {
	case log.KindBatch:
		return e.applyBatch(rec, raw)
	case log.KindExcise, log.KindImport:
		return e.applyBarrier(rec, raw)
	case log.KindShared:
		return e.applyShared(rec, raw)
	}
	if raw == nil {
		return nil
	}
	e.commits.RLock()
	defer e.commits.RUnlock()
	_, err := e.log.AppendRaw(raw)
	return logError(err)
}

func (e *Engine) applyBatch(rec *log.Record, raw []byte) error {
	ranges, err := checkBatch(rec)
	if err != nil {
		return err
	}
	for i := range rec.Deltas {
		if ranges { // dropping rows asks for their order
			e.order(rec.Deltas[i].Slot)
		}
	}
	for i := range rec.Deltas {
		e.table.Lock(rec.Deltas[i].Slot)
		defer e.table.Unlock(rec.Deltas[i].Slot)
	}
	e.commits.RLock()
	defer e.commits.RUnlock()
	if e.closed.Load() {
		return ErrClosed
	}
	if raw != nil {
		if _, err := e.log.AppendRaw(raw); err != nil {
			return logError(err)
		}
	}
	now := seconds32(rec.TimeMS)
	defer e.serveReaders(rec)
	var changed [][]byte
	err = format.EachOp(rec.Payload, func(op byte, key, value []byte) error {
		if key := e.applyOp(op, key, value, now); key != nil {
			changed = append(changed, key)
		}
		return nil
	})
	e.count(rec.Deltas, rec.LSN)
	if changed != nil {
		e.watch.tell(0, changed)
	}
	return err
}

// checkBatch refuses, before anything changes, a record that cannot be applied
// whole: its slots must be ascending and cover its rows. It reports whether ranges of rows are deleted.
func checkBatch(rec *log.Record) (ranges bool, err error) {
	for i := range rec.Deltas {
		if rec.Deltas[i].Slot >= slots.Count || i > 0 && rec.Deltas[i].Slot <= rec.Deltas[i-1].Slot {
			return false, fmt.Errorf("%w: slots of a record are not ascending", format.ErrCorrupt)
		}
	}
	err = format.EachOp(rec.Payload, func(op byte, key, _ []byte) error {
		ranges = ranges || op == format.OpDeleteRange
		for i := range rec.Deltas {
			if rec.Deltas[i].Slot == slots.Slot(format.SlotOf(key)) {
				return nil
			}
		}
		return fmt.Errorf("%w: a record names a row of a slot it does not list", format.ErrCorrupt)
	})
	return ranges, err
}

func (e *Engine) applyBarrier(rec *log.Record, raw []byte) error {
	b, err := format.DecodeBarrier(rec.Payload, rec.Kind == log.KindImport)
	if err != nil {
		return err
	}
	if err := e.lockStore(); err != nil {
		return err
	}
	defer e.flushing.Unlock()
	if err := e.finishPending(); err != nil {
		return err
	}
	return e.runBarrier(&b, rec, raw)
}

// ApplyRecord appends one encoded record of the primary to the log and applies
// it. Calls must come one at a time and in log order; errors as log.AppendRaw,
// and *MissingFileError for an import whose side files are not there.
func (e *Engine) ApplyRecord(raw []byte) (LSN, error) {
	if err := e.waitForFlusher(); err != nil {
		return 0, err
	}
	var rec log.Record
	if err := rec.Decode(raw); err != nil {
		return 0, err
	}
	if err := e.applyRecord(&rec, raw); err != nil {
		return 0, err
	}
	if e.flushDue(e.log.End()) {
		e.requestFlush()
	}
	return rec.LSN, nil
}

// AppendTerm begins a new term in the log, see log.AppendTerm. Time in Unix milliseconds.
func (e *Engine) AppendTerm(now int64, number uint64, id log.ReplID) (LSN, error) {
	e.commits.RLock()
	defer e.commits.RUnlock()
	lsn, err := e.log.AppendTerm(number, id, now)
	return lsn, logError(err)
}
