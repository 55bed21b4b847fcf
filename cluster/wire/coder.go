package wire

import (
	"encoding/binary"
	"fmt"

	"cobble/cluster"
)

// coder is both halves of the codec: each field is named once, and is written
// when reading is false, read when it is true. Writing stores nothing through
// its arguments, which may be shared; after an error reading stores only zeros.
type coder struct {
	reading bool
	out     []byte // writing: what has been written
	in      []byte // reading: what is left
	err     error
}

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err = err
		c.in = nil
	}
}

func (c *coder) malformed(format string, args ...any) {
	c.fail(fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...)))
}

// take returns the next n bytes of the input, nil after an error.
func (c *coder) take(n int) []byte {
	if c.err != nil {
		return nil
	}
	if len(c.in) < n {
		c.fail(ErrTruncated)
		return nil
	}
	b := c.in[:n]
	c.in = c.in[n:]
	return b
}

func (c *coder) byte(v *byte) {
	if !c.reading {
		c.out = append(c.out, *v)
	} else if b := c.take(1); b != nil {
		*v = b[0]
	}
}

func (c *coder) bool(v *bool) {
	b := byte(0)
	if *v {
		b = 1
	}
	c.byte(&b)
	if c.reading {
		if b > 1 {
			c.malformed("a truth value of %d", b)
		}
		*v = b == 1
	}
}

func (c *coder) uint(v *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *v)
		return
	}
	if c.err != nil {
		return
	}
	n, used := binary.Uvarint(c.in)
	switch {
	case used == 0:
		c.fail(ErrTruncated)
	case used < 0:
		c.malformed("a number beyond 64 bits")
	case used > 1 && c.in[used-1] == 0:
		c.malformed("a number not in its shortest form")
	default:
		*v, c.in = n, c.in[used:]
	}
}

// small reads and writes a number that must not exceed limit.
func (c *coder) small(v *uint64, limit uint64) {
	if !c.reading && *v > limit {
		panic(fmt.Sprintf("wire: %d where at most %d is allowed", *v, limit))
	}
	if !c.reading {
		c.uint(v)
		return
	}
	var n uint64
	c.uint(&n)
	if n > limit {
		c.malformed("%d where at most %d is allowed", n, limit)
		n = 0
	}
	*v = n
}

func (c *coder) port(v *uint16) {
	n := uint64(*v)
	c.small(&n, 65535)
	if c.reading {
		*v = uint16(n)
	}
}

func (c *coder) text(v *string) {
	n := uint64(len(*v))
	c.small(&n, MaxText)
	if !c.reading {
		c.out = append(c.out, *v...)
	} else if b := c.take(int(n)); b != nil {
		*v = string(b)
	}
}

func (c *coder) id(v *cluster.ID) {
	if !c.reading {
		c.out = append(c.out, v[:]...)
	} else if b := c.take(len(v)); b != nil {
		copy(v[:], b)
	}
}

// list codes a slice of at most limit elements of at least size bytes each.
// An empty list is read as nil.
func list[T any](c *coder, v *[]T, limit, size int, element func(*coder, *T)) {
	n := uint64(len(*v))
	c.small(&n, uint64(limit))
	if !c.reading {
		for i := range *v {
			element(c, &(*v)[i])
		}
		return
	}
	if c.err == nil && n > uint64(len(c.in)/size) {
		c.fail(ErrTruncated) // do not make room for what cannot be there
	}
	if c.err != nil || n == 0 {
		return
	}
	s := make([]T, n)
	for i := range s {
		element(c, &s[i])
	}
	if c.err == nil {
		*v = s
	}
}

// maybe codes a pointer that may be nil.
func maybe[T any](c *coder, v **T, what func(*coder, *T)) {
	there := *v != nil
	c.bool(&there)
	if !there || c.err != nil {
		return
	}
	if !c.reading {
		what(c, *v)
		return
	}
	x := new(T)
	what(c, x)
	if c.err == nil {
		*v = x
	}
}

// must codes a pointer that may not be nil.
func must[T any](c *coder, v **T, what func(*coder, *T)) {
	if c.reading {
		*v = new(T)
	} else if *v == nil {
		panic("wire: a part of the message is missing")
	}
	what(c, *v)
}
