package format

import (
	"bytes"
	"encoding/binary"
)

// Values that belong to a shard and to no slot.
//
//	record  = version(1) flag(1) name-length(uvarint) name value     flag 0: the name is removed, 1: it has a value
//	row     FFFF 02   version(1) count(uvarint) { name-length name value-length value }

// SharedKey returns the row key of the shared values.
func SharedKey() []byte { return []byte{0xFF, 0xFF, 0x02} }

// AppendShared appends the payload of a record that sets a value, or with nil removes it.
func AppendShared(dst []byte, name string, value []byte) []byte {
	flag := byte(1)
	if value == nil {
		flag = 0
	}
	dst = append(dst, Version, flag)
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	return append(append(dst, name...), value...)
}

// DecodeShared reads what AppendShared wrote; value is nil for a removal.
func DecodeShared(b []byte) (name string, value []byte, err error) {
	if len(b) < 2 || b[0] != Version || b[1] > 1 {
		return "", nil, ErrCorrupt
	}
	text, rest, ok := cutCounted(b[2:])
	if !ok || b[1] == 0 && len(rest) > 0 {
		return "", nil, ErrCorrupt
	}
	if b[1] == 1 {
		value = append([]byte{}, rest...)
	}
	return string(text), value, nil
}

// AppendSharedHead begins the row of count values.
func AppendSharedHead(dst []byte, count int) []byte {
	return binary.AppendUvarint(append(dst, Version), uint64(count))
}

// AppendSharedEntry appends one value to the row.
func AppendSharedEntry(dst []byte, name string, value []byte) []byte {
	dst = append(binary.AppendUvarint(dst, uint64(len(name))), name...)
	return append(binary.AppendUvarint(dst, uint64(len(value))), value...)
}

// DecodeSharedRow reads the row.
func DecodeSharedRow(b []byte) (map[string][]byte, error) {
	if len(b) == 0 || b[0] != Version {
		return nil, ErrCorrupt
	}
	count, n := binary.Uvarint(b[1:])
	if n <= 0 {
		return nil, ErrCorrupt
	}
	b = b[1+n:]
	values := map[string][]byte{}
	for range count {
		name, rest, ok := cutCounted(b)
		if !ok {
			return nil, ErrCorrupt
		}
		value, rest, ok := cutCounted(rest)
		if !ok {
			return nil, ErrCorrupt
		}
		values[string(name)], b = bytes.Clone(value), rest
	}
	if len(b) != 0 {
		return nil, ErrCorrupt
	}
	return values, nil
}

// cutCounted takes a uvarint and so many bytes off b.
func cutCounted(b []byte) (head, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	b = b[n:]
	return b[:size:size], b[size:], true
}
