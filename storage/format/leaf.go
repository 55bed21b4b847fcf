package format

import "encoding/binary"

// The leaf directory of an ordered object in layout Rows, format version 1. It cuts
// the object's elements, in the order of their row keys, into leaves:
//
//	key   = slot 20 oid(8) 'd' separator     separator = bytes of an element's row key
//	value = count(uvarint)                   after its sub byte, or fewer of them
//
// A leaf holds the elements from its separator on and before the next one; the first
// separator is empty. An object with few elements has no such rows.
const SubLeaf byte = 'd'

// ElementPrefix is the length of an element's row key up to and with its sub byte.
const ElementPrefix = 2 + 1 + 8 + 1

// AppendLeafValue appends the row value of a leaf of count elements.
func AppendLeafValue(dst []byte, count uint64) []byte { return binary.AppendUvarint(dst, count) }

// LeafCount reads the row value of a leaf.
func LeafCount(value []byte) (uint64, error) {
	count, n := binary.Uvarint(value)
	if n <= 0 || n != len(value) {
		return 0, ErrCorrupt
	}
	return count, nil
}
