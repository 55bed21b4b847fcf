package storage

import (
	"bytes"
	"math"

	"cobble/storage/format"
)

// leafChanges are the changes of a directory by one command, which become rows with
// save. The directory itself changes at once; a transaction that fails takes it back.
type leafChanges struct {
	tx      *Tx
	dir     *leafDirectory
	touched [][]byte  // separators of leaves whose rows are to be written
	ends    [2][]byte // keys of which all elements are between; nil: no bound
}

// cachedLeaves returns a directory that is in memory, or nil.
func (tx *Tx) cachedLeaves(key leafKey, stamp uint64) *leafDirectory {
	if tx.frozen != nil { // those of the cache are changed under the lock
		return nil
	}
	return tx.engine.leaves.get(key, stamp)
}

// leavesOf returns the directory with a stamp, of so many leaves, from memory or from
// its rows.
func (tx *Tx) leavesOf(key leafKey, leaves, stamp uint64) (*leafDirectory, error) {
	if d := tx.cachedLeaves(key, stamp); d != nil {
		return d, nil
	}
	if err := tx.patient(leaves); err != nil {
		return nil, err
	}
	d, err := tx.readLeaves(key)
	if err != nil {
		return nil, err
	}
	tx.keepLeaves(d, stamp)
	return d, nil
}

// keepLeaves puts a new directory into the cache. If the transaction has written
// something, what was read may be its own, and is gone when it fails.
func (tx *Tx) keepLeaves(d *leafDirectory, stamp uint64) {
	d.stamp = stamp
	if tx.frozen != nil {
		return
	}
	if tx.writable && len(tx.writes.ops) > 0 {
		tx.leafUndo = append(tx.leafUndo, leafUndo{dir: d, stamp: stamp, lost: true})
	}
	tx.engine.leaves.put(d, tx.engine.leafLimit())
}

// count notes that the element with a key came (delta 1), with a value in its row or
// none, or went (−1). It returns the leaf of the element.
func (c *leafChanges) count(key []byte, marked bool, delta int64) leafAt {
	at := c.dir.find(key)
	c.dir.change(at, key, marked, delta)
	c.dir.at(at).even = false
	separator := c.dir.at(at).separator
	c.dir.add(at, delta)
	last := len(c.tx.leafUndo) - 1
	if last >= 0 && c.tx.leafUndo[last].dir == c.dir && !c.tx.leafUndo[last].lost && bytes.Equal(c.tx.leafUndo[last].separator, separator) {
		c.tx.leafUndo[last].delta += delta
	} else {
		c.tx.leafUndo = append(c.tx.leafUndo, leafUndo{dir: c.dir, stamp: c.dir.stamp, separator: separator, delta: delta})
	}
	c.touch(separator)
	return at
}

func (c *leafChanges) touch(separator []byte) {
	for i := len(c.touched) - 1; i >= max(0, len(c.touched)-4); i-- {
		if bytes.Equal(c.touched[i], separator) {
			return
		}
	}
	c.touched = append(c.touched, separator)
}

// save writes the rows of the leaves that changed, after it has split the large
// ones and merged the small ones, and gives the directory a stamp. Elements must
// have been written before.
func (c *leafChanges) save(stamp uint64) error {
	weight := c.dir.weight()
	for i := 0; i < len(c.touched); i++ { // merging touches more
		separator := c.touched[i]
		at := c.dir.find(separator)
		l := c.dir.at(at)
		if !bytes.Equal(l.separator, separator) {
			continue // merged with the one before
		}
		switch {
		case l.count > leafMost:
			if err := c.split(at); err != nil {
				return err
			}
		case l.count >= leafLeast || !c.merge(at):
			c.put(l)
		}
	}
	c.dir.stamp = stamp
	if c.dir.weight() != weight {
		c.tx.engine.leaves.resized(c.dir, c.tx.engine.leafLimit())
	}
	c.touched = c.touched[:0]
	return nil
}

