package storage

import (
	"bytes"
	"slices"
	"sort"
	"sync"

	"cobble/slots"
	"cobble/storage/format"
)

// A leaf directory counts the elements of an ordered object in leaves of up to
// leafMost elements (format/leaf.go), so that the rank of a place, or the place of a
// rank, is found without a walk from the end: a counted B-tree of two levels
// (Bayer and McCreight, 1972, with counts), whose upper level is only in memory.
const (
	leafMost  = 512 // a leaf with more is split
	leafFill  = 384 // into leaves with up to so many
	leafLeast = 64  // one with less is merged with a neighbour, if both fit leafFill
	partMost  = 256 // leaves of one part of the directory in memory
)

// leafDirectory is the directory of one object in memory. The object's slot lock
// guards it: it is changed only while that is held for writing.
type leafDirectory struct {
	key   leafKey
	stamp uint64 // the number of the object's change that it is of; 0: of none
	parts []leafPart
	total uint64
	size  int64 // of all but keys, bytes, about

	mu        sync.Mutex // guards keys and heldBytes among readers of the slot
	heldBytes int64
}

// leafKey names an object, and the keyspace of its elements.
type leafKey struct {
	slot slots.Slot
	oid  uint64
	sub  byte
}

type leafPart struct {
	leaves []leaf // never empty
	count  uint64
}

type leaf struct {
	separator []byte // never changed in place
	count     uint64
	keys      *leafKeys // nil: not in memory
	even      bool      // see format/leaf.go
}

// leafAt is a place in a directory.
type leafAt struct{ part, leaf int }

// newLeafDirectory returns a directory of one leaf of count elements.
func newLeafDirectory(key leafKey, count uint64) *leafDirectory {
	d := &leafDirectory{key: key, total: count}
	d.push(nil, count)
	return d
}

const leafOverhead = 40

// push adds a leaf behind all others; total is the caller's to keep.
func (d *leafDirectory) push(separator []byte, count uint64) *leaf {
	last := len(d.parts) - 1
	if last < 0 || len(d.parts[last].leaves) >= partMost*3/4 {
		d.parts = append(d.parts, leafPart{})
		last++
	}
	p := &d.parts[last]
	p.leaves = append(p.leaves, leaf{separator: separator, count: count})
	p.count += count
	d.size += int64(len(separator)) + leafOverhead
	return &p.leaves[len(p.leaves)-1]
}

// count returns the number of leaves.
func (d *leafDirectory) leaves() (n int) {
	for i := range d.parts {
		n += len(d.parts[i].leaves)
	}
	return n
}

func (d *leafDirectory) at(at leafAt) *leaf { return &d.parts[at.part].leaves[at.leaf] }

// find returns the leaf to which an element key belongs.
func (d *leafDirectory) find(key []byte) leafAt {
	part := sort.Search(len(d.parts), func(i int) bool { return bytes.Compare(d.parts[i].leaves[0].separator, key) > 0 })
	part = max(part-1, 0)
	in := d.parts[part].leaves
	at := sort.Search(len(in), func(i int) bool { return bytes.Compare(in[i].separator, key) > 0 })
	return leafAt{part, max(at-1, 0)}
}

// before returns how many elements are in the leaves before one.
func (d *leafDirectory) before(at leafAt) (n uint64) {
	for i := range d.parts[:at.part] {
		n += d.parts[i].count
	}
	in := d.parts[at.part].leaves // not copied: other readers may change keys
	for i := range at.leaf {
		n += in[i].count
	}
	return n
}

// locate returns the leaf of the element of a rank < total, and its rank there.
func (d *leafDirectory) locate(rank uint64) (at leafAt, within uint64) {
	for ; rank >= d.parts[at.part].count; at.part++ {
		rank -= d.parts[at.part].count
	}
	in := d.parts[at.part].leaves
	for ; rank >= in[at.leaf].count; at.leaf++ {
		rank -= in[at.leaf].count
	}
	return at, rank
}

// next returns the place behind one; false at the end.
func (d *leafDirectory) next(at leafAt) (leafAt, bool) {
	if at.leaf++; at.leaf == len(d.parts[at.part].leaves) {
		at = leafAt{part: at.part + 1}
	}
	return at, at.part < len(d.parts)
}

