package storage

import (
	"sync"

	"cobble/slots"
	"cobble/storage/format"
)

// Outcome is what a parked operation says when it had its turn.
type Outcome uint8

// Outcomes.
const (
	StillWaiting Outcome = iota // there was nothing for it; it keeps its place
	Served                      // it is done; what it wrote is committed
	Refused                     // it is done with an error; what it wrote is undone
	RunAgain                    // it needs slots that are not locked: it must be run from the start
)

// Parked is an operation that waits for keys. Its methods are called by whoever
// changed a key, with the slots of that transaction locked for writing: they must
// neither block nor call the engine.
type Parked interface {
	// Serve tries the operation. Tx.Locks says of which keys it may ask. Tx is
	// writable unless a primary's record changed the key.
	Serve(tx *Tx) Outcome
	// Ended is called once, after Serve has ended the wait. What Serve replied may
	// leave when lsn is Awaited. err is why a Served one could not be committed.
	Ended(outcome Outcome, lsn LSN, err error)
}

// Waiter is one wait of a parked operation; it is used once.
type Waiter struct {
	op Parked

	mu    sync.Mutex // held while the operation has its turn
	ended bool

	names []slots.Slot // of all keys that the operation names
	nodes []waitNode   // guarded by the table's mu
	slots []slots.Slot // of the keys of nodes
}

// waitTable knows who waits for which key. Waiters come while the slots of their
// keys are locked, if only for reading, so that none misses a change; a commit looks
// at the table only if the slot's own counter says that it is worth it. mu is taken
// with slot locks and Waiter.mu held, never the other way round.
type waitTable struct {
	mu      sync.Mutex
	keys    map[string]*waitQueue
	gone    int64 // of them those with waiters who want to know that the key is gone
	arrival uint64
}

// Wants is what a parked operation waits for.
type Wants struct {
	Type   format.Type // what a key has to hold
	OrGone bool        // to have a turn also when the key is gone or of another type
	// Same, if it is not empty, says that of all who wait for a key with equal Wants
	// none finds anything there if the first finds nothing: they are not asked. So a
	// thousand consumers of one group cost an entry that is added what one costs.
	Same string
}

// Park makes op wait until one of keys is changed and then holds what it wants. The
// transaction holds the locks of their slots. The wait ends with Parked.Ended or with
// Engine.Unpark.
func (tx *Tx) Park(w *Waiter, op Parked, wants Wants, keys ...[]byte) {
	t := &tx.engine.waits
	w.op = op
	w.names = append(w.names, tx.slots...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[string]*waitQueue{}
	}
	t.arrival++
	if tx.engine.opts.mutant.waitsLastFirst {
		t.arrival -= 2
	}
	w.nodes = make([]waitNode, 0, len(keys)) // must not move
	for _, key := range keys {
		name := watchName(0, key)
		q := t.keys[name]
		if q == nil {
			q = &waitQueue{name: name}
			t.keys[name] = q
		}
		l := q.laneFor(wants)
		if l.last != nil && l.last.waiter == w {
			continue // the same key twice
		}
		slot := tx.slotOf(key)
		w.slots = append(w.slots, slot)
		tx.engine.slots[slot].waiters.Add(1)
		w.nodes = append(w.nodes, waitNode{waiter: w, order: t.arrival})
		l.append(&w.nodes[len(w.nodes)-1])
		if wants.OrGone {
			if q.orGone++; q.orGone == 1 {
				t.gone++
			}
		}
	}
}

// Unpark ends a wait; it reports whether it had not ended yet. It may have to let
// the operation end its turn first.
func (e *Engine) Unpark(w *Waiter) bool {
	w.mu.Lock()
	was := !w.ended
	w.ended = true
	w.mu.Unlock()
	if was {
		e.leaveQueues(w)
	}
	return was
}

func (e *Engine) leaveQueues(w *Waiter) {
	t := &e.waits
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range w.nodes {
		n := &w.nodes[i]
		l := n.lane
		q := l.queue
		l.remove(n)
		if l.wants.OrGone {
			if q.orGone--; q.orGone == 0 {
				t.gone--
			}
		}
		if len(q.lanes) == 0 {
			delete(t.keys, q.name)
		}
		e.slots[w.slots[i]].waiters.Add(-1)
	}
}

// WaitingKeys returns how many keys are waited for, and how many of them also by
// waiters that want to know when they are gone.
func (e *Engine) WaitingKeys() (keys, orGone int64) {
	t := &e.waits
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(len(t.keys)), t.gone
}

// EachParked calls f for every operation that waits for keys, with the slot of its
// first key, in no order. f may call Unpark. It costs little while nobody waits.
func (e *Engine) EachParked(f func(slot slots.Slot, op Parked)) {
	type parked struct {
		slot slots.Slot
		op   Parked
	}
	var all []parked
	t := &e.waits
	t.mu.Lock()
	for _, q := range t.keys {
		for _, l := range q.lanes {
			for n := l.first; n != nil; n = n.next {
				if n == &n.waiter.nodes[0] {
					all = append(all, parked{n.waiter.slots[0], n.waiter.op})
				}
			}
		}
	}
	t.mu.Unlock()
	for _, p := range all {
		f(p.slot, p.op)
	}
}

// Locks reports whether the transaction holds the lock of key's slot, so that it
// may ask for it: one that serves a waiter holds only those of the change.
func (tx *Tx) Locks(key []byte) bool {
	slot := slots.Of(key)
	for _, s := range tx.slots {
		if s == slot {
			return true
		}
	}
	return false
}