func (c *leafChanges) put(l *leaf) {
	c.tx.scratch = c.dir.key.leafRow(c.tx.scratch[:0], l.separator)
	c.tx.value = format.AppendLeafValue(c.tx.value[:0], l.count, l.even)
	c.tx.putRow(c.tx.scratch, c.tx.value)
}

// lose notes that the directory cannot be changed back.
func (c *leafChanges) lose() {
	c.tx.leafUndo = append(c.tx.leafUndo, leafUndo{dir: c.dir, stamp: c.dir.stamp, lost: true})
}

// merge joins a small leaf with a neighbour; false if there is none to suit.
func (c *leafChanges) merge(at leafAt) bool {
	l := c.dir.at(at)
	low, high := at, at
	if before, ok := c.dir.previous(at); ok && (l.count == 0 || c.dir.at(before).count+l.count <= leafFill) {
		low = before
	} else if after, ok := c.dir.next(at); ok && (l.count == 0 || c.dir.at(after).count+l.count <= leafFill) {
		high = after
	} else {
		return false
	}
	c.lose()
	gone := *c.dir.at(high)
	c.tx.delRow(c.dir.key.leafRow(nil, gone.separator))
	c.dir.remove(high)
	c.dir.add(low, int64(gone.count))
	c.dir.at(low).even = false
	if kept := c.dir.at(low); kept.keys != nil && gone.keys != nil {
		before := kept.keys.size()
		for i := range gone.keys.order {
			kept.keys.push(gone.keys.key(i), gone.keys.order[i].marked)
		}
		c.dir.heldBytes += kept.keys.size() - before
	} else {
		c.dir.release(low)
	}
	c.touched = append(c.touched, c.dir.at(low).separator)
	return true
}

// split cuts a leaf into several of about the same size.
func (c *leafChanges) split(at leafAt) error {
	l := c.dir.at(at)
	pieces := (l.count + leafFill - 1) / leafFill
	each := (l.count + pieces - 1) / pieces
	var more []leaf
	var err error
	if l.keys != nil {
		more = l.keys.cut(int(each))
	} else if more, err = c.scan(at, each); err != nil {
		return err
	}
	c.lose()
	moved := uint64(0)
	for i := range more {
		c.put(&more[i])
		moved += more[i].count
	}
	if l.keys != nil {
		first := l.keys.part(0, int(each))
		c.dir.release(at)
		c.dir.hold(at, first, math.MaxInt64)
	}
	c.dir.add(at, -int64(moved))
	c.dir.at(at).even = false
	c.put(c.dir.at(at))
	c.dir.insert(at, more)
	return nil
}

// cut returns the leaves behind the first one, if each has so many keys.
func (k *leafKeys) cut(each int) (more []leaf) {
	for from := each; from < len(k.order); from += each {
		keys := k.part(from, min(from+each, len(k.order)))
		more = append(more, leaf{separator: between(k.key(from-1), k.key(from)), count: uint64(len(keys.order)), keys: keys})
	}
	return more
}

// scan does the same from the rows.
func (c *leafChanges) scan(at leafAt, each uint64) (more []leaf, err error) {
	l := c.dir.at(at)
	low, high := l.separator, c.ends[1]
	if len(low) == 0 {
		low = c.ends[0]
	}
	if next, ok := c.dir.next(at); ok {
		high = c.dir.at(next).separator
	}
	it := c.dir.key.elements(c.tx, low, high)
	var last []byte
	n := uint64(0)
	for ok := it.First(); ok; ok = it.Next() {
		if n > 0 && n%each == 0 {
			more = append(more, leaf{separator: between(last, it.Key()[format.ElementPrefix:])})
		}
		if len(more) > 0 {
			more[len(more)-1].count++
		}
		last = append(last[:0], it.Key()[format.ElementPrefix:]...)
		n++
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	if n != l.count {
		return nil, format.ErrCorrupt
	}
	return more, nil
}

// between returns the shortest separator of two neighbours: a < separator ≤ b.
func between(a, b []byte) []byte {
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return bytes.Clone(b[:n+1])
}
