package storage

import "cobble/slots"

// Forget brings everything that is dirty now into the store and drops from memory
// the rows that are in it, so that what is read next comes from disk, as after a
// restart (DEBUG RELOAD). Rows that change meanwhile stay.
func (e *Engine) Forget() error {
	e.pacing.waiting.Add(1)
	e.flushing.Lock()
	e.pacing.waiting.Add(-1)
	defer e.flushing.Unlock()
	if err := e.finishPending(); err != nil {
		return err
	}
	if e.cut() {
		if err := e.finishPending(); err != nil {
			return err
		}
	}
	for s := range slots.Slot(slots.Count) {
		e.table.Lock(s)
		if !e.table.HasDirty(s) {
			e.table.Discard(s)
			e.leaves.forget(s)
		}
		e.table.Unlock(s)
	}
	return nil
}
