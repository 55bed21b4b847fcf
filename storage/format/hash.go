package format

import "encoding/binary"

// Element rows of a hash in layout Rows, format version 1:
//
//	key   = slot 20 oid(8) 'f' H(8) field     H = Hash(field)
//	value = flags(1) [expireAt] bytes         expireAt = uvarint, Unix milliseconds
//	flags = bit 0: the field has an expireAt; the others are 0
//
// 't' ms(8) H(8) field is kept free for the order in which fields expire, and the
// metadata's extra bytes for the earliest of those times.
const (
	SubHashField  byte = 'f'
	SubHashExpiry byte = 't'

	// HashFieldPrefix is the length of a field's row key before the field.
	HashFieldPrefix = 2 + 1 + 8 + 1 + 8

	fieldExpires = 0x01
)

// AppendHashField appends the row key of a field.
func AppendHashField(dst []byte, slot uint16, oid uint64, field []byte) []byte {
	dst = AppendHashBound(dst, slot, oid, Hash(field))
	return append(dst, field...)
}

// AppendHashBound appends the row key at which a scan of the fields from hash h starts.
func AppendHashBound(dst []byte, slot uint16, oid uint64, h uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendElement(dst, slot, oid, SubHashField), h)
}

// SplitHashField takes a field's row key apart. The field aliases row.
func SplitHashField(row []byte) (h uint64, field []byte, err error) {
	if len(row) < HashFieldPrefix || row[2] != KindElement || row[11] != SubHashField {
		return 0, nil, ErrCorrupt
	}
	return binary.BigEndian.Uint64(row[12:]), row[HashFieldPrefix:], nil
}

// AppendHashValue appends the row value of a field; expireAt is 0 if it does not expire.
func AppendHashValue(dst []byte, expireAt int64, value []byte) []byte {
	if expireAt == 0 {
		dst = append(dst, 0)
	} else {
		dst = binary.AppendUvarint(append(dst, fieldExpires), uint64(expireAt))
	}
	return append(dst, value...)
}

// SplitHashValue takes a field's row value apart. The value aliases row.
func SplitHashValue(row []byte) (expireAt int64, value []byte, err error) {
	switch {
	case len(row) == 0 || row[0]&^fieldExpires != 0:
		return 0, nil, ErrCorrupt
	case row[0] == 0:
		return 0, row[1:], nil
	}
	at, n := binary.Uvarint(row[1:])
	if n <= 0 || at == 0 || at > 1<<63-1 {
		return 0, nil, ErrCorrupt
	}
	return int64(at), row[1+n:], nil
}
