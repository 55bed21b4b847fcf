package hyperloglog

import (
	"encoding/binary"
	"errors"
)

// The format is that of Redis since 2.8.9 (hyperloglog.c); it has no version byte.
//
//	sketch = "HYLL" encoding(1) 0(3) card(u64 LE) registers
//	card   = the estimate, if bit 63 is 0; else it has to be counted again
//	dense (encoding 0): 16384 registers of 6 bits, low bits first
//	sparse (encoding 1), of runs of registers:
//	         00nnnnnn           n+1 that are 0
//	       | 01nnnnnn n         n+1 that are 0, n of 14 bits, high bits first
//	       | 1vvvvvnn           n+1 that are v+1
const (
	headerSize    = 16
	registerBits  = 6
	registerCount = 1 << indexBits
	indexBits     = 14
	rankBits      = 64 - indexBits // a rank is at most this and 1
	denseSize     = headerSize + registerCount*registerBits/8

	dense  = 0
	sparse = 1

	maxZeros  = 64
	maxRun    = 4
	maxValue  = 32
	stale     = 0x80 // in the last byte of card
	staleByte = 15
)

// ErrCorrupt is returned for a sketch whose registers make no sense.
var ErrCorrupt = errors.New("hyperloglog: corrupt")

// New returns a sketch of nothing, sparse.
func New() []byte {
	b := make([]byte, headerSize, headerSize+2)
	copy(b, "HYLL")
	b[4] = sparse
	return appendZeros(b, registerCount)
}

// Valid reports whether b can be a sketch: it has the header and, if it is dense,
// the size. Sparse registers are not looked at.
func Valid(b []byte) bool {
	return len(b) >= headerSize && string(b[:4]) == "HYLL" && (b[4] == sparse || b[4] == dense && len(b) == denseSize)
}

// Sparse reports whether a sketch is sparse.
func Sparse(b []byte) bool { return b[4] == sparse }

// Cached returns the estimate that stands in the header; ok says whether it counts.
func Cached(b []byte) (n uint64, ok bool) {
	return binary.LittleEndian.Uint64(b[8:]), b[staleByte]&stale == 0
}

// SetCached puts an estimate into the header.
func SetCached(b []byte, n uint64) { binary.LittleEndian.PutUint64(b[8:], n) }

// Forget marks the estimate in the header as one that does not count.
func Forget(b []byte) { b[staleByte] |= stale }

// run is a decoded opcode.
type run struct {
	value uint8 // of its registers
	count int   // of registers
	size  int   // of the opcode
}

// decode decodes the opcode at the start of b; its count is 0 if there is none.
func decode(b []byte) run {
	switch {
	case len(b) == 0:
		return run{}
	case b[0]&0x80 != 0:
		return run{b[0]>>2&31 + 1, int(b[0]&3) + 1, 1}
	case b[0]&0x40 == 0:
		return run{0, int(b[0]&63) + 1, 1}
	case len(b) == 1:
		return run{}
	}
	return run{0, int(b[0]&63)<<8 + int(b[1]) + 1, 2}
}

func appendZeros(dst []byte, n int) []byte {
	switch {
	case n == 0:
		return dst
	case n <= maxZeros:
		return append(dst, byte(n-1))
	}
	return append(dst, 0x40|byte((n-1)>>8), byte(n-1))
}

func appendValue(dst []byte, value uint8, n int) []byte {
	if n == 0 {
		return dst
	}
	return append(dst, 0x80|(value-1)<<2|byte(n-1))
}

func getRegister(registers []byte, i int) uint8 {
	at, shift := i*registerBits/8, i*registerBits&7
	v := registers[at] >> shift
	if shift > 8-registerBits {
		v |= registers[at+1] << (8 - shift)
	}
	return v & (1<<registerBits - 1)
}

func setRegister(registers []byte, i int, value uint8) {
	const mask = 1<<registerBits - 1
	at, shift := i*registerBits/8, i*registerBits&7
	registers[at] = registers[at]&^(mask<<shift) | value<<shift
	if shift > 8-registerBits {
		registers[at+1] = registers[at+1]&^(mask>>(8-shift)) | value>>(8-shift)
	}
}
