package pieces

import "slices"

// Size is how many bytes are copied at a time.
const Size = 256 << 10

// copyPiece is a call of its own because the runtime stops goroutines where functions
// begin: a loop around copy would hardly ever be found outside of it.
//
//go:noinline
func copyPiece(dst, src []byte) int { return copy(dst, src) }

// Copy is copy, of slices that do not overlap.
func Copy(dst, src []byte) int {
	n := 0
	for size := min(len(dst), len(src)); n < size; {
		n += copyPiece(dst[n:size], src[n:min(n+Size, size)])
	}
	return n
}

// Grow is slices.Grow: it returns b with room for n more bytes.
func Grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	return grow(b, n)
}

func grow(b []byte, n int) []byte {
	if len(b) <= Size {
		return slices.Grow(b, n)
	}
	grown := make([]byte, len(b), max(len(b)+n, len(b)+len(b)/2))
	Copy(grown, b)
	return grown
}

// Append is append.
func Append(dst, src []byte) []byte {
	if len(src) <= Size && cap(dst)-len(dst) >= len(src) {
		return append(dst, src...)
	}
	return appendLong(dst, src)
}

func appendLong(dst, src []byte) []byte {
	dst = Grow(dst, len(src))
	from := len(dst)
	dst = dst[:from+len(src)]
	Copy(dst[from:], src)
	return dst
}
