package storage

import (
	"slices"

	"cobble/slots"
	"cobble/storage/format"
	"cobble/storage/log"
)

// serving is a round of turns for waiters, after a change of keys.
type serving struct {
	engine *Engine
	tx     *Tx
	ready  []*waitQueue // of changed keys, in the order in which they became ready
	extra  []slots.Slot // locked for waiters, beside those of the change
}

// waitedFor reports whether anybody waits for a key in one of the slots.
func (e *Engine) waitedFor(ss []slots.Slot) bool {
	for _, s := range ss {
		if e.slots[s].waiters.Load() != 0 {
			return true
		}
	}
	return false
}

// serveWaiters gives the operations that wait for what tx has changed their turns,
// before anybody else sees the slots: the first that came is the first to be served,
// and what it changes may serve others. The slot locks are held for writing, the
// changes are committed. (Redis does the same after each command, EXEC or script;
// "handleClientsBlockedOnKeys".)
func (e *Engine) serveWaiters(tx *Tx) {
	r := serving{engine: e, tx: e.begin(tx.now, true)}
	defer e.release(r.tx)
	r.tx.slots = append(r.tx.slots, tx.slots...)
	r.note(&tx.writes)
	r.run()
}

// serveReaders does the same on a replica, where only those can be served who
// read. The slots are locked for writing.
func (e *Engine) serveReaders(rec *log.Record) {
	waited := false
	for i := range rec.Deltas {
		waited = waited || e.slots[rec.Deltas[i].Slot].waiters.Load() != 0
	}
	if !waited {
		return
	}
	r := serving{engine: e, tx: e.begin(rec.TimeMS, false)}
	defer e.release(r.tx)
	for i := range rec.Deltas {
		r.tx.slots = append(r.tx.slots, rec.Deltas[i].Slot)
	}
	_ = format.EachOp(rec.Payload, func(op byte, key, _ []byte) error {
		if op != format.OpDeleteRange {
			r.noteRow(key)
		}
		return nil
	})
	r.run()
}

func (r *serving) run() {
	defer func() { r.engine.unlockSlots(r.extra) }()
	for len(r.ready) > 0 {
		q := r.ready[0]
		r.ready = r.ready[1:]
		r.engine.waits.mu.Lock()
		q.noted = false
		r.engine.waits.mu.Unlock()
		r.serve(q)
	}
}

// note finds the keys in a write set that are waited for.
func (r *serving) note(w *writeSet) {
	for i := range w.ops {
		if w.ops[i].op != format.OpDeleteRange {
			r.noteRow(w.keyOf(w.ops[i]))
		}
	}
}

func (r *serving) noteRow(row []byte) {
	_, db, _, key, ok := format.SplitMetaKey(row)
	if !ok {
		return
	}
	t := &r.engine.waits
	t.mu.Lock()
	defer t.mu.Unlock()
	if q := t.keys[string(append([]byte{db}, key...))]; q != nil {
		r.isReady(q)
	}
}

// isReady notes a queue whose waiters are to have turns. The table's mu is held.
func (r *serving) isReady(q *waitQueue) {
	if !q.noted {
		q.noted = true
		r.ready = append(r.ready, q)
	}
}

// serve gives the waiters for one key their turns, for as long as it is worth it.
func (r *serving) serve(q *waitQueue) {
	waits := &r.engine.waits
	turns := waits.turns(q)
	for turns.Len() > 0 {
		r.tx.restart()
		r.tx.attempts = maxAttempts // a row that is cold is read at once
		entry, err := r.tx.Lookup([]byte(q.name[1:]))
		if err != nil || !entry.Live && turns.orGone == 0 {
			return
		}
		now := turns.next[0]
		fits := now.lane.wants.OrGone || entry.Live && entry.Meta.Type == now.lane.wants.Type
		if !fits || r.turn(now.node.waiter) == StillWaiting && now.lane.wants.Same != "" {
			turns.skip()
		} else {
			waits.advance(turns)
		}
	}
}

// turn gives a waiter its turn, unless it has left: then it is Refused.
func (r *serving) turn(w *Waiter) Outcome {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return Refused
	}
	r.tx.restart()
	r.lock(w)
	outcome := w.op.Serve(r.tx)
	var lsn LSN
	var err error
	if outcome == Served {
		outcome, lsn, err = r.commit()
	}
	r.tx.undoLeaves(0) // of what was not committed
	if outcome == Served && r.engine.opts.mutant.waitsStay {
		outcome = StillWaiting
	}
	w.ended = outcome != StillWaiting
	w.mu.Unlock()
	if outcome != StillWaiting {
		r.engine.leaveQueues(w)
		w.op.Ended(outcome, lsn, err)
	}
	return outcome
}

// lock locks the other slots that an operation names too, on a server on its own,
// if nobody else has them: to wait for them could be for ever.
func (r *serving) lock(w *Waiter) {
	if !r.tx.writable {
		return
	}
	for _, s := range w.names {
		if slices.Contains(r.tx.slots, s) || !r.engine.table.TryLock(s) {
			continue
		}
		if r.engine.slots[s].busy != nil {
			r.engine.table.Unlock(s)
			continue
		}
		r.extra = append(r.extra, s)
		r.tx.slots = append(r.tx.slots, s)
		slices.Sort(r.tx.slots)
	}
}

// commit commits what a turn wrote, as a record of its own.
func (r *serving) commit() (Outcome, LSN, error) {
	e, tx := r.engine, r.tx
	var lsn LSN
	for _, s := range tx.slots {
		lsn = max(lsn, e.slots[s].counters.LSN)
	}
	switch {
	case tx.err != nil:
		return Served, 0, tx.err
	case len(tx.writes.ops) == 0:
		return Served, lsn, nil
	case e.holds.blocks(tx) != nil:
		return RunAgain, lsn, nil // it waits for the end of the hold like any other
	}
	lsn, err := e.commit(tx)
	if err == ErrFollower {
		return StillWaiting, 0, nil // the role is about to change, and ends all waits
	}
	if err == nil && !e.opts.mutant.waitsWakeOnce {
		r.note(&tx.writes)
	}
	return Served, lsn, err
}

// SignalGone gives those their turns who want to know that a key is gone, after
// the slots of set were emptied. They are not locked. Who comes now finds them empty.
func (e *Engine) SignalGone(now int64, set *slots.Set) {
	waited := map[slots.Slot][]string{}
	t := &e.waits
	t.mu.Lock()
	for name, q := range t.keys {
		if slot := slots.Of([]byte(name[1:])); q.orGone > 0 && set.Has(slot) {
			waited[slot] = append(waited[slot], name)
		}
	}
	t.mu.Unlock()
	for slot, names := range waited {
		e.table.Lock(slot)
		tx := e.begin(now, true)
		tx.slots = append(tx.slots, slot)
		r := serving{engine: e, tx: tx}
		t.mu.Lock()
		for _, name := range names {
			if q := t.keys[name]; q != nil && q.orGone > 0 {
				r.isReady(q)
			}
		}
		t.mu.Unlock()
		r.run()
		e.release(tx)
		e.table.Unlock(slot)
	}
}
