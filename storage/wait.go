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
	op     Parked
	wants  format.Type
	orGone bool

	mu    sync.Mutex // held while the operation has its turn
	ended bool

	names []slots.Slot // of all keys that the operation names
	nodes []waitNode   // guarded by the table's mu
	slots []slots.Slot // of the keys of nodes
}

// waitNode is a waiter's place in the queue of one key.
type waitNode struct {
	waiter     *Waiter
	queue      *waitQueue // nil: it has left
	prev, next *waitNode
	order      uint64 // of arrival
}

// waitQueue are the waiters for one key, the longest waiting first.
type waitQueue struct {
	name        string // as of watchName
	first, last *waitNode
	orGone      int // how many of them want to know that the key is gone
}

// waitTable knows who waits for which key. Waiters come while the slots of their
// keys are locked, if only for reading, so that none misses a change; a commit looks
// at the table only if the slot's own counter says that it is worth it. mu is taken
// with slot locks and Waiter.mu held, never the other way round.
type waitTable struct {
	mu      sync.Mutex
	keys    map[string]*waitQueue
	arrival uint64
}

// Park makes op wait until one of keys is changed and then holds a value of type
// wants, or, with orGone, nothing or a value of another type. The transaction holds
// the locks of their slots. The wait ends with Parked.Ended or with Engine.Unpark.
func (tx *Tx) Park(w *Waiter, op Parked, wants format.Type, orGone bool, keys ...[]byte) {
	t := &tx.engine.waits
	w.op, w.wants, w.orGone = op, wants, orGone
	w.names = append(w.names, tx.slots...)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.keys == nil {
		t.keys = map[string]*waitQueue{}
	}
	t.arrival++
	w.nodes = make([]waitNode, 0, len(keys)) // must not move
	for _, key := range keys {
		name := watchName(0, key)
		q := t.keys[name]
		if q == nil {
			q = &waitQueue{name: name}
			t.keys[name] = q
		}
		if q.last != nil && q.last.waiter == w {
			continue // the same key twice
		}
		slot := tx.slotOf(key)
		w.slots = append(w.slots, slot)
		tx.engine.slots[slot].waiters.Add(1)
		w.nodes = append(w.nodes, waitNode{waiter: w, queue: q, prev: q.last, order: t.arrival})
		node := &w.nodes[len(w.nodes)-1]
		if q.last == nil {
			q.first = node
		} else {
			q.last.next = node
		}
		q.last = node
		if orGone {
			q.orGone++
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
		q := n.queue
		if n.prev == nil {
			q.first = n.next
		} else {
			n.prev.next = n.next
		}
		if n.next == nil {
			q.last = n.prev
		} else {
			n.next.prev = n.prev
		}
		if w.orGone {
			q.orGone--
		}
		if q.first == nil {
			delete(t.keys, q.name)
		}
		n.queue = nil
		e.slots[w.slots[i]].waiters.Add(-1)
	}
}

// after returns the node behind n in the queue of a key, or the first one for nil.
// If n has left meanwhile it is the first that came after it.
func (t *waitTable) after(q *waitQueue, n *waitNode) *waitNode {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == nil {
		return q.first
	}
	if n.queue != nil {
		return n.next
	}
	for next := q.first; next != nil; next = next.next {
		if next.order > n.order {
			return next
		}
	}
	return nil
}

// anyOrGone reports whether somebody wants to know that the key of a queue is gone.
func (t *waitTable) anyOrGone(q *waitQueue) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return q.orGone > 0
}

// WaitingKeys returns how many keys are waited for, and how many of them also by
// waiters that want to know when they are gone.
func (e *Engine) WaitingKeys() (keys, orGone int64) {
	t := &e.waits
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, q := range t.keys {
		if q.orGone > 0 {
			orGone++
		}
	}
	return int64(len(t.keys)), orGone
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
		for n := q.first; n != nil; n = n.next {
			if n == &n.waiter.nodes[0] {
				all = append(all, parked{n.waiter.slots[0], n.waiter.op})
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
