package resp

import (
	"math"
	"strconv"
)

// AppendDouble prints f as Redis 7.2 replies it: integers up to 2⁵² as they are,
// everything else as the shortest digits that read back as f, in the layout of
// its fpconv: plain when the exponent is small, else d.ddde±x.
func AppendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	case f == 0 && math.Signbit(f):
		return append(dst, "-0"...)
	case f == math.Trunc(f) && math.Abs(f) <= 1<<52:
		return strconv.AppendInt(dst, int64(f), 10)
	}
	var room [32]byte
	text := strconv.AppendFloat(room[:0], f, 'e', -1, 64) // [-]d[.ddd]e±xx
	if text[0] == '-' {
		dst, text = append(dst, '-'), text[1:]
	}
	mark := len(text) - 1
	for text[mark] != 'e' {
		mark--
	}
	exp, _ := strconv.Atoi(string(text[mark+1:]))
	var digits [20]byte
	n := copy(digits[:], text[:1])
	if mark > 2 {
		n += copy(digits[1:], text[2:mark])
	}
	return layoutDouble(dst, digits[:n], exp)
}

// layoutDouble prints digits d₁d₂… with value d₁.d₂… × 10^exp.
func layoutDouble(dst, digits []byte, exp int) []byte {
	n := len(digits)
	scale := exp - n + 1 // value = digits × 10^scale
	size := max(exp, -exp)
	switch {
	case scale >= 0 && size < n+7:
		dst = append(dst, digits...)
		for range scale {
			dst = append(dst, '0')
		}
		return dst
	case scale < 0 && (scale > -7 || size < 4):
		point := n + scale
		if point > 0 {
			dst = append(dst, digits[:point]...)
			dst = append(dst, '.')
			return append(dst, digits[point:]...)
		}
		dst = append(dst, "0."...)
		for range -point {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if n > 1 {
		dst = append(dst, '.')
		dst = append(dst, digits[1:]...)
	}
	dst = append(dst, 'e')
	if exp >= 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}