func (d *leafDirectory) previous(at leafAt) (leafAt, bool) {
	switch {
	case at.leaf > 0:
		return leafAt{at.part, at.leaf - 1}, true
	case at.part > 0:
		return leafAt{at.part - 1, len(d.parts[at.part-1].leaves) - 1}, true
	}
	return at, false
}

// atEnd says whether a leaf is the first or the last.
func (d *leafDirectory) atEnd(at leafAt) bool {
	return at == leafAt{} || at.part == len(d.parts)-1 && at.leaf == len(d.parts[at.part].leaves)-1
}

// add changes the count of a leaf.
func (d *leafDirectory) add(at leafAt, delta int64) {
	d.at(at).count += uint64(delta)
	d.parts[at.part].count += uint64(delta)
	d.total += uint64(delta)
}

// insert puts leaves behind the one at a place.
func (d *leafDirectory) insert(at leafAt, more []leaf) {
	p := &d.parts[at.part]
	p.leaves = slices.Insert(p.leaves, at.leaf+1, more...)
	for i := range more {
		p.count += more[i].count
		d.total += more[i].count
		d.size += int64(len(more[i].separator)) + leafOverhead
		d.heldBytes += more[i].keys.size()
	}
	for i := at.part; len(d.parts[i].leaves) > partMost; i++ {
		all := d.parts[i].leaves
		half := max(len(all)/2, len(all)-partMost)
		low, high := leafPart{leaves: slices.Clone(all[:len(all)-half])}, leafPart{leaves: slices.Clone(all[len(all)-half:])}
		for j := range low.leaves {
			low.count += low.leaves[j].count
		}
		high.count = d.parts[i].count - low.count
		d.parts[i] = low
		d.parts = slices.Insert(d.parts, i+1, high)
		if len(low.leaves) > partMost {
			i--
		}
	}
}

// remove takes a leaf out, with its elements.
func (d *leafDirectory) remove(at leafAt) {
	d.release(at)
	l := *d.at(at)
	p := &d.parts[at.part]
	p.leaves = slices.Delete(p.leaves, at.leaf, at.leaf+1)
	p.count -= l.count
	d.total -= l.count
	d.size -= int64(len(l.separator)) + leafOverhead
	if len(p.leaves) == 0 {
		d.parts = slices.Delete(d.parts, at.part, at.part+1)
	}
}

// leafRow appends the row key of the leaf with a separator.
func (k leafKey) leafRow(dst, separator []byte) []byte {
	return append(format.AppendElement(dst, uint16(k.slot), k.oid, format.SubLeaf), separator...)
}

// elementRow appends the row key of an element.
func (k leafKey) elementRow(dst, element []byte) []byte {
	return append(format.AppendElement(dst, uint16(k.slot), k.oid, k.sub), element...)
}

// elements opens an iterator over the elements low ≤ key < high; nil high is the end.
func (k leafKey) elements(tx *Tx, low, high []byte) *rowIter {
	lo := k.elementRow(nil, low)
	if high == nil {
		return tx.iter(lo, format.AppendElement(nil, uint16(k.slot), k.oid, k.sub+1))
	}
	return tx.iter(lo, k.elementRow(nil, high))
}

// readLeaves reads a directory from its rows.
func (tx *Tx) readLeaves(key leafKey) (*leafDirectory, error) {
	d := &leafDirectory{key: key}
	lo := key.leafRow(nil, nil)
	it := tx.iter(lo, format.AppendElement(nil, uint16(key.slot), key.oid, format.SubLeaf+1))
	for ok := it.First(); ok; ok = it.Next() {
		count, even, err := format.LeafValue(it.Value())
		if err != nil {
			_ = it.Close()
			return nil, err
		}
		d.push(bytes.Clone(it.Key()[len(lo):]), count).even = even
		d.total += count
	}
	if err := it.Close(); err != nil {
		return nil, err
	}
	if len(d.parts) == 0 || len(d.parts[0].leaves[0].separator) != 0 {
		return nil, format.ErrCorrupt
	}
	return d, nil
}
