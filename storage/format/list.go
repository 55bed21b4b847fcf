package format

import "encoding/binary"

// Element rows of a list in layout Rows, format version 1:
//
//	key   = slot 20 oid(8) 'e' pos(8)     pos grows from the head to the tail
//	value = the element
//	extra = head(8) tail(8)               positions of the first and the last element
//	      | head(8) tail(8) leaves(uvarint) stamp(uvarint) low(8) high(8)
//
// In a dense list (FlagListDense) element i is at head + i·ListStride. Any other may
// have a leaf directory (leaf.go), of so many rows.
//
// Rows outside head … tail may still be in the store, waiting for a range deletion;
// they are not of the list. None is outside of low … high. Without low and high those
// are head and tail.
const (
	SubListElement byte = 'e'

	// ListStride is the distance between neighbours that were pushed.
	ListStride = 1 << 20
	// ListMiddle is the position of the first element of a new list.
	ListMiddle = 1 << 63

	// ListElementKey is the length of the row key of an element.
	ListElementKey = 2 + 1 + 8 + 1 + 8

	listBounds = 16
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

// ListExtra is what the metadata of a list in layout Rows says beside its count:
// positions of the first and last element and of the outermost rows, and of its leaf
// directory what ZSetExtra says.
type ListExtra struct {
	Head, Tail    uint64
	Leaves, Stamp uint64
	Low, High     uint64
}

// Append appends the encoding of x.
func (x *ListExtra) Append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, x.Head), x.Tail)
	if x.Leaves == 0 && x.Stamp == 0 && x.Low == x.Head && x.High == x.Tail {
		return dst
	}
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, x.Leaves), x.Stamp)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, x.Low), x.High)
}

// Decode reads what Append wrote.
func (x *ListExtra) Decode(b []byte) error {
	*x = ListExtra{}
	if len(b) < listBounds {
		return ErrCorrupt
	}
	x.Head, x.Tail = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	x.Low, x.High = x.Head, x.Tail
	if b = b[listBounds:]; len(b) > 0 {
		var n [2]int
		if x.Leaves, n[0] = binary.Uvarint(b); n[0] <= 0 {
			return ErrCorrupt
		}
		if x.Stamp, n[1] = binary.Uvarint(b[n[0]:]); n[1] <= 0 || len(b) != n[0]+n[1]+listBounds {
			return ErrCorrupt
		}
		b = b[n[0]+n[1]:]
		x.Low, x.High = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	}
	if x.Head > x.Tail || x.Low > x.Head || x.High < x.Tail {
		return ErrCorrupt
	}
	return nil
}
