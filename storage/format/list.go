package format

import "encoding/binary"

// Element rows of a list in layout Rows, format version 1:
//
//	key   = slot 20 oid(8) 'e' pos(8)     pos grows from the head to the tail
//	value = the element
//	extra = head(8) tail(8)               positions of the first and the last element
//
// In a dense list (FlagListDense) element i is at head + i·ListStride. Rows outside
// head … tail may still be in the store, waiting for a range deletion; they are not
// of the list.
const (
	SubListElement byte = 'e'

	// ListStride is the distance between neighbours that were pushed.
	ListStride = 1 << 20
	// ListMiddle is the position of the first element of a new list.
	ListMiddle = 1 << 63

	// ListElementKey is the length of the row key of an element.
	ListElementKey = 2 + 1 + 8 + 1 + 8

	listExtra = 16
)

// AppendListElement appends the row key of the element at a position.
func AppendListElement(dst []byte, slot uint16, oid, pos uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendElement(dst, slot, oid, SubListElement), pos)
}

// SplitListElement returns the position in an element's row key.
func SplitListElement(row []byte) (pos uint64, err error) {
	if len(row) != ListElementKey || row[2] != KindElement || row[11] != SubListElement {
		return 0, ErrCorrupt
	}
	return binary.BigEndian.Uint64(row[12:]), nil
}

// AppendListBounds appends the extra bytes of a list's metadata.
func AppendListBounds(dst []byte, head, tail uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, head), tail)
}

// ListBounds returns the positions of the first and the last element.
func (m *Meta) ListBounds() (head, tail uint64, err error) {
	if len(m.Extra) != listExtra {
		return 0, 0, ErrCorrupt
	}
	head, tail = binary.BigEndian.Uint64(m.Extra), binary.BigEndian.Uint64(m.Extra[8:])
	if head > tail {
		return 0, 0, ErrCorrupt
	}
	return head, tail, nil
}
