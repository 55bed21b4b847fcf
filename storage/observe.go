package storage

import (
	"cobble/slots"
	"cobble/storage/format"
)

// Observer hears which keys have changed, whoever changed them: commands, expiry, eviction, the primary's log. Its
// methods are called with the slots of the keys locked for writing, after the change: who reads a key under the lock of
// its slot and then asks to hear of it misses none. They must not wait.
type Observer interface {
	// Changed names keys that one transaction has changed; they are valid during the call. by is what Tx.By was told.
	Changed(by uint64, keys [][]byte)
	// Emptied names slots that have lost everything that they held: flushed, about to be imported, replaced.
	Emptied(set *slots.Set)
}

// Observe sets the one observer; nil for none, which costs nothing.
func (e *Engine) Observe(o Observer) {
	t := &e.watch
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.observer.Load()
	if old != nil {
		t.count.Add(-1)
	}
	if o == nil {
		t.observer.Store(nil)
		return
	}
	t.count.Add(1) // commits look at count only
	t.observer.Store(&o)
}

// tell tells the observer of changed keys.
func (t *watchTable) tell(by uint64, keys [][]byte) {
	if o := t.observer.Load(); o != nil {
		(*o).Changed(by, keys)
	}
}

func (t *watchTable) tellEmptied(set *slots.Set) {
	if o := t.observer.Load(); o != nil {
		(*o).Emptied(set)
	}
}

// By says who changes what the transaction changes, for the observer; 0: nobody in particular.
func (tx *Tx) By(id uint64) { tx.by = id }

// Event is what happened to a key, as keyspace notifications tell it.
type Event struct {
	Class uint16 // one bit of those of SetEvents
	Name  string
	Key   []byte
}

// The classes of events that the engine notes by itself. (Their bits are those of notify-keyspace-events.)
const (
	EventGeneric uint16 = 1 << 0
	EventHash    uint16 = 1 << 4
	EventExpired uint16 = 1 << 6
	EventEvicted uint16 = 1 << 7
)

// OnEvents sets who takes the events of transactions that were committed, or have read what was: in order, with the
// slots locked. They are to be told when lsn was Awaited. It must be set before the engine is used.
func (e *Engine) OnEvents(f func(lsn LSN, events []Event)) { e.onEvents = f }

// SetEvents says which classes of events transactions note.
func (e *Engine) SetEvents(classes uint16) { e.events.Store(uint32(classes)) }

// Events returns the classes of events that are noted: one load.
func (e *Engine) Events() uint16 { return uint16(e.events.Load()) }

// Note notes an event, if its class is on. It is forgotten if the transaction fails, runs again, or is rolled back to
// before it.
func (tx *Tx) Note(class uint16, name string, key []byte) {
	if tx.engine.Events()&class != 0 {
		tx.events = append(tx.events, Event{class, name, append([]byte(nil), key...)})
	}
}

// publish hands the events of a transaction over that is committed at lsn, or saw what was committed then.
func (e *Engine) publish(tx *Tx, lsn LSN) {
	if len(tx.events) == 0 {
		return
	}
	if e.onEvents != nil {
		e.onEvents(lsn, tx.events)
	}
	tx.events = nil
}

// Change is what happened to a key since a mark.
type Change struct {
	Key           []byte
	Before, After bool // whether the key was there
}

// Mark returns the place of Changes from here on.
func (tx *Tx) Mark() int { return len(tx.writes.ops) }

// Changes returns the keys that were changed since the mark, in the order of their first change. A key whose time had
// come counts as not there before.
func (tx *Tx) Changes(mark int) ([]Change, error) {
	var list []Change
	for i := mark; i < len(tx.writes.ops); i++ {
		o := tx.writes.ops[i]
		if o.op == format.OpDeleteRange {
			continue
		}
		row := tx.writes.keyOf(o)
		_, _, _, key, ok := format.SplitMetaKey(row)
		if !ok {
			continue
		}
		at := 0
		for at < len(list) && string(list[at].Key) != string(key) {
			at++
		}
		if at == len(list) {
			before, err := tx.wasThere(row, mark)
			if err != nil {
				return nil, err
			}
			list = append(list, Change{Key: append([]byte(nil), key...), Before: before})
		}
		list[at].After = o.op == format.OpSet
	}
	return list, nil
}

// wasThere reports whether a metadata row named a live key at the mark.
func (tx *Tx) wasThere(row []byte, mark int) (bool, error) {
	var value []byte
	found := false
	for i := mark - 1; i >= 0 && !found; i-- {
		if o := tx.writes.ops[i]; o.op != format.OpDeleteRange && string(tx.writes.keyOf(o)) == string(row) {
			if o.op == format.OpDelete {
				return false, nil
			}
			value, found = tx.writes.valueOf(o), true
		}
	}
	if !found {
		var ok bool
		var err error
		if tx.frozen != nil {
			value, ok, err = tx.frozen.row(row)
		} else {
			value, ok, err = tx.engine.row(tx, row)
		}
		if err != nil || !ok {
			return false, err
		}
	}
	var m format.Meta
	if err := m.Decode(value); err != nil {
		return false, err
	}
	return !expired(&m, tx.now), nil
}
