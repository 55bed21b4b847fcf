package format

import "encoding/binary"

// Element rows of a hash in layout Rows, format version 1:
//
//	key   = as in member.go, sub 'f'
//	value = flags(1) [expireAt] bytes         expireAt = uvarint, Unix milliseconds
//	flags = bit 0: the field has an expireAt; the others are 0
//
//	key   = slot 20 oid(8) 't' expireAt(8) field       for each field that has one
//	value = nothing
//
// If fields of a hash expire (Meta.FieldsAt), its metadata say which, or how many:
//
//	inline body = length(uvarint) deadlines fields
//	              both listpacks: of fields and expireAts in turn, and of fields and values
//	extra bytes = n(uvarint)                  fields that have an expireAt
const (
	SubHashField    byte = 'f'
	SubHashDeadline byte = 't'

	fieldExpires = 0x01

	// deadlinePrefix is the length of a deadline's row key before the field.
	deadlinePrefix = 2 + 1 + 8 + 1 + 8
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

// AppendHashDeadline appends the row key that files a field of object oid under its
// deadline; with a nil field it is the bound at which a scan from expireAt starts.
func AppendHashDeadline(dst []byte, slot uint16, oid uint64, expireAt int64, field []byte) []byte {
	dst = binary.BigEndian.AppendUint64(AppendElement(dst, slot, oid, SubHashDeadline), uint64(expireAt))
	return append(dst, field...)
}

// SplitHashDeadline takes the row key of a deadline apart. The field aliases row.
func SplitHashDeadline(row []byte) (expireAt int64, field []byte, err error) {
	if len(row) < deadlinePrefix || row[2] != KindElement || row[11] != SubHashDeadline {
		return 0, nil, ErrCorrupt
	}
	return int64(binary.BigEndian.Uint64(row[12:])), row[deadlinePrefix:], nil
}

// AppendHashInline appends the inline body of a hash some fields of which expire.
func AppendHashInline(dst, deadlines, fields []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(deadlines)))
	return append(append(dst, deadlines...), fields...)
}

// SplitHashInline takes that body apart. The listpacks alias body.
func SplitHashInline(body []byte) (deadlines, fields []byte, err error) {
	size, n := binary.Uvarint(body)
	if n <= 0 || size > uint64(len(body)-n) {
		return nil, nil, ErrCorrupt
	}
	body = body[n:]
	return body[:size:size], body[size:], nil
}

// AppendHashExtra appends the extra bytes of a hash in layout Rows n fields of which expire.
func AppendHashExtra(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

// SplitHashExtra returns how many fields expire.
func SplitHashExtra(extra []byte) (n uint64, err error) {
	n, size := binary.Uvarint(extra)
	if size <= 0 || size != len(extra) || n == 0 {
		return 0, ErrCorrupt
	}
	return n, nil
}
