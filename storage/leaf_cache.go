package storage

import (
	"container/list"
	"sync"

	"cobble/slots"
)

// leafCache keeps directories between transactions, the ones used last. Whether one
// is still right its stamp says, which must be that in the object's metadata; what
// replaces the contents of slots from outside empties the cache.
type leafCache struct {
	mu    sync.Mutex
	dirs  map[leafKey]*list.Element // of *cachedLeaves
	order list.List                 // most recently used first
	bytes int64
}

// cachedLeaves is a directory and what it counts for in the cache: its own size is
// its slot's business.
type cachedLeaves struct {
	dir  *leafDirectory
	size int64
}

// Most a cache holds, as a share of the engine's budget; one directory may be larger.
const leafCacheShare = 12

func (c *leafCache) get(key leafKey, stamp uint64) *leafDirectory {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.dirs[key]
	if e == nil {
		return nil
	}
	d := e.Value.(*cachedLeaves).dir
	if d.stamp != stamp {
		c.drop(e)
		return nil
	}
	c.order.MoveToFront(e)
	return d
}

func (c *leafCache) put(d *leafDirectory, limit int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dirs == nil {
		c.dirs = map[leafKey]*list.Element{}
	}
	if e := c.dirs[d.key]; e != nil {
		c.drop(e)
	}
	size := d.weight()
	c.dirs[d.key] = c.order.PushFront(&cachedLeaves{d, size})
	c.bytes += size
	c.evict(limit)
}

// evict drops the directories that were used longest ago. mu is held.
func (c *leafCache) evict(limit int64) {
	for c.bytes > limit && c.order.Len() > 1 {
		c.drop(c.order.Back())
	}
}

// resized tells the cache that a directory has another size than before.
func (c *leafCache) resized(d *leafDirectory, limit int64) {
	size := d.weight()
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.dirs[d.key]; e != nil && e.Value.(*cachedLeaves).dir == d {
		cached := e.Value.(*cachedLeaves)
		c.bytes += size - cached.size
		cached.size = size
		c.evict(limit)
	}
}

func (c *leafCache) drop(e *list.Element) {
	cached := e.Value.(*cachedLeaves)
	delete(c.dirs, cached.dir.key)
	c.order.Remove(e)
	c.bytes -= cached.size
}

// forget drops the directories of a slot.
func (c *leafCache) forget(slot slots.Slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.dirs {
		if key.slot == slot {
			c.drop(e)
		}
	}
}

// leafUndo is one change of a directory that a transaction has made.
type leafUndo struct {
	dir       *leafDirectory
	stamp     uint64 // what it was before
	separator []byte // of the leaf whose count changed
	delta     int64
	lost      bool // leaves came or went, which is not undone: the directory is useless
}

// undoLeaves takes the changes of directories back, as far as n of them. The slot
// locks are held.
func (tx *Tx) undoLeaves(n int) {
	for i := len(tx.leafUndo) - 1; i >= n; i-- {
		u := &tx.leafUndo[i]
		switch {
		case u.dir.stamp == 0:
		case u.lost:
			u.dir.stamp = 0
		default:
			at := u.dir.find(u.separator)
			u.dir.add(at, -u.delta)
			u.dir.release(at)
			u.dir.stamp = u.stamp
		}
	}
	clear(tx.leafUndo[n:])
	tx.leafUndo = tx.leafUndo[:n]
}
