package storage

import (
	"errors"

	"cobble/slots"
	"cobble/storage/cache"
)

const (
	// orderAtOnce is how many dirty rows of its slot a transaction puts in order itself, while it holds the slot: what
	// takes a millisecond or two. More are put in order before it runs again, orderRows at a time.
	orderAtOnce = 8192
	orderRows   = 4096
)

// errUnordered makes an operation end early. It never reaches a caller of the engine.
var errUnordered = errors.New("storage: many rows of a slot are in no order")

// ordered returns nil if the dirty rows of a slot are in order, but for few; else the operation has to run again.
func (e *Engine) ordered(tx *Tx, slot slots.Slot) error {
	if tx.attempts >= maxAttempts || e.table.DirtyRows(slot) <= orderAtOnce || e.table.Unordered(slot) <= orderAtOnce {
		return nil
	}
	if !tx.unordered {
		tx.unordered, tx.unorderedSlot = true, slot
	}
	tx.fail(errUnordered)
	return errUnordered
}

// order puts the dirty rows of a slot in order, a part at a time: others get in between. No lock is held.
func (e *Engine) order(slot slots.Slot) {
	var o cache.Ordering
	for more := true; more; {
		e.table.RLock(slot)
		more = !e.closed.Load() && e.table.OrderSome(slot, &o, orderRows)
		e.table.RUnlock(slot)
	}
}
