package listpack

import (
	"bytes"
	"encoding/binary"
)

// Cursor walks a listpack from its first element. The zero value is at the end.
type Cursor struct {
	rest []byte
	at   int
	err  bool
}

// Walk returns a cursor over lp.
func Walk(lp []byte) Cursor {
	if len(lp) < MinSize {
		return Cursor{err: true}
	}
	return Cursor{rest: lp[HeaderSize:], at: HeaderSize}
}

// WalkFrom returns a cursor over the elements from an offset on, which At returned.
func WalkFrom(lp []byte, at int) Cursor {
	if at < HeaderSize || at >= len(lp) {
		return Cursor{err: true}
	}
	return Cursor{rest: lp[at:], at: at}
}

// Next returns the next element; ok is false at the end and at corrupt bytes,
// which Err tells apart.
func (c *Cursor) Next() (e Element, ok bool) {
	if text, ok := c.short(); ok {
		return Element{Bytes: text}, true
	}
	if len(c.rest) <= 1 {
		c.err = c.err || len(c.rest) == 0 || c.rest[0] != end
		return e, false
	}
	e, size := decode(c.rest)
	size += backlen(size)
	if size <= 1 || size >= len(c.rest) {
		c.err, c.rest = true, nil
		return Element{}, false
	}
	c.rest, c.at = c.rest[size:], c.at+size
	return e, true
}

// short is Next of a short string; false if the next element is something else.
func (c *Cursor) short() (text []byte, ok bool) {
	if len(c.rest) <= 1 || c.rest[0]&0xC0 != 0x80 {
		return nil, false
	}
	n := 1 + int(c.rest[0]&0x3F)
	if n+1 >= len(c.rest) {
		return nil, false
	}
	text = c.rest[1:n:n]
	c.rest, c.at = c.rest[n+1:], c.at+n+1
	return text, true
}

// Text returns the next element as a string; the text of an integer is appended to
// digits. ok is as in Next.
func (c *Cursor) Text(digits []byte) (text []byte, ok bool) {
	if text, ok = c.short(); ok {
		return text, true
	}
	e, ok := c.Next()
	if e.IsInt {
		return e.Append(digits), ok
	}
	return e.Bytes, ok
}

// At returns the offset in the listpack of the element that Next returns next.
func (c *Cursor) At() int { return c.at }

// Err returns ErrCorrupt if the walk met bytes that are not a listpack.
func (c *Cursor) Err() error {
	if c.err {
		return ErrCorrupt
	}
	return nil
}

// Count returns the number of elements.
func Count(lp []byte) int {
	if len(lp) < MinSize {
		return 0
	}
	if n := binary.LittleEndian.Uint16(lp[4:]); n != unknown {
		return int(n)
	}
	n := 0
	for c := Walk(lp); ; n++ {
		if _, ok := c.Next(); !ok {
			return n
		}
	}
}

// Needle is a string to be found, parsed once for all comparisons.
type Needle struct {
	bytes []byte
	value int64
	isInt bool
}

// Find prepares a search for b.
func Find(b []byte) Needle {
	v, ok := ParseInt(b)
	return Needle{b, v, ok}
}

// Matches reports whether e is the string looked for. A string that could have
// been an integer but was not stored as one matches too: others write such.
func (n *Needle) Matches(e Element) bool {
	if e.IsInt {
		return n.isInt && n.value == e.Int
	}
	return bytes.Equal(n.bytes, e.Bytes)
}

// Pair finds key among the elements at even positions, as in a hash or a zset. It
// returns the element after it and the offsets where the two begin and end.
func Pair(lp, key []byte) (value Element, at PairAt, found bool, err error) {
	if len(lp) < MinSize || lp[len(lp)-1] != end {
		return value, at, false, ErrCorrupt
	}
	needle := Find(key)
	for next := HeaderSize; next < len(lp)-1; {
		at.Key = next
		var match, ok bool
		if n := short(lp, next); n > 0 {
			next += n + 1
			match = string(lp[at.Key+1:next-1]) == string(key)
		} else {
			var e Element
			if e, next, ok = step(lp, next); !ok {
				return value, at, false, ErrCorrupt
			}
			match = needle.Matches(e)
		}
		at.Value = next
		if n := short(lp, next); n > 0 && !match {
			next += n + 1
			continue
		}
		if value, next, ok = step(lp, next); !ok {
			return value, at, false, ErrCorrupt
		}
		if match {
			at.End = next
			return value, at, true, nil
		}
	}
	return Element{}, at, false, nil
}

// Index finds an element, and returns the offsets where it begins and ends.
func Index(lp, element []byte) (from, to int, found bool, err error) {
	if len(lp) < MinSize || lp[len(lp)-1] != end {
		return 0, 0, false, ErrCorrupt
	}
	needle := Find(element)
	for next := HeaderSize; next < len(lp)-1; {
		from = next
		if n := short(lp, next); n > 0 {
			next += n + 1
			if string(lp[from+1:next-1]) == string(element) {
				return from, next, true, nil
			}
			continue
		}
		e, after, ok := step(lp, next)
		if !ok {
			return 0, 0, false, ErrCorrupt
		}
		if next = after; needle.Matches(e) {
			return from, next, true, nil
		}
	}
	return 0, 0, false, nil
}

// short returns the size of the body at an offset if that is a short string and
// there is something after it; its backlen is one byte.
func short(lp []byte, at int) int {
	if c := lp[at]; c&0xC0 == 0x80 {
		if n := 1 + int(c&0x3F); at+n+1 < len(lp) {
			return n
		}
	}
	return 0
}

// step decodes the element at an offset and returns the offset of the next.
func step(lp []byte, at int) (e Element, next int, ok bool) {
	e, size := decode(lp[at:])
	next = at + size + backlen(size)
	return e, next, size > 0 && next < len(lp)
}

// PairAt says where a pair of elements is.
type PairAt struct{ Key, Value, End int }

// Validate checks every byte of a listpack that came from outside.
func Validate(lp []byte) error {
	if len(lp) < MinSize || uint64(binary.LittleEndian.Uint32(lp)) != uint64(len(lp)) || lp[len(lp)-1] != end {
		return ErrCorrupt
	}
	count, rest := 0, lp[HeaderSize:len(lp)-1]
	var back [5]byte
	for ; len(rest) > 0; count++ {
		_, size := decode(rest)
		n := backlen(size)
		if size == 0 || size+n > len(rest) {
			return ErrCorrupt
		}
		putBacklen(back[:n], size)
		if !bytes.Equal(back[:n], rest[size:size+n]) {
			return ErrCorrupt
		}
		rest = rest[size+n:]
	}
	if n := binary.LittleEndian.Uint16(lp[4:]); n != unknown && int(n) != count {
		return ErrCorrupt
	}
	return nil
}
