package storage

import (
	"sync"
	"sync/atomic"

	"cobble/slots"
)

// Watcher is the watch set of one session (WATCH). Its methods are called by the
// session's goroutine; commits mark it from others.
type Watcher struct {
	dirty atomic.Bool
	keys  []watchedKey // changed under the table's mu
}

type watchedKey struct {
	name string // db byte, then the user key
	live bool   // existed, unexpired, when it was watched
	at   int64  // Unix milliseconds
}

// Dirty reports whether a watched key was changed since it was watched.
func (w *Watcher) Dirty() bool { return w.dirty.Load() }

// Empty reports whether nothing is watched.
func (w *Watcher) Empty() bool { return len(w.keys) == 0 }

// watchTable maps watched keys to their watchers. Commits hold the slot lock and
// take mu only while some key is watched.
type watchTable struct {
	count    atomic.Int64 // watched keys, and the observer
	observer atomic.Pointer[Observer]
	mu       sync.Mutex
	keys     map[string][]*Watcher
}

func (t *watchTable) touch(db uint8, key []byte) {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	for _, w := range t.keys[watchName(db, key)] {
		w.dirty.Store(true)
	}
	t.mu.Unlock()
}

// touchSlot marks the watchers of all keys of a slot that were there when they were watched: it was emptied or
// replaced. To those that watched a key that was absent nothing has changed.
func (t *watchTable) touchSlot(slot slots.Slot) {
	if t.count.Load() == 0 {
		return
	}
	t.mu.Lock()
	for name, list := range t.keys {
		if slots.Of([]byte(name[1:])) != slot {
			continue
		}
		for _, w := range list {
			if w.sawLive(name) {
				w.dirty.Store(true)
			}
		}
	}
	t.mu.Unlock()
}

func (w *Watcher) sawLive(name string) bool {
	for _, k := range w.keys {
		if k.name == name {
			return k.live
		}
	}
	return false
}

func watchName(db uint8, key []byte) string { return string(append([]byte{db}, key...)) }

// Watch adds key to w. The slot of key is locked by the transaction, so no commit
// is missed between what the caller saw and the watch.
func (tx *Tx) Watch(w *Watcher, key []byte) error {
	name := watchName(0, key)
	for _, k := range w.keys {
		if k.name == name {
			return nil
		}
	}
	entry, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	t := &tx.engine.watch
	t.mu.Lock()
	w.keys = append(w.keys, watchedKey{name, entry.Live, tx.now})
	if t.keys == nil {
		t.keys = map[string][]*Watcher{}
	}
	t.keys[name] = append(t.keys[name], w)
	t.count.Add(1)
	t.mu.Unlock()
	return nil
}

// WatchedExpired reports whether a key that was live when w watched it, or a field of
// it, has expired since, which EXEC treats as a change. The slots of w's keys are locked.
func (tx *Tx) WatchedExpired(w *Watcher) (bool, error) {
	for _, k := range w.keys {
		if !k.live {
			continue
		}
		entry, err := tx.Lookup([]byte(k.name[1:]))
		if err != nil || !entry.Live {
			return err == nil, err
		}
		if entry.Meta.FieldsAt != 0 {
			h := tx.hashOf(&entry)
			if due, err := h.dueSince(k.at); err != nil || due {
				return due, err
			}
		}
	}
	return false, nil
}

// Unwatch empties w.
func (e *Engine) Unwatch(w *Watcher) {
	t := &e.watch
	t.mu.Lock()
	for _, k := range w.keys {
		list := t.keys[k.name]
		for i, other := range list {
			if other == w {
				list = append(list[:i], list[i+1:]...)
				t.count.Add(-1)
				break
			}
		}
		if len(list) == 0 {
			delete(t.keys, k.name)
		} else {
			t.keys[k.name] = list
		}
	}
	w.keys = w.keys[:0]
	t.mu.Unlock()
	w.dirty.Store(false)
}
