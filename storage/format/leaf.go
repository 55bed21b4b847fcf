package format

import "encoding/binary"

// The leaf directory of an ordered object in layout Rows, format version 1. It cuts
// the object's elements, in the order of their row keys, into leaves:
//
//	key   = slot 20 oid(8) 'd' separator     separator = bytes of an element's row key
//	value = count(uvarint) | count(uvarint) 01    after its sub byte, or fewer of them
//
// 01: an even leaf of a list, whose separator is the position of its first element
// and whose elements stand ListStride apart.
//
// A leaf holds the elements from its separator on and before the next one; the first
// separator is empty. An object with few elements has no such rows.
const SubLeaf byte = 'd'

// ElementPrefix is the length of an element's row key up to and with its sub byte.
const ElementPrefix = 2 + 1 + 8 + 1

const leafEven = 1

// AppendLeafValue appends the row value of a leaf of count elements.
func AppendLeafValue(dst []byte, count uint64, even bool) []byte {
	dst = binary.AppendUvarint(dst, count)
	if even {
		dst = append(dst, leafEven)
	}
	return dst
}

// LeafValue reads the row value of a leaf.
func LeafValue(value []byte) (count uint64, even bool, err error) {
	count, n := binary.Uvarint(value)
	if n > 0 && n == len(value)-1 && value[n] == leafEven {
		return count, true, nil
	}
	if n <= 0 || n != len(value) {
		return 0, false, ErrCorrupt
	}
	return count, false, nil
}
