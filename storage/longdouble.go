package storage

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// LongDouble is a number as INCRBYFLOAT and HINCRBYFLOAT count: C's long double of
// x86-64, whose 64 bits of mantissa decide what users see after repeated additions.
// The zero value is 0.
type LongDouble struct {
	f   big.Float // 64 bits, to nearest even; its exponent range is checked here
	inf bool
}

const (
	longDoubleBits = 64
	longDoubleMax  = 16384  // largest binary exponent of a mantissa in [½, 1)
	longDoubleMin  = -16444 // that of the smallest denormal
	// Texts of this length or more are refused, as by Redis.
	maxLongDoubleText = 5 * 1024
)

// ParseLongDouble reads what C's strtold reads, spaces and NaN excepted.
func ParseLongDouble(text []byte) (LongDouble, bool) {
	var v LongDouble
	if len(text) == 0 || len(text) >= maxLongDoubleText {
		return v, false
	}
	s := string(text)
	body := strings.TrimLeft(s[:1], "+-") + s[1:]
	if strings.EqualFold(body, "inf") || strings.EqualFold(body, "infinity") {
		v.inf = true
		v.f.SetInf(s[0] == '-')
		return v, true
	}
	hex := len(body) > 2 && (body[:2] == "0x" || body[:2] == "0X")
	exponent, ok := scanFloat(body, hex)
	if !ok {
		return v, false
	}
	v.f.SetPrec(longDoubleBits).SetMode(big.ToNearestEven)
	if hex || exponent < -6000 || exponent > 6000 {
		// Far outside the range of a long double, or exact: no rounding to get right.
		if _, _, err := v.f.Parse(s, 0); err != nil {
			return v, false
		}
	} else {
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			return v, false
		}
		v.f.SetRat(r)
	}
	if v.f.IsInf() || v.f.MantExp(nil) > longDoubleMax {
		return v, false
	}
	if v.f.Sign() != 0 && v.f.MantExp(nil) < longDoubleMin {
		return v, false
	}
	return v, true
}

// scanFloat checks the syntax of an unsigned C floating-point number and returns
// its exponent part.
func scanFloat(s string, hex bool) (exponent int64, ok bool) {
	mark := "eE"
	if hex {
		s, mark = s[2:], "pP"
	}
	digits, dot := 0, false
	i := 0
	for ; i < len(s); i++ {
		c := s[i]
		switch {
		case '0' <= c && c <= '9', hex && ('a' <= c|0x20 && c|0x20 <= 'f'):
			digits++
			continue
		case c == '.' && !dot:
			dot = true
			continue
		}
		break
	}
	if digits == 0 {
		return 0, false
	}
	if i == len(s) {
		return 0, true
	}
	if !strings.ContainsRune(mark, rune(s[i])) {
		return 0, false
	}
	rest := s[i+1:]
	unsigned := strings.TrimLeft(rest[:min(1, len(rest))], "+-") + rest[min(1, len(rest)):]
	if unsigned == "" || strings.Trim(unsigned, "0123456789") != "" {
		return 0, false
	}
	exponent, err := strconv.ParseInt(rest, 10, 32)
	if err != nil { // so large that only its sign matters
		exponent = 1 << 30
		if rest[0] == '-' {
			exponent = -exponent
		}
	}
	return exponent, true
}

// Ceil returns the least integer that is not below a·times; ok is false if it is
// above the range of int64, and what is below it is its least.
func (a LongDouble) Ceil(times int64) (n int64, ok bool) {
	if a.inf {
		return math.MinInt64, a.f.Sign() < 0
	}
	product := new(big.Float).SetPrec(longDoubleBits).SetInt64(times)
	product.Mul(product, &a.f)
	n, accuracy := product.Int64()
	if accuracy == big.Below && n == math.MaxInt64 {
		return 0, false
	}
	if accuracy == big.Below { // truncation is towards zero
		n++
	}
	return n, true
}

// IsFinite reports whether a is a number other than an infinity.
func (a LongDouble) IsFinite() bool { return !a.inf }

// Add returns a+b; ok is false if that is infinite or not a number.
func (a LongDouble) Add(b LongDouble) (sum LongDouble, ok bool) {
	if a.inf || b.inf {
		return sum, false
	}
	sum.f.SetPrec(longDoubleBits).SetMode(big.ToNearestEven)
	sum.f.Add(&a.f, &b.f)
	return sum, sum.f.Sign() == 0 || sum.f.MantExp(nil) <= longDoubleMax
}

// Append appends the text that Redis stores: 17 digits after the point, without
// trailing zeros.
func (a LongDouble) Append(dst []byte) []byte {
	from := len(dst)
	dst = a.f.Append(dst, 'f', 17)
	end := len(dst)
	for dst[end-1] == '0' {
		end--
	}
	if dst[end-1] == '.' {
		end--
	}
	dst = dst[:end]
	if string(dst[from:]) == "-0" {
		dst = append(dst[:from], '0')
	}
	return dst
}
