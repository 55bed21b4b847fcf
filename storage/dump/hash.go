package dump

import (
	"encoding/binary"
	"math"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// Hashes with fields that expire:
//
//	value = min(i64) length (deadline field value)*   type 24; deadline = length: 0 = none,
//	                                                 else 1 more than what it is after min
//	      | min(i64) string                          type 25: a listpack of field, value,
//	                                                 deadline in turn; 0 = none
//
//	      | length (deadline field value)*            type 22, version <= 12: deadline = length, 0 = none
//	      | string                                   type 23: the listpack of type 25
//	      | length (field value deadline(i64))*      type 22, version >= 80: -1 = none
//
// min is the first of the deadlines; all are Unix milliseconds. Types 22 and 23 are those of Redis 7.4 before it was
// released, and 22 that of Valkey 9; they are only read.

// AppendHash begins a hash of n fields, the first of which expires at min; 0: none does.
func AppendHash(dst []byte, n uint64, min int64) []byte {
	if min == 0 {
		return AppendLength(append(dst, TypeHash), n)
	}
	dst = binary.LittleEndian.AppendUint64(append(dst, TypeHashDeadlines), uint64(min))
	return AppendLength(dst, n)
}

// AppendField appends a field of a hash that began with min.
func AppendField(dst, field, value []byte, deadline, min int64) []byte {
	switch {
	case min == 0:
	case deadline == 0:
		dst = AppendLength(dst, 0)
	default:
		dst = AppendLength(dst, uint64(deadline-min)+1)
	}
	return AppendString(AppendString(dst, field), value)
}

// appendFields appends the type and the value of a hash some fields of which expire.
func appendFields(dst []byte, m *format.Meta) ([]byte, error) {
	deadlines, fields, err := format.SplitHashInline(m.Inline)
	if err != nil {
		return dst, ErrFormat
	}
	dst = AppendHash(dst, uint64(listpack.Count(fields)/2), m.FieldsAt)
	c := listpack.Walk(fields)
	var digits [2][20]byte
	for {
		field, ok := c.Next()
		if !ok {
			break
		}
		value, ok := c.Next()
		if !ok {
			return dst, ErrFormat
		}
		name := elementText(field, digits[0][:0])
		at, _, _, err := listpack.Pair(deadlines, name)
		if err != nil || at.Int != 0 && at.Int < m.FieldsAt {
			return dst, ErrFormat
		}
		dst = AppendField(dst, name, elementText(value, digits[1][:0]), at.Int, m.FieldsAt)
	}
	if c.Err() != nil {
		return dst, ErrFormat
	}
	return dst, nil
}

// first reads the first deadline.
func (r *reader) first() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	if binary.LittleEndian.Uint64(b) > math.MaxInt64 {
		r.fail()
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// hash reads a hash with deadlines.
func (r *reader) hash(kind byte) Value {
	if kind == typeHashEarly && r.version >= newestValkey {
		return r.hashOfValkey()
	}
	v := Value{Type: format.HashType}
	min := uint64(1) // so that deadlines are what they say
	if kind == TypeHashDeadlines {
		min = r.first()
	}
	for n := r.count(3); n > 0 && !r.bad; n-- {
		at := r.deadline(min)
		v.Items = append(v.Items, r.string(), r.string())
		v.Deadlines = append(v.Deadlines, at)
	}
	return v
}

// deadline reads when a field expires, of which the first does at min.
func (r *reader) deadline(min uint64) int64 {
	at := r.size()
	switch {
	case at > math.MaxInt64-min:
		r.fail()
		return 0
	case at != 0:
		at += min - 1
	}
	return int64(at)
}

func (r *reader) hashOfValkey() Value {
	v := Value{Type: format.HashType}
	for n := r.count(2 + 8); n > 0 && !r.bad; n-- {
		v.Items = append(v.Items, r.string(), r.string())
		at := int64(0)
		if b := r.take(8); b != nil {
			at = int64(binary.LittleEndian.Uint64(b))
		}
		if at < -1 {
			r.fail()
		}
		v.Deadlines = append(v.Deadlines, max(at, 0))
	}
	return v
}

// hashListpack reads a packed one.
func (r *reader) hashListpack(kind byte) Value {
	v := Value{Type: format.HashType}
	if kind == typeHashPackedEx {
		_ = r.first()
	}
	items := r.listpack(nil, r.string())
	if len(items)%3 != 0 {
		r.fail()
		return v
	}
	for ; len(items) > 0; items = items[3:] {
		at := int64(0)
		for _, c := range items[2] {
			if c < '0' || c > '9' || at > math.MaxInt64/10-1 {
				r.fail()
				return v
			}
			at = at*10 + int64(c-'0')
		}
		v.Items = append(v.Items, items[0], items[1])
		v.Deadlines = append(v.Deadlines, at)
	}
	return v
}
