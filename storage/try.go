package storage

import (
	"errors"

	"cobble/slots"
)

// ErrWouldBlock is what TryView and TryUpdate return instead of waiting: for a
// slot that somebody else holds, for rows that are not in memory, for the flusher.
var ErrWouldBlock = errors.New("storage: the transaction would have to wait")

// TryView is View for a caller that must not wait. After ErrWouldBlock nothing
// has happened; View will do.
func (e *Engine) TryView(now int64, slot slots.Slot, op Op) (LSN, error) {
	if !e.table.TryRLock(slot) {
		return 0, ErrWouldBlock
	}
	defer e.table.RUnlock(slot)
	st := &e.slots[slot]
	switch {
	case st.busy != nil:
		return 0, ErrWouldBlock
	case e.closed.Load():
		return 0, ErrClosed
	}
	tx := e.begin(now, false)
	defer e.release(tx)
	tx.slots = append(tx.slots, slot)
	err := op.Run(tx)
	switch {
	case len(tx.cold) > 0 || tx.blocked != nil:
		return 0, ErrWouldBlock
	case err == nil:
		err = tx.err
	}
	return st.counters.LSN, err
}

// TryUpdate is Update of one slot for a caller that must not wait.
func (e *Engine) TryUpdate(now int64, slot slots.Slot, op Op) (LSN, error) {
	if e.table.DirtyBytes() >= e.opts.MaxDirtyBytes || !e.table.TryLock(slot) {
		return 0, ErrWouldBlock
	}
	defer e.table.Unlock(slot)
	st := &e.slots[slot]
	switch {
	case st.busy != nil:
		return 0, ErrWouldBlock
	case e.closed.Load():
		return 0, ErrClosed
	}
	if err := e.failure(); err != nil {
		return 0, err
	}
	tx := e.begin(now, true)
	defer e.release(tx)
	tx.slots = append(tx.slots, slot)
	err := op.Run(tx)
	switch {
	case len(tx.cold) > 0 || tx.blocked != nil:
		return 0, ErrWouldBlock
	case err == nil:
		err = tx.err
	}
	if err != nil || len(tx.writes.ops) == 0 {
		return st.counters.LSN, err
	}
	if e.holds.blocks(tx) != nil {
		return 0, ErrWouldBlock
	}
	return e.commit(tx)
}
