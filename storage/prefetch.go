package storage

import (
	"unsafe"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
)

// Hint names a key that a transaction is about to look up.
type Hint = cache.Hint

// HintOf returns the hint for a key of slot.
func HintOf(slot slots.Slot, key []byte) Hint {
	return Hint{Slot: slot, Hash: uint32(format.Hash(key))}
}

// PrefetchLine asks the processor for the line of its cache that p points into, and does not wait for it.
func PrefetchLine(p unsafe.Pointer) { cache.PrefetchLine(p) }

// Prefetch asks the processor for the memory of rows that will be looked up. It
// makes the transactions behind it faster, and changes nothing. It waits for no lock.
func (e *Engine) Prefetch(hints []Hint) {
	e.prefetchSlots(hints)
	e.table.Prefetch(hints, false)
}

func (e *Engine) prefetchSlots(hints []Hint) {
	for i := range hints {
		cache.PrefetchLine(unsafe.Pointer(&e.slots[hints[i].Slot]))
	}
}

// PrefetchHints is Prefetch inside the transaction that will look them up.
func (tx *Tx) PrefetchHints(hints []Hint) {
	if len(tx.slots) == 1 && tx.frozen == nil {
		tx.engine.table.Prefetch(hints, true)
	}
}
