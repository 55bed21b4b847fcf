package dump

import (
	"encoding/binary"
	"strconv"
)

// The packed forms of Redis before 7, which its DUMP payloads of old may hold.

// ziplist appends the elements of a ziplist, checking every byte of it:
//
//	ziplist  = size(u32) tail(u32) count(u16) element* FF    tail = offset of the last
//	element  = previous body                                 element, or of FF
//	previous = n | FE n(u32)                                 size of the element before
func (r *reader) ziplist(items [][]byte, zl []byte) [][]byte {
	const head = 10
	if len(zl) < head+1 || uint64(binary.LittleEndian.Uint32(zl)) != uint64(len(zl)) || zl[len(zl)-1] != 0xFF {
		r.fail()
		return nil
	}
	e := &reader{rest: zl[head : len(zl)-1]}
	count, before, tail := 0, 0, head
	for ; len(e.rest) > 0; count++ {
		start := len(e.rest)
		previous := uint64(e.byte())
		if previous == 0xFE {
			if b := e.take(4); b != nil {
				previous = uint64(binary.LittleEndian.Uint32(b))
			}
		}
		items = append(items, e.ziplistBody())
		if e.bad || previous != uint64(before) {
			r.fail()
			return nil
		}
		tail = len(zl) - 1 - start
		before = start - len(e.rest)
	}
	if n := int(binary.LittleEndian.Uint16(zl[8:])); n != 0xFFFF && n != count || int(binary.LittleEndian.Uint32(zl[4:])) != tail {
		r.fail()
		return nil
	}
	return items
}

// ziplistBody reads the body of an element, a string or an integer.
func (r *reader) ziplistBody() []byte {
	c := r.byte()
	switch c >> 6 {
	case 0:
		return r.take(uint64(c))
	case 1:
		return r.take(uint64(c&0x3F)<<8 | uint64(r.byte()))
	case 2:
		b := r.take(4)
		if c != 0x80 || b == nil {
			r.fail()
			return nil
		}
		return r.take(uint64(binary.BigEndian.Uint32(b)))
	}
	switch c {
	case 0xC0:
		return r.integer(2)
	case 0xD0:
		return r.integer(4)
	case 0xE0:
		return r.integer(8)
	case 0xF0:
		return r.integer(3)
	case 0xFE:
		return r.integer(1)
	}
	if 0xF1 <= c && c <= 0xFD {
		return strconv.AppendInt(nil, int64(c)-0xF1, 10)
	}
	r.fail()
	return nil
}

// integer reads a little-endian integer of the given width as text.
func (r *reader) integer(width int) []byte {
	b := r.take(uint64(width))
	if b == nil {
		return nil
	}
	var v uint64
	for i := width - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	shift := 64 - 8*width
	return strconv.AppendInt(nil, int64(v<<shift)>>shift, 10)
}

// zipmap reads the hash form of Redis 2.4 and before:
//
//	zipmap = count(1) (length field length free(1) value free*)* FF
//	length = n | FE n(u32)           n ≤ 253; count 254 or more = not known
func (r *reader) zipmap(zm []byte) (items [][]byte) {
	e := &reader{rest: zm}
	count := int(e.byte())
	for !e.bad && (len(e.rest) != 1 || e.rest[0] != 0xFF) {
		field := e.take(e.zipmapLength())
		n := e.zipmapLength()
		free := e.byte()
		value := e.take(n)
		e.take(uint64(free))
		items = append(items, field, value)
	}
	if e.bad || count < 254 && count != len(items)/2 {
		r.fail()
		return nil
	}
	return items
}

func (r *reader) zipmapLength() uint64 {
	switch c := r.byte(); c {
	case 0xFE:
		if b := r.take(4); b != nil {
			return uint64(binary.LittleEndian.Uint32(b))
		}
		return 0
	case 0xFF:
		r.fail()
		return 0
	default:
		return uint64(c)
	}
}

// intset reads a sorted array of integers of one width:
//
//	intset = width(u32) count(u32) integer*
func (r *reader) intset(is []byte) (items [][]byte) {
	if len(is) < 8 {
		r.fail()
		return nil
	}
	width, count := binary.LittleEndian.Uint32(is), binary.LittleEndian.Uint32(is[4:])
	if width != 2 && width != 4 && width != 8 || uint64(width)*uint64(count) != uint64(len(is)-8) {
		r.fail()
		return nil
	}
	e := &reader{rest: is[8:]}
	for range count {
		items = append(items, e.integer(int(width)))
	}
	return items
}
