package listpack

import (
	"encoding/binary"
	"slices"
)

// New appends a listpack without elements to dst. Only at the start of a slice is
// it of use to the functions that change listpacks.
func New(dst []byte) []byte {
	return append(dst, MinSize, 0, 0, 0, 0, 0, end)
}

// ElementSize returns how many bytes of a listpack the string b takes.
func ElementSize(b []byte) int {
	size, _, _ := bodySize(b)
	return size + backlen(size)
}

// Push appends an element and returns the changed listpack, perhaps in other memory.
func Push(lp, b []byte) []byte {
	return Replace(lp, len(lp)-1, len(lp)-1, b)
}

// Replace puts b in the place of the elements between the offsets at and to: none
// to insert, one to replace it. Like append, it returns the changed listpack,
// which is in the same memory if its capacity is enough.
func Replace(lp []byte, at, to int, b []byte) []byte {
	size, v, isInt := bodySize(b)
	whole := size + backlen(size)
	removed := countBetween(lp, at, to)
	lp = resize(lp, at, to, whole)
	putBody(lp[at:at+size], b, v, isInt)
	putBacklen(lp[at+size:at+whole], size)
	finish(lp, 1-removed)
	return lp
}

// Remove takes out the elements between the offsets at and to.
func Remove(lp []byte, at, to int) []byte {
	removed := countBetween(lp, at, to)
	lp = resize(lp, at, to, 0)
	finish(lp, -removed)
	return lp
}

// resize makes the bytes from at to to n bytes, and moves what follows.
func resize(lp []byte, at, to, n int) []byte {
	old := len(lp)
	if grow := n - (to - at); grow > 0 {
		lp = slices.Grow(lp, grow)[:old+grow]
		copy(lp[at+n:], lp[to:old])
		return lp
	}
	copy(lp[at+n:], lp[to:])
	return lp[:old+n-(to-at)]
}

func countBetween(lp []byte, at, to int) int {
	n := 0
	for at < to {
		_, size := decode(lp[at:to])
		if size == 0 {
			panic("listpack: change of a corrupt listpack")
		}
		at += size + backlen(size)
		n++
	}
	return n
}

// finish corrects the header after the number of elements changed by delta.
func finish(lp []byte, delta int) {
	binary.LittleEndian.PutUint32(lp, uint32(len(lp)))
	count := binary.LittleEndian.Uint16(lp[4:])
	if count == unknown {
		if delta >= 0 {
			return
		}
		count = uint16(min(recount(lp), unknown))
	} else {
		count = uint16(min(int(count)+delta, unknown))
	}
	binary.LittleEndian.PutUint16(lp[4:], count)
}

func recount(lp []byte) int {
	n := 0
	for c := Walk(lp); ; n++ {
		if _, ok := c.Next(); !ok {
			return n
		}
	}
}
