package storage

import (
	"errors"
	"sync"
	"sync/atomic"

	"cobble/storage/format"
)

// Hold keeps keys as they are while their values are on the way to another server.
// A transaction that would change one of them waits until the hold is released and
// then runs again, whatever command, script or sweep it is; readers do not notice.
// A hold lives in memory only, and does not stop what comes from a primary or
// replaces a whole slot: Broken tells that.
type Hold struct {
	names []string
	done  chan struct{}
	watch Watcher
}

// NewHold returns a hold on nothing.
func NewHold() *Hold { return &Hold{done: make(chan struct{})} }

// holdTable maps held keys to their holds. It is looked at under the slot lock, so
// that what a hold saw and when it began are one moment.
type holdTable struct {
	count atomic.Int64
	mu    sync.Mutex
	keys  map[string]*Hold
}

// errHeld makes an operation end early, to run again when another's hold is
// released. It never reaches a caller of the engine.
var errHeld = errors.New("storage: a key is held")

// Hold takes all of the keys, or waits for those that another holds, which starts
// the operation again: the error is one that it must return. Their slots are locked.
func (tx *Tx) Hold(h *Hold, keys [][]byte) error {
	t := &tx.engine.holds
	t.drop(h) // of an earlier run
	tx.engine.Unwatch(&h.watch)
	t.mu.Lock()
	for _, key := range keys {
		if other := t.keys[watchName(0, key)]; other != nil {
			tx.blocked = other.done
			t.mu.Unlock()
			return errHeld
		}
	}
	if t.keys == nil {
		t.keys = map[string]*Hold{}
	}
	for _, key := range keys {
		name := watchName(0, key)
		t.keys[name] = h
		h.names = append(h.names, name)
	}
	t.count.Add(int64(len(keys)))
	t.mu.Unlock()
	for _, key := range keys {
		if err := tx.Watch(&h.watch, key); err != nil {
			return err
		}
	}
	return nil
}

// Through lets the transaction change what h holds.
func (tx *Tx) Through(h *Hold) { tx.through = h }

// Broken reports whether a held key was changed nevertheless. The slots of its
// keys are locked.
func (h *Hold) Broken() bool { return h.watch.Dirty() }

// Release ends a hold. Any number of calls do no harm, from one goroutine.
func (e *Engine) Release(h *Hold) {
	e.holds.drop(h)
	e.Unwatch(&h.watch)
	select {
	case <-h.done:
	default:
		close(h.done)
	}
}

func (t *holdTable) drop(h *Hold) {
	t.mu.Lock()
	for _, name := range h.names {
		delete(t.keys, name)
	}
	t.mu.Unlock()
	t.count.Add(-int64(len(h.names)))
	h.names = h.names[:0]
}

// has reports whether anybody holds a key of database 0.
func (t *holdTable) has(key []byte) bool {
	if t.count.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keys[watchName(0, key)] != nil
}

// blocks returns what to wait for if the transaction would change a key that
// another holds, else nil. The slots are locked.
func (t *holdTable) blocks(tx *Tx) chan struct{} {
	if t.count.Load() == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range tx.writes.ops {
		_, db, _, key, ok := format.SplitMetaKey(tx.writes.keyOf(o))
		if !ok || o.op == format.OpDeleteRange {
			continue
		}
		if h := t.keys[watchName(db, key)]; h != nil && h != tx.through {
			return h.done
		}
	}
	return nil
}
