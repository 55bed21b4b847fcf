package intset

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"
)

// The format is Redis's, and has no version byte; integers are little endian:
//
//	intset = width(u32) count(u32) integer*     width 2, 4 or 8 bytes, that of all
//	                                            integers; ascending, no two the same
//
// An integer that needs it widens all of them; removals narrow nothing.
const headerSize = 8

// New appends an intset without integers to dst. Only at the start of a slice is
// it of use to the functions that change intsets.
func New(dst []byte) []byte { return append(dst, 2, 0, 0, 0, 0, 0, 0, 0) }

// Valid reports whether the header fits the bytes. It does not look at the order.
func Valid(is []byte) bool {
	if len(is) < headerSize {
		return false
	}
	w := binary.LittleEndian.Uint32(is)
	return (w == 2 || w == 4 || w == 8) && uint64(len(is)-headerSize) == uint64(w)*uint64(binary.LittleEndian.Uint32(is[4:]))
}

// Len returns the number of integers.
func Len(is []byte) int { return int(binary.LittleEndian.Uint32(is[4:])) }

// At returns the i-th smallest integer.
func At(is []byte, i int) int64 { return load(is, width(is), i) }

func width(is []byte) int { return int(is[0]) }

func load(is []byte, w, i int) int64 {
	b := is[headerSize+i*w:]
	switch w {
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

func store(is []byte, w, i int, v int64) {
	b := is[headerSize+i*w:]
	switch w {
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, uint64(v))
	}
}

func widthOf(v int64) int {
	switch {
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return 2
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return 4
	}
	return 8
}

// Find returns the place of v, or the one where it would stand.
func Find(is []byte, v int64) (at int, found bool) {
	n, w := Len(is), width(is)
	if n > 0 && v > load(is, w, n-1) { // integers often come in order
		return n, false
	}
	at = sort.Search(n, func(i int) bool { return load(is, w, i) >= v })
	return at, at < n && load(is, w, at) == v
}

// Insert puts v at the place that Find told and returns the changed intset, which
// is in the same memory if its capacity is enough.
func Insert(is []byte, at int, v int64) []byte {
	n, w := Len(is), width(is)
	wide := max(w, widthOf(v))
	is = slices.Grow(is, (n+1)*wide-n*w)[:headerSize+(n+1)*wide]
	if wide == w {
		copy(is[headerSize+(at+1)*w:], is[headerSize+at*w:headerSize+n*w])
	} else {
		is[0] = byte(wide)
		for i := n - 1; i >= 0; i-- {
			to := i
			if i >= at {
				to++
			}
			store(is, wide, to, load(is, w, i))
		}
	}
	store(is, wide, at, v)
	binary.LittleEndian.PutUint32(is[4:], uint32(n+1))
	return is
}

// Remove takes out the i-th smallest integer.
func Remove(is []byte, i int) []byte {
	n, w := Len(is), width(is)
	copy(is[headerSize+i*w:], is[headerSize+(i+1)*w:])
	binary.LittleEndian.PutUint32(is[4:], uint32(n-1))
	return is[:headerSize+(n-1)*w]
}
