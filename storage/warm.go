package storage

import (
	"bytes"

	"cobble/slots"
	"cobble/storage/cache"
	"cobble/storage/format"
)

// WarmKey is a key that a transaction is about to look up, perhaps in order to change it.
type WarmKey struct {
	Key   []byte
	Write bool
}

// Warm holds metadata rows that were read from the store for transactions to come: a
// pipeline whose rows are cold waits once, and not once for each of them. It is used by
// one goroutine at a time. The rows are what is true as long as their slots' epochs say
// so, whatever happens meanwhile.
type Warm struct {
	cold []coldRow
	rows []loadedRow
	keys []byte // of cold
}

// Forget lets go of the rows.
func (w *Warm) Forget() {
	clear(w.rows)
	clear(w.cold)
	w.rows, w.cold, w.keys = w.rows[:0], w.cold[:0], w.keys[:0]
}

// Warm reads what is not in memory of the keys' metadata into w, in place of what was
// there, and offers it to the row table. now is Unix milliseconds. It waits for the
// disk, and for no slot.
func (e *Engine) Warm(w *Warm, now int64, keys []WarmKey) error {
	w.Forget()
	writes := uint64(0) // by position in cold
	for i := range keys {
		slot := slots.Of(keys[i].Key)
		from := len(w.keys)
		w.keys = format.AppendMetaKey(w.keys, uint16(slot), 0, keys[i].Key)
		row := w.keys[from:len(w.keys):len(w.keys)]
		epoch, cold := e.isCold(slot, row)
		if !cold || len(w.cold) == 64 {
			continue
		}
		if keys[i].Write {
			writes |= 1 << len(w.cold)
		}
		w.cold = append(w.cold, coldRow{row, epoch})
	}
	if len(w.cold) == 0 {
		return nil
	}
	rows, err := e.readInto(w.rows, w.cold, true)
	if err != nil {
		return err
	}
	w.rows = rows
	for i := range rows {
		e.admitRow(&rows[i], writes>>i&1 != 0, true, seconds32(now))
	}
	return nil
}

// isCold reports whether the table does not know a row, and the slot's epoch then. A
// slot that somebody else holds is left alone.
func (e *Engine) isCold(slot slots.Slot, row []byte) (epoch uint32, cold bool) {
	if !e.table.TryRLock(slot) {
		return 0, false
	}
	defer e.table.RUnlock(slot)
	if e.closed.Load() || e.slots[slot].busy != nil || e.slots[slot].void {
		return 0, false
	}
	_, presence := e.table.Peek(tableKey(row))
	return e.table.Epoch(slot), presence == cache.Unknown
}

// find returns what the store said about a row, nil if it was not asked.
func (w *Warm) find(key []byte, epoch uint32) *loadedRow {
	if w == nil {
		return nil
	}
	for i := range w.rows {
		if r := &w.rows[i]; r.epoch == epoch && bytes.Equal(r.key, key) {
			return r
		}
	}
	return nil
}

// Use lets the transaction look at rows that were read for it.
func (tx *Tx) Use(w *Warm) { tx.warm = w }
