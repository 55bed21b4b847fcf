package storage

import (
	"math"

	"cobble/storage/format"
)

// Overflow says what becomes of a field that would not hold its new value.
type Overflow uint8

// The overflow behaviours of BITFIELD.
const (
	OverflowWrap Overflow = iota // modulo the field's size
	OverflowSat                  // the nearest value that it holds
	OverflowFail                 // nothing is done
)

// FieldVerb is what one operation of BITFIELD does.
type FieldVerb uint8

// The verbs.
const (
	FieldGet  FieldVerb = iota
	FieldSet            // to Value; its result is the old value
	FieldIncr           // by Value; its result is the new value
)

// FieldOp is one operation on a field of 1 to 64 bits (63 if unsigned) at a bit offset.
type FieldOp struct {
	Verb     FieldVerb
	Signed   bool
	Bits     int
	Offset   int64
	Value    int64
	Overflow Overflow
}

// FieldResult is what an operation replies.
type FieldResult struct {
	Value  int64
	Failed bool // OverflowFail applied
}

// fieldWindow is how far apart fields may be, in bytes, to be read and written together.
const fieldWindow = 8 * ChunkSize

// BitField runs operations on a string in order and appends their results to dst.
// If any may write, the string is made long enough for it, even if it then fails.
func (tx *Tx) BitField(dst []FieldResult, key []byte, ops []FieldOp) ([]FieldResult, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || len(ops) == 0 {
		return dst, err
	}
	lo, hi := int64(math.MaxInt64), int64(0)
	for i := range ops {
		lo, hi = min(lo, ops[i].Offset>>3), max(hi, ops[i].end())
	}
	if hi-lo <= fieldWindow {
		return tx.bitFieldWindow(dst, &e, ops, lo, hi)
	}
	for i := range ops {
		if dst, err = tx.bitFieldWindow(dst, &e, ops[i:i+1], ops[i].Offset>>3, ops[i].end()); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// end is the position behind the last byte that op touches.
func (op *FieldOp) end() int64 { return (op.Offset+int64(op.Bits)-1)>>3 + 1 }

// bitFieldWindow runs operations that touch only bytes lo ≤ i < hi.
func (tx *Tx) bitFieldWindow(dst []FieldResult, e *Entry, ops []FieldOp, lo, hi int64) ([]FieldResult, error) {
	window := make([]byte, hi-lo)
	length := int64(0)
	if e.Live {
		length = stringLen(&e.Meta)
		if err := tx.peek(e, lo, window); err != nil {
			return dst, err
		}
	}
	written := int64(0) // end of what may be written
	for i := range ops {
		op := &ops[i]
		if op.Verb != FieldGet {
			written = max(written, op.end())
		}
		dst = append(dst, op.run(window, op.Offset-lo*8))
	}
	if written == 0 {
		return dst, nil
	}
	return dst, tx.patchString(e, lo, window[:min(hi, max(written, length))-lo], format.EncRaw)
}

// run runs the operation on a window, at a bit offset of it.
func (op *FieldOp) run(window []byte, at int64) FieldResult {
	old := fieldGet(window, at, op.Bits)
	value := int64(old)
	if op.Signed && op.Bits < 64 && old>>(op.Bits-1) == 1 {
		value = int64(old | ^uint64(0)<<op.Bits)
	}
	if op.Verb == FieldGet {
		return FieldResult{Value: value}
	}
	base, incr := op.Value, int64(0)
	if op.Verb == FieldIncr {
		base, incr = value, op.Value
	}
	sum, fits := op.add(base, incr)
	if !fits && op.Overflow == OverflowFail {
		return FieldResult{Failed: true}
	}
	fieldSet(window, at, op.Bits, uint64(sum))
	if op.Verb == FieldSet {
		return FieldResult{Value: value}
	}
	return FieldResult{Value: sum}
}

func fieldGet(b []byte, at int64, bits int) (v uint64) {
	for i := range int64(bits) {
		v = v<<1 | uint64(b[(at+i)>>3]>>(7-(at+i)&7)&1)
	}
	return v
}

func fieldSet(b []byte, at int64, bits int, v uint64) {
	for i := range int64(bits) {
		bit := byte(v >> (int64(bits) - 1 - i) & 1)
		shift := 7 - (at+i)&7
		b[(at+i)>>3] = b[(at+i)>>3]&^(1<<shift) | bit<<shift
	}
}

// add returns base + incr as the field holds it, after Overflow; fits is false if
// the true sum is out of its range. A base that is out of range overflows by itself.
func (op *FieldOp) add(base, incr int64) (sum int64, fits bool) {
	if op.Signed {
		return op.addSigned(base, incr)
	}
	high := uint64(1)<<op.Bits - 1
	value := uint64(base)
	wrapped := int64((value + uint64(incr)) & high)
	switch {
	case value > high || incr > 0 && uint64(incr) > high-value:
		if op.Overflow == OverflowSat {
			return int64(high), false
		}
		return wrapped, false
	case incr < 0 && uint64(-incr) > value:
		if op.Overflow == OverflowSat {
			return 0, false
		}
		return wrapped, false
	}
	return wrapped, true
}

func (op *FieldOp) addSigned(base, incr int64) (sum int64, fits bool) {
	high := int64(1)<<(op.Bits-1) - 1 // for 64 bits too: the shift wraps
	low := -high - 1
	shift := 64 - op.Bits
	wrapped := (base + incr) << shift >> shift
	switch {
	case base > high || incr > 0 && base > high-incr:
		if op.Overflow == OverflowSat {
			return high, false
		}
		return wrapped, false
	case base < low || incr < 0 && base < low-incr:
		if op.Overflow == OverflowSat {
			return low, false
		}
		return wrapped, false
	}
	return wrapped, true
}
