package storage

import (
	"math"
	"strconv"
	"strings"

	"cobble/storage/listpack"
)

// ParseInt reads a decimal integer as Redis does where it must be exact: an
// optional minus sign and digits without leading zeros, nothing else, within int64.
func ParseInt(b []byte) (int64, bool) { return listpack.ParseInt(b) }

// addInts adds two integers; ok is false if the sum is too large for one.
func addInts(n, by int64) (sum int64, ok bool) {
	sum = n + by
	return sum, by == 0 || (sum > n) == (by > 0)
}

// ParseDouble reads a floating-point number as Redis does: what C's strtod takes
// whole, without blanks before it, a NaN, or a number too large or too small for a
// double.
func ParseDouble(text []byte) (float64, bool) {
	if len(text) > 0 && len(text) < 16 { // integers up to 10^15 are exact
		if n, ok := ParseInt(text); ok && (n != 0 || text[0] != '-') {
			return float64(n), true
		}
	}
	f, inRange, ok := Strtod(text)
	return f, ok && inRange
}

// Strtod reads a floating-point number as C's strtod does if that takes all of text,
// NaN excepted. A number out of range becomes an infinity or zero, and inRange is
// false.
func Strtod(text []byte) (f float64, inRange, ok bool) {
	if len(text) == 0 {
		return 0, false, false
	}
	s := string(text)
	body := strings.TrimLeft(s[:1], "+-") + s[1:]
	if strings.EqualFold(body, "inf") || strings.EqualFold(body, "infinity") {
		f = math.Inf(1)
		if s[0] == '-' {
			f = -f
		}
		return f, true, true
	}
	hex := len(body) > 2 && (body[:2] == "0x" || body[:2] == "0X")
	if _, ok := scanFloat(body, hex); !ok {
		return 0, false, false
	}
	if hex && !strings.ContainsAny(s, "pP") {
		s += "p0"
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false, false
	}
	return f, err == nil && (f != 0 || isZero(body, hex)), true
}

// isZero reports whether a number's text has no digit but zeros before its exponent.
func isZero(body string, hex bool) bool {
	digits, marks := body, "eE"
	if hex {
		digits, marks = body[2:], "pP"
	}
	if i := strings.IndexAny(digits, marks); i >= 0 {
		digits = digits[:i]
	}
	return strings.Trim(digits, "0.") == ""
}
