package dump

import (
	"encoding/binary"
	"math"
	"strconv"
)

// reader takes a value apart from the front. After a failure everything it
// returns is zero and bad is set.
type reader struct {
	rest []byte
	bad  bool

	version int // of RDB
}

func (r *reader) fail() {
	r.bad, r.rest = true, nil
}

// take returns the next n bytes, aliasing the payload.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	b := r.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

// length reads a length; packed is set if it was the mark of a packed string
// instead, which n then is.
func (r *reader) length() (n uint64, packed bool) {
	c := r.byte()
	switch c >> 6 {
	case 0:
		return uint64(c), false
	case 1:
		return uint64(c&0x3F)<<8 | uint64(r.byte()), false
	case 3:
		return uint64(c & 0x3F), true
	}
	switch c {
	case 0x80:
		if b := r.take(4); b != nil {
			return uint64(binary.BigEndian.Uint32(b)), false
		}
	case 0x81:
		if b := r.take(8); b != nil {
			return binary.BigEndian.Uint64(b), false
		}
	default:
		r.fail()
	}
	return 0, false
}

// size reads a length that is not a packed string.
func (r *reader) size() uint64 {
	n, packed := r.length()
	if packed {
		r.fail()
		return 0
	}
	return n
}

// count reads the number of elements that follow, of at least each bytes, and
// that are more than none: Redis has no empty values.
func (r *reader) count(each uint64) int {
	n := r.size()
	if n == 0 || n > uint64(len(r.rest))/each {
		r.fail()
		return 0
	}
	return int(n)
}

// string reads a string; it aliases the payload unless it was packed.
func (r *reader) string() []byte {
	n, packed := r.length()
	if !packed {
		return r.take(n)
	}
	switch n {
	case 0:
		return strconv.AppendInt(nil, int64(int8(r.byte())), 10)
	case 1:
		if b := r.take(2); b != nil {
			return strconv.AppendInt(nil, int64(int16(binary.LittleEndian.Uint16(b))), 10)
		}
	case 2:
		if b := r.take(4); b != nil {
			return strconv.AppendInt(nil, int64(int32(binary.LittleEndian.Uint32(b))), 10)
		}
	case 3:
		packed, plain := r.size(), r.size()
		if out, ok := unpack(r.take(packed), plain); ok {
			return out
		}
		r.fail()
	default:
		r.fail()
	}
	return nil
}

// unpack decompresses LZF into exactly size bytes. The format is LibLZF's: a byte
// below 32 starts a run of one to 32 literals, another a copy of 3 to 264 bytes
// from up to 8 KiB back.
func unpack(in []byte, size uint64) ([]byte, bool) {
	const most = 264 // what three bytes can become
	if size == 0 || size > MaxString || size > uint64(len(in))*most {
		return nil, false
	}
	out := make([]byte, 0, size)
	for len(in) > 0 {
		c := int(in[0])
		in = in[1:]
		if c < 32 {
			if c+1 > len(in) || len(out)+c+1 > cap(out) {
				return nil, false
			}
			out, in = append(out, in[:c+1]...), in[c+1:]
			continue
		}
		n := c >> 5
		if n == 7 {
			if len(in) == 0 {
				return nil, false
			}
			n, in = n+int(in[0]), in[1:]
		}
		if len(in) == 0 {
			return nil, false
		}
		from := len(out) - (c&0x1F)<<8 - int(in[0]) - 1
		in, n = in[1:], n+2
		if from < 0 || len(out)+n > int(size) {
			return nil, false
		}
		for range n { // the copy may overlap what it makes
			out = append(out, out[from])
			from++
		}
	}
	return out, uint64(len(out)) == size
}

// score reads a binary score.
func (r *reader) score() float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return r.notNaN(math.Float64frombits(binary.LittleEndian.Uint64(b)))
}

// scoreText reads a score of the oldest kind, a short decimal text.
func (r *reader) scoreText() float64 {
	switch n := r.byte(); n {
	case 255:
		return math.Inf(-1)
	case 254:
		return math.Inf(1)
	default: // 253, NaN, is longer than any number and parses as none
		return r.parseScore(r.take(uint64(n)))
	}
}

func (r *reader) parseScore(text []byte) float64 {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		r.fail()
	}
	return r.notNaN(f)
}

func (r *reader) notNaN(f float64) float64 {
	if math.IsNaN(f) {
		r.fail()
		return 0
	}
	return f
}
