package format

import "encoding/binary"

// Element rows of a hash in layout Rows, format version 1:
//
//	key   = as in member.go, sub 'f'
//	value = flags(1) [expireAt] bytes         expireAt = uvarint, Unix milliseconds
//	flags = bit 0: the field has an expireAt; the others are 0
//
// 't' ms(8) H(8) field is kept free for the order in which fields expire, and the
// metadata's extra bytes for the earliest of those times.
const (
	SubHashField  byte = 'f'
	SubHashExpiry byte = 't'

	fieldExpires = 0x01
)

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
