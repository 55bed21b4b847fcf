package listpack

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// The format is that of "Listpack specification" (S. Sanfilippo, 2017); integers
// are little endian unless said otherwise. It has no version byte: it is Redis's.
//
//	listpack = size(u32) count(u16) element* FF     size of the whole, in bytes;
//	                                                count FFFF = more than fit, count them
//	element  = body backlen
//	body     = 0vvvvvvv                             integer 0…127
//	         | 10llllll bytes                       string of up to 63 bytes
//	         | 110vvvvv v                           integer of 13 bits, high bits first
//	         | 1110llll l bytes                     string of up to 4095 bytes, high bits first
//	         | F0 l(u32) bytes                      string
//	         | F1 v(i16) | F2 v(i24) | F3 v(i32) | F4 v(i64)
//	backlen  = length of body, 7 bits a byte, most significant first; all bytes
//	           but the first have the high bit set, so that it can be read backwards
const (
	// HeaderSize is the offset of the first element.
	HeaderSize = 6

	end     = 0xFF
	unknown = 0xFFFF // in count

	// MinSize is the size of a listpack without elements.
	MinSize = HeaderSize + 1
)

// ErrCorrupt is returned for bytes that are not a listpack.
var ErrCorrupt = errors.New("listpack: corrupt")

// Element is one decoded element.
type Element struct {
	Bytes []byte // aliases the listpack; nil for an integer
	Int   int64
	IsInt bool
}

// Append appends the element as the string that was put in.
func (e Element) Append(dst []byte) []byte {
	if e.IsInt {
		return strconv.AppendInt(dst, e.Int, 10)
	}
	return append(dst, e.Bytes...)
}

// Len returns the length of the element as a string.
func (e Element) Len() int {
	if !e.IsInt {
		return len(e.Bytes)
	}
	n, v := 1, uint64(e.Int)
	if e.Int < 0 {
		n, v = 2, -v
	}
	for ; v >= 10; v /= 10 {
		n++
	}
	return n
}

// ParseInt reports whether b is the decimal form that Redis would print of an
// int64; only those become integers in a listpack.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	digits, negative := b, b[0] == '-'
	if negative {
		digits = b[1:]
	}
	if len(digits) == 0 || digits[0] == '0' && (len(digits) > 1 || negative) {
		return 0, false
	}
	var v uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := uint64(c - '0')
		if v > (1<<63)/10 || v*10 > 1<<63-d {
			return 0, false
		}
		v = v*10 + d
	}
	if negative {
		return int64(-v), true
	}
	return int64(v), v < 1<<63
}

// decode decodes the element at the start of b; size is that of its body, 0 if b
// does not start with one.
func decode(b []byte) (e Element, size int) {
	if len(b) == 0 {
		return e, 0
	}
	c := b[0]
	switch {
	case c < 0x80:
		return Element{Int: int64(c), IsInt: true}, 1
	case c < 0xC0:
		return text(b, 1, uint64(c&0x3F))
	case c < 0xE0:
		if len(b) < 2 {
			return e, 0
		}
		return Element{Int: int64(int16(uint16(c)<<11|uint16(b[1])<<3) >> 3), IsInt: true}, 2
	case c < 0xF0:
		if len(b) < 2 {
			return e, 0
		}
		return text(b, 2, uint64(c&0x0F)<<8|uint64(b[1]))
	case c == 0xF0:
		if len(b) < 5 {
			return e, 0
		}
		return text(b, 5, uint64(binary.LittleEndian.Uint32(b[1:])))
	case c <= 0xF4:
		return integer(b, [4]int{2, 3, 4, 8}[c-0xF1])
	}
	return e, 0
}

func text(b []byte, head int, n uint64) (Element, int) {
	if uint64(len(b)-head) < n {
		return Element{}, 0
	}
	size := head + int(n)
	return Element{Bytes: b[head:size:size]}, size
}

func integer(b []byte, width int) (Element, int) {
	if len(b) < 1+width {
		return Element{}, 0
	}
	var v uint64
	for i := width; i > 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	shift := 64 - 8*width
	return Element{Int: int64(v<<shift) >> shift, IsInt: true}, 1 + width
}

// backlen returns how many bytes the backlen of a body of n bytes takes. (The odd
// bounds are Redis's; it refuses a listpack with others.)
func backlen(n int) int {
	switch {
	case n <= 127:
		return 1
	case n < 16383:
		return 2
	case n < 2097151:
		return 3
	case n < 268435455:
		return 4
	}
	return 5
}

func putBacklen(dst []byte, n int) {
	for i := len(dst) - 1; i > 0; i-- {
		dst[i] = byte(n) | 0x80
		n >>= 7
	}
	dst[0] = byte(n & 0x7F)
}

// bodySize returns the size of the body of b as an element, and its value if it
// is an integer.
func bodySize(b []byte) (size int, v int64, isInt bool) {
	if v, ok := ParseInt(b); ok {
		switch {
		case 0 <= v && v <= 127:
			return 1, v, true
		case -4096 <= v && v <= 4095:
			return 2, v, true
		case -1<<15 <= v && v < 1<<15:
			return 3, v, true
		case -1<<23 <= v && v < 1<<23:
			return 4, v, true
		case -1<<31 <= v && v < 1<<31:
			return 5, v, true
		}
		return 9, v, true
	}
	switch n := len(b); {
	case n < 64:
		return 1 + n, 0, false
	case n < 4096:
		return 2 + n, 0, false
	default:
		return 5 + n, 0, false
	}
}

// putBody encodes b into dst, whose length is its body size.
func putBody(dst, b []byte, v int64, isInt bool) {
	switch {
	case !isInt:
		putText(dst, b)
	case len(dst) == 1:
		dst[0] = byte(v)
	case len(dst) == 2:
		dst[0], dst[1] = 0xC0|byte(v>>8)&0x1F, byte(v)
	default:
		dst[0] = intMark(len(dst))
		for i := 1; i < len(dst); i++ {
			dst[i] = byte(v)
			v >>= 8
		}
	}
}

func intMark(size int) byte {
	if size == 9 {
		return 0xF4
	}
	return 0xF1 + byte(size-3)
}

func putText(dst, b []byte) {
	switch n := len(b); {
	case n < 64:
		dst[0] = 0x80 | byte(n)
	case n < 4096:
		dst[0], dst[1] = 0xE0|byte(n>>8), byte(n)
	default:
		dst[0] = 0xF0
		binary.LittleEndian.PutUint32(dst[1:], uint32(n))
	}
	copy(dst[len(dst)-len(b):], b)
}
