package storage

import (
	"bytes"

	"cobble/storage/format"
)

// The bounds of a sorted set's score rows (format.ZSetExtra) keep walks off the rows
// that were deleted at its ends: a queue deletes what it reads first, and the store
// would step over every one of those until it has compacted them away. They are kept
// short, and may be wider than they need be.
const (
	boundBytes = 32
	// A removal of members somewhere narrows the bounds once in so many changes.
	narrowEvery = 128
)

// lowBound returns a short key that is not above key.
func lowBound(key []byte) []byte { return bytes.Clone(key[:min(len(key), boundBytes)]) }

// highBound returns a short key that is not below key, nil if there is none.
func highBound(key []byte) []byte {
	if len(key) <= boundBytes {
		return bytes.Clone(key)
	}
	bound := bytes.Clone(key[:boundBytes])
	for i := len(bound) - 1; i >= 0; i-- {
		if bound[i]++; bound[i] != 0 {
			return bound[:i+1]
		}
	}
	return nil
}

// widen makes the bounds hold the member whose score key is in tx.scratch.
func (z *ZSet) widen() {
	key := z.tx.scratch[format.ElementPrefix:]
	if bytes.Compare(key, z.extra.Low) < 0 {
		z.extra.Low = lowBound(key)
	}
	if len(z.extra.High) > 0 && bytes.Compare(key, z.extra.High) >= 0 {
		z.extra.High = nil
	}
}

// narrow looks for the ends now and then, if members were removed.
func (z *ZSet) narrow() error {
	if !z.shrunk || z.e.disk.Version%narrowEvery != 0 {
		return nil
	}
	if z.narrowByLeaves() {
		return nil
	}
	r := z.rowsOf()
	it := r.open(nil, nil)
	if it.First() {
		z.extra.Low = lowBound(it.Key()[format.ElementPrefix:])
	}
	if it.Last() {
		z.extra.High = highBound(append(it.Key()[format.ElementPrefix:], 0))
	}
	return it.Close()
}

// narrowByLeaves takes the ends from the first and last leaf if their keys are in
// memory; else it is false.
func (z *ZSet) narrowByLeaves() bool {
	d := z.leaves.dir
	if d == nil || len(d.parts) == 0 {
		return false
	}
	part := len(d.parts) - 1
	low, high := d.held(leafAt{}), d.held(leafAt{part, len(d.parts[part].leaves) - 1})
	if low == nil || high == nil || len(low.order) == 0 || len(high.order) == 0 {
		return false
	}
	z.extra.Low = lowBound(low.key(0))
	z.extra.High = highBound(append(bytes.Clone(high.key(len(high.order)-1)), 0))
	return true
}

// removedFirst notes that key, and all before it, is gone.
func (z *ZSet) removedFirst(key []byte) {
	if bytes.Compare(key, z.extra.Low) > 0 {
		z.extra.Low = lowBound(key)
	}
}

// removedLast notes that key, and all behind it, is gone.
func (z *ZSet) removedLast(key []byte) {
	if bound := highBound(key); bound != nil && (len(z.extra.High) == 0 || bytes.Compare(bound, z.extra.High) < 0) {
		z.extra.High = bound
	}
}

// zsetRows are the score rows of a sorted set in layout Rows. They are a value of their own so that a walk does not
// hold the sorted set itself, which then need not be on the heap.
type zsetRows struct {
	tx        *Tx
	key       leafKey
	low, high []byte // as in format.ZSetExtra
}

func (z *ZSet) rowsOf() zsetRows {
	return zsetRows{tx: z.tx, key: z.leafKey(), low: z.extra.Low, high: z.extra.High}
}

// open opens an iterator over the score rows low ≤ key < high; nil high is the end.
func (r *zsetRows) open(low, high []byte) *rowIter {
	if bytes.Compare(low, r.low) < 0 {
		low = r.low
	}
	if len(r.high) > 0 && (high == nil || bytes.Compare(r.high, high) < 0) {
		high = r.high
	}
	if high != nil && bytes.Compare(low, high) > 0 {
		high = low
	}
	return r.key.elements(r.tx, low, high)
}

// keysOf returns the keys of a leaf, from memory or from its rows.
func (r *zsetRows) keysOf(d *leafDirectory, at leafAt) (*leafKeys, error) {
	if keys := d.held(at); keys != nil {
		return keys, nil
	}
	return r.tx.readKeys(d, at, r.open)
}

func (z *ZSet) keysOf(d *leafDirectory, at leafAt) (*leafKeys, error) {
	r := z.rowsOf()
	return r.keysOf(d, at)
}
