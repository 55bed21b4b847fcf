package format

import (
	"encoding/binary"
	"math"
)

// Element rows of a sorted set in layout Rows, format version 1:
//
//	key   = slot 20 oid(8) 'm' H(8) member      member.go
//	value = score(8)                            its bits, big endian
//
//	key   = slot 20 oid(8) 's' order(8) member
//	value = nothing | 80                        80: the score is −0
//
//	order = the score's bits, so turned that unsigned order is numeric order
//
// There is no hash between order and member: members of one score must lie in the
// order of their bytes, which is the order of ZRANGE and the whole sense of
// ZRANGEBYLEX. −0 and 0 have one order; only the values tell them apart.
//
// The metadata's extra bytes are a ZSetExtra:
//
//	extra = nothing | leaves(uvarint) stamp(uvarint) low high
//	low, high = length(uvarint) bytes
const SubZSetScore byte = 's'

// OrderedScore turns a score, which is not NaN, into a number whose unsigned order
// is the order of scores.
func OrderedScore(score float64) uint64 {
	if score == 0 {
		return 1 << 63 // both zeros
	}
	bits := math.Float64bits(score)
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}

// ScoreOfOrder is the inverse of OrderedScore, but for −0.
func ScoreOfOrder(order uint64) float64 {
	if order>>63 != 0 {
		return math.Float64frombits(order &^ (1 << 63))
	}
	return math.Float64frombits(^order)
}

// AppendZSetOrder appends what comes after the sub byte in the key of a score row.
func AppendZSetOrder(dst []byte, score float64, member []byte) []byte {
	return append(binary.BigEndian.AppendUint64(dst, OrderedScore(score)), member...)
}

// SplitZSetOrder takes that apart. The member aliases order; a score of −0 comes
// back as 0.
func SplitZSetOrder(order []byte) (score float64, member []byte, err error) {
	if len(order) < 8 {
		return 0, nil, ErrCorrupt
	}
	score = ScoreOfOrder(binary.BigEndian.Uint64(order))
	if math.IsNaN(score) {
		return 0, nil, ErrCorrupt
	}
	return score, order[8:], nil
}

// AppendZSetScore appends the value of a member row.
func AppendZSetScore(dst []byte, score float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(score))
}

// ZSetScore reads the value of a member row.
func ZSetScore(value []byte) (float64, error) {
	if len(value) != 8 {
		return 0, ErrCorrupt
	}
	score := math.Float64frombits(binary.BigEndian.Uint64(value))
	if math.IsNaN(score) {
		return 0, ErrCorrupt
	}
	return score, nil
}

const zsetNegativeZero = 0x80

// AppendZSetMark appends the value of a score row.
func AppendZSetMark(dst []byte, score float64) []byte {
	if score == 0 && math.Signbit(score) {
		dst = append(dst, zsetNegativeZero)
	}
	return dst
}

// ZSetExtra is what the metadata of a sorted set in layout Rows says beside its
// count. Low and High bound the keys of its score rows after the sub byte: Low ≤ key
// < High, so that a walk need not pass over what was taken from an end. High may be
// empty, which is no bound.
type ZSetExtra struct {
	Leaves    uint64 // rows of the leaf directory; 0: there is none
	Stamp     uint64 // grows with each change of the directory
	Low, High []byte
}

// Append appends the encoding of x.
func (x *ZSetExtra) Append(dst []byte) []byte {
	if x.Leaves == 0 && x.Stamp == 0 && len(x.Low) == 0 && len(x.High) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, x.Leaves)
	dst = binary.AppendUvarint(dst, x.Stamp)
	return appendBytes(appendBytes(dst, x.Low), x.High)
}

// Decode reads what Append wrote. Low and High alias b.
func (x *ZSetExtra) Decode(b []byte) error {
	*x = ZSetExtra{}
	if len(b) == 0 {
		return nil
	}
	var n int
	if x.Leaves, n = binary.Uvarint(b); n <= 0 {
		return ErrCorrupt
	}
	b = b[n:]
	if x.Stamp, n = binary.Uvarint(b); n <= 0 {
		return ErrCorrupt
	}
	b = b[n:]
	for _, bound := range []*[]byte{&x.Low, &x.High} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return ErrCorrupt
		}
		*bound, b = b[n:n+int(size):n+int(size)], b[n+int(size):]
	}
	if len(b) != 0 {
		return ErrCorrupt
	}
	return nil
}
