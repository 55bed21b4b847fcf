package storage

import (
	"bytes"
	"slices"
	"sort"

	"cobble/storage/format"
)

// leafKeys are the keys of all elements of one leaf, in order, as they are in memory
// of a leaf that was used not long ago. A rank is then found without an iterator,
// which would step over every row that was deleted there since the last compaction.
type leafKeys struct {
	buf   []byte
	order []leafKeyAt
	waste int // bytes of buf that no key has any more
}

// leafKeyAt is where a key is in buf.
type leafKeyAt struct {
	at, size uint32
	marked   bool // the row has a value
}

func (k *leafKeys) key(i int) []byte {
	e := &k.order[i]
	return k.buf[e.at : e.at+e.size : e.at+e.size]
}

// search returns how many keys are below key.
func (k *leafKeys) search(key []byte) int {
	return sort.Search(len(k.order), func(i int) bool { return bytes.Compare(k.key(i), key) >= 0 })
}

func (k *leafKeys) push(key []byte, marked bool) {
	k.order = append(k.order, leafKeyAt{uint32(len(k.buf)), uint32(len(key)), marked})
	k.buf = append(k.buf, key...)
}

// insert adds a key that is not there.
func (k *leafKeys) insert(key []byte, marked bool) {
	i := k.search(key)
	k.order = slices.Insert(k.order, i, leafKeyAt{uint32(len(k.buf)), uint32(len(key)), marked})
	k.buf = append(k.buf, key...)
}

// remove removes a key; false if it is not there.
func (k *leafKeys) remove(key []byte) bool {
	i := k.search(key)
	if i == len(k.order) || !bytes.Equal(k.key(i), key) {
		return false
	}
	k.waste += len(key)
	k.order = slices.Delete(k.order, i, i+1)
	if k.waste > 4096 && k.waste > len(k.buf)/2 {
		*k = *k.part(0, len(k.order))
	}
	return true
}

// part returns a copy of the keys from one index to before another.
func (k *leafKeys) part(from, to int) *leafKeys {
	out := &leafKeys{order: make([]leafKeyAt, 0, to-from+16)}
	for i := from; i < to; i++ {
		out.push(k.key(i), k.order[i].marked)
	}
	return out
}

const leafKeySize = 12

func (k *leafKeys) size() int64 {
	if k == nil {
		return 0
	}
	return int64(cap(k.buf)) + leafKeySize*int64(cap(k.order))
}

// held returns the keys of a leaf if they are in memory.
func (d *leafDirectory) held(at leafAt) *leafKeys {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at(at).keys
}

// hold keeps the keys of a leaf in memory, and of no others if all would be more
// than limit bytes. Readers of the slot may hold keys at the same time.
func (d *leafDirectory) hold(at leafAt, keys *leafKeys, limit int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.heldBytes+keys.size() > limit {
		for i := range d.parts {
			for j := range d.parts[i].leaves {
				d.parts[i].leaves[j].keys = nil
			}
		}
		d.heldBytes = 0
	}
	d.heldBytes += keys.size() - d.at(at).keys.size()
	d.at(at).keys = keys
}

// change makes the keys of a leaf, if they are in memory, follow an element that
// came or went. If they cannot, they are let go.
func (d *leafDirectory) change(at leafAt, key []byte, marked bool, delta int64) {
	l := d.at(at)
	if l.keys == nil {
		return
	}
	before := l.keys.size()
	switch {
	case delta == 1:
		l.keys.insert(key, marked)
	case delta != -1 || !l.keys.remove(key):
		l.keys = nil
	}
	d.heldBytes += l.keys.size() - before
}

// release lets the keys of a leaf go.
func (d *leafDirectory) release(at leafAt) {
	d.heldBytes -= d.at(at).keys.size()
	d.at(at).keys = nil
}

// weight is what the directory takes of memory, bytes.
func (d *leafDirectory) weight() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size + d.heldBytes
}

// readKeys reads the keys of a leaf with an iterator over elements low ≤ key < high,
// nil high being the end.
func (tx *Tx) readKeys(d *leafDirectory, at leafAt, rows func(low, high []byte) *rowIter) (*leafKeys, error) {
	l := d.at(at)
	var high []byte
	if next, ok := d.next(at); ok {
		high = d.at(next).separator
	}
	keys := &leafKeys{order: make([]leafKeyAt, 0, l.count+16)}
	it := rows(l.separator, high)
	for ok := it.First(); ok; ok = it.Next() {
		keys.push(it.Key()[format.ElementPrefix:], len(it.Value()) > 0)
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	if uint64(len(keys.order)) != l.count {
		return nil, format.ErrCorrupt
	}
	limit := tx.engine.leafLimit()
	d.hold(at, keys, limit/2)
	tx.engine.leaves.resized(d, limit)
	return keys, nil
}

// leafLimit is how many bytes the cache of directories may take.
func (e *Engine) leafLimit() int64 { return e.limits.budget.Load() / leafCacheShare }
