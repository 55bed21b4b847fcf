package format

import "encoding/binary"

// A write set is the effect of one transaction and the payload of a log record:
//
//	writeset = version(1) op*
//	op       = 01 key value      set
//	         | 02 key            delete
//	         | 03 lo hi          delete every row lo ≤ key < hi
//	key, value, lo, hi = uvarint length, bytes
//
// There are only these three operations, so that replaying a write set over a
// newer state converges (no merge, no increment).
const (
	OpSet         byte = 1
	OpDelete      byte = 2
	OpDeleteRange byte = 3
)

// AppendWriteSetHeader starts a write set.
func AppendWriteSetHeader(dst []byte) []byte { return append(dst, Version) }

func appendBytes(dst, b []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

// AppendSet appends a set.
func AppendSet(dst, key, value []byte) []byte {
	return appendBytes(appendBytes(append(dst, OpSet), key), value)
}

// AppendSetHead appends a set of the metadata row of userKey, of which the caller appends the rest: value is the
// beginning of the row, which more bytes follow.
func AppendSetHead(dst []byte, slot uint16, hash uint64, userKey, value []byte, more int) []byte {
	dst = binary.AppendUvarint(append(dst, OpSet), uint64(MetaKeyPrefix+len(userKey)))
	dst = append(AppendMetaBound(dst, slot, 0, hash), userKey...)
	return append(binary.AppendUvarint(dst, uint64(len(value)+more)), value...)
}

// AppendDelete appends a delete.
func AppendDelete(dst, key []byte) []byte { return appendBytes(append(dst, OpDelete), key) }

// AppendDeleteRange appends a range delete.
func AppendDeleteRange(dst, lo, hi []byte) []byte {
	return appendBytes(appendBytes(append(dst, OpDeleteRange), lo), hi)
}

// EachOp calls f for every operation of a write set, in order; b is the value of
// a set or the upper bound of a range delete. Key and b alias the write set.
// It returns ErrCorrupt for malformed bytes, else f's first error.
func EachOp(writeSet []byte, f func(op byte, key, b []byte) error) error {
	if len(writeSet) == 0 || writeSet[0] != Version {
		return ErrCorrupt
	}
	rest := writeSet[1:]
	ok := true
	next := func() []byte {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			ok = false
			return nil
		}
		out := rest[w : w+int(n)]
		rest = rest[w+int(n):]
		return out
	}
	for len(rest) > 0 {
		op := rest[0]
		rest = rest[1:]
		var key, b []byte
		switch op {
		case OpDelete:
			key = next()
		case OpSet, OpDeleteRange:
			key = next()
			if ok {
				b = next()
			}
		default:
			return ErrCorrupt
		}
		if !ok || len(key) < 3 {
			return ErrCorrupt
		}
		if err := f(op, key, b); err != nil {
			return err
		}
	}
	return nil
}
