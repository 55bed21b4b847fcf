package storage

import (
	"bytes"
	"hash/maphash"
)

// opIndex finds the last operation on a row of a write set: open addressing with
// linear probing, without pointers, eleven to twenty-one bytes for each row.
type opIndex struct {
	cells []uint64 // hash<<32 | operation + 1; 0: empty
	used  int
}

const (
	minIndexCells = 64
	// A larger index is not kept for the next transaction.
	maxKeptCells = 1 << 12
)

var opIndexSeed = maphash.MakeSeed()

func (x *opIndex) clear() {
	if len(x.cells) > maxKeptCells {
		x.cells = nil
	}
	if x.used > 0 {
		clear(x.cells)
	}
	x.used = 0
}

// place returns the cell of a key, which is empty if the key has none.
func (x *opIndex) place(w *writeSet, key []byte, hash uint32) *uint64 {
	mask := uint32(len(x.cells) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		c := &x.cells[i]
		if *c == 0 || uint32(*c>>32) == hash && bytes.Equal(w.keyOf(w.ops[uint32(*c)-1]), key) {
			return c
		}
	}
}

func (x *opIndex) put(w *writeSet, key []byte, op uint32) {
	if (x.used+1)*4 > len(x.cells)*3 {
		x.grow()
	}
	hash := uint32(maphash.Bytes(opIndexSeed, key))
	c := x.place(w, key, hash)
	if *c == 0 {
		x.used++
	}
	*c = uint64(hash)<<32 | uint64(op+1)
}

func (x *opIndex) find(w *writeSet, key []byte) (op int, ok bool) {
	c := *x.place(w, key, uint32(maphash.Bytes(opIndexSeed, key)))
	return int(uint32(c)) - 1, c != 0
}

func (x *opIndex) grow() {
	old := x.cells
	x.cells = make([]uint64, max(minIndexCells, 2*len(old)))
	mask := uint32(len(x.cells) - 1)
	for _, c := range old {
		if c == 0 {
			continue
		}
		i := uint32(c>>32) & mask
		for x.cells[i] != 0 {
			i = (i + 1) & mask
		}
		x.cells[i] = c
	}
}
