package storage

import (
	"errors"
	"sync/atomic"
	"time"

	"cobble/slots"
	"cobble/storage/log"
)

// ErrWouldBlock is what TryView and TryUpdate return instead of waiting: for a
// slot that somebody else holds, for rows that are not in memory, for the flusher.
var ErrWouldBlock = errors.New("storage: the transaction would have to wait")

// TryView is View for a caller that must not wait. After ErrWouldBlock nothing
// has happened; View will do. Rows that are not in memory are looked up once at
// the caller's expense as long as the store answers such looks from its cache.
func (e *Engine) TryView(now int64, slot slots.Slot, op Op) (LSN, error) {
	return e.try(now, slot, op, false)
}

// TryUpdate is Update of one slot for a caller that must not wait.
func (e *Engine) TryUpdate(now int64, slot slots.Slot, op Op) (LSN, error) {
	return e.try(now, slot, op, true)
}

func (e *Engine) try(now int64, slot slots.Slot, op Op, writable bool) (LSN, error) {
	tx := e.begin(now, writable)
	defer e.release(tx)
	tx.slots = append(tx.slots, slot)
	tx.hurried = true
	lsn, err := e.tryOnce(tx, slot, op)
	if err == ErrWouldBlock && e.loadAtOnce(tx) {
		return e.tryOnce(tx, slot, op)
	}
	if len(tx.loaded.rows) > 0 { // only now: making room moves rows that the operation may have had in hand
		e.admit(tx, tx.loaded.rows)
	}
	return lsn, err
}

func (e *Engine) tryOnce(tx *Tx, slot slots.Slot, op Op) (LSN, error) {
	if tx.writable {
		return e.tryUpdate(tx, slot, op)
	}
	return e.tryView(tx, slot, op)
}

func (e *Engine) tryView(tx *Tx, slot slots.Slot, op Op) (LSN, error) {
	if !e.table.TryRLock(slot) {
		return 0, ErrWouldBlock
	}
	defer e.table.RUnlock(slot)
	lsn, err := e.tryRun(tx, slot, op)
	if err == nil && e.Backlogged() && !e.Reached(lsn) { // what it saw waits for the log
		return 0, ErrWouldBlock
	}
	if err == nil {
		e.publish(tx, lsn)
	}
	return lsn, err
}

func (e *Engine) tryUpdate(tx *Tx, slot slots.Slot, op Op) (LSN, error) {
	if e.overdue() || e.Backlogged() || !e.table.TryLock(slot) {
		return 0, ErrWouldBlock
	}
	defer e.table.Unlock(slot)
	defer tx.undoLeaves(0)
	if err := e.failure(); err != nil {
		return 0, err
	}
	lsn, err := e.tryRun(tx, slot, op)
	if err != nil || len(tx.writes.ops) == 0 {
		if err == nil {
			e.publish(tx, lsn)
		}
		return lsn, err
	}
	if e.holds.blocks(tx) != nil || len(tx.writes.arena) > patientBytes {
		return 0, ErrWouldBlock
	}
	if lsn, err = e.commit(tx); err == nil && e.slots[slot].waiters.Load() != 0 {
		e.serveWaiters(tx)
	}
	return lsn, err
}

// tryRun runs op in a slot that is locked. ErrWouldBlock if it met something to
// wait for.
func (e *Engine) tryRun(tx *Tx, slot slots.Slot, op Op) (LSN, error) {
	st := &e.slots[slot]
	switch {
	case st.busy != nil:
		return 0, ErrWouldBlock
	case e.closed.Load():
		return 0, ErrClosed
	}
	err := tx.outcome(op.Run(tx))
	if len(tx.cold) > 0 || tx.blocked != nil || tx.err == ErrWouldBlock {
		return 0, ErrWouldBlock
	}
	return st.counters.LSN, err
}

// patience is how many rows a transaction looks at whose caller must not wait: what
// takes a millisecond or two.
const patience = 4096

// patientBytes is how much such a transaction writes, and how far the log may be behind
// for it: the log writes one record after the other, and a caller that cannot wait must
// not stand behind hundreds of megabytes.
const patientBytes = 1 << 20

// Backlogged reports whether the log has so much to write that nobody who serves others
// should wait for it.
func (e *Engine) Backlogged() bool { return e.log.Backlog() > log.DefaultBufferBytes }

// patient returns nil if the transaction may do what takes a look at n rows; else the
// transaction fails with ErrWouldBlock, to run again where nobody waits for it.
func (tx *Tx) patient(n uint64) error {
	if !tx.hurried || n <= patience {
		return nil
	}
	tx.fail(ErrWouldBlock)
	return ErrWouldBlock
}

// PatientFor returns nil if the transaction may do what takes a look at so many bytes,
// or an error that its operation must return, as patient does.
func (tx *Tx) PatientFor(bytes int64) error {
	if !tx.hurried || bytes <= patientBytes {
		return nil
	}
	tx.fail(ErrWouldBlock)
	return ErrWouldBlock
}

// diskReads estimates how often looking up a cold row waits for the disk: a look
// that took longer than quickRead (where time is not measured, one that missed the
// block cache) adds missWeight, another one takes 1 away.
type diskReads struct{ score atomic.Int32 }

const (
	missWeight = 16
	missLimit  = 64 // above it looks are left to those who may wait
	missMax    = 256
	// quickRead is how long the lookup of a row may take whose blocks the system has
	// in memory: some 10 µs, where a disk needs 80 µs and more.
	quickRead = 50 * time.Microsecond
)

func (d *diskReads) note(missed bool) {
	switch score := d.score.Load(); {
	case missed:
		d.score.Store(min(score+missWeight, missMax))
	case score > 0:
		d.score.Store(score - 1)
	}
}

// few is how many rows a caller that must not wait has looked up in the store.
const few = 4

// looksAtOnce reports whether a transaction has a cold row looked up where it stands, as
// long as such looks are answered from memory: an absent key costs only bloom filters,
// less than to run the operation a second time. Its slot is locked meanwhile; who could
// wait for it would wait for this caller as well.
func (e *Engine) looksAtOnce(tx *Tx) bool {
	return tx.hurried && tx.attempts == 0 && len(tx.cold) == 0 && len(tx.loaded.rows) < few
}

// loadAtOnce looks up the few rows that a transaction found cold, and prepares it
// to run again. When the disk begins to be asked it declines. No lock is held.
func (e *Engine) loadAtOnce(tx *Tx) bool {
	if tx.blocked != nil || len(tx.cold) == 0 || len(tx.cold) > few || e.disk.score.Load() > missLimit {
		return false
	}
	if e.load(tx, false) != nil {
		return false // whoever may wait meets the error again
	}
	tx.restart()
	return true
}
