package storage

import (
	"encoding/binary"
	"math/bits"

	"cobble/storage/format"
)

// Bit 0 of a string is the highest bit of its first byte. Bits behind the end are 0.

// BitGet returns one bit.
func (tx *Tx) BitGet(key []byte, offset int64) (bool, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return false, err
	}
	return tx.bitAt(&e, offset)
}

func (tx *Tx) bitAt(e *Entry, offset int64) (bool, error) {
	at := offset >> 3
	if at >= stringLen(&e.Meta) {
		return false, nil
	}
	row := e.Meta.Inline
	if e.Meta.Layout != format.Inline {
		var err error
		if row, _, err = tx.getRow(tx.chunkKey(e, e.Meta.OID, at/ChunkSize)); err != nil {
			return false, err
		}
		at %= ChunkSize
	}
	return at < int64(len(row)) && row[at]>>(7-offset&7)&1 == 1, nil
}

// BitSet sets one bit, making the string long enough for it, and returns what it was.
func (tx *Tx) BitSet(key []byte, offset int64, on bool) (was bool, err error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil {
		return false, err
	}
	var one [1]byte
	if e.Live {
		if was, err = tx.bitAt(&e, offset); err != nil {
			return false, err
		}
		if at := offset >> 3; at < stringLen(&e.Meta) {
			if was == on && e.Meta.Enc == format.EncRaw {
				return was, nil
			}
			if err := tx.peek(&e, at, one[:]); err != nil {
				return false, err
			}
		}
	}
	one[0] &^= 1 << (7 - offset&7)
	if on {
		one[0] |= 1 << (7 - offset&7)
	}
	return was, tx.patchString(&e, offset>>3, one[:], format.EncRaw)
}

// peek fills dst with the bytes of a string from a position on, zeros behind its end.
func (tx *Tx) peek(e *Entry, from int64, dst []byte) error {
	clear(dst)
	to := min(from+int64(len(dst)), stringLen(&e.Meta))
	if from >= to {
		return nil
	}
	_, err := tx.appendRange(dst[:0], e, from, to)
	return err
}

// BitRange is a part of a string, as BITCOUNT and BITPOS name it: both ends are
// included, negative ones count from the end.
type BitRange struct {
	First, Last int64
	Bits        bool // they are bit positions, not bytes
	Open        bool // Last was not given: the end of the string
}

// resolve returns the range in bits; ok is false if it is empty.
func (r BitRange) resolve(length int64) (first, last int64, ok bool) {
	if r.Bits {
		length *= 8
	}
	if r.Open {
		r.Last = -1
	}
	first, last, ok = clampRange(r.First, r.Last, length)
	if !r.Bits {
		first, last = first*8, last*8+7
	}
	return first, last, ok
}

// BitCount counts the bits in a range that are set.
func (tx *Tx) BitCount(key []byte, r BitRange) (count int64, err error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil || !e.Live {
		return 0, err
	}
	first, last, ok := r.resolve(stringLen(&e.Meta))
	if !ok || !r.Open && r.First < 0 && r.Last < 0 && r.First > r.Last { // BITPOS has no such rule
		return 0, nil
	}
	err = tx.eachPiece(&e, first>>3, last>>3, func(at int64, piece []byte) bool {
		count += popCount(piece)
		if tx.engine.opts.mutant.bitsByBytes {
			return true
		}
		if at <= first>>3 && first>>3 < at+int64(len(piece)) {
			count -= int64(bits.OnesCount8(piece[first>>3-at] &^ (0xFF >> (first & 7))))
		}
		if at <= last>>3 && last>>3 < at+int64(len(piece)) {
			count -= int64(bits.OnesCount8(piece[last>>3-at] & (1<<(7-last&7) - 1)))
		}
		return true
	})
	return count, err
}

// eachPiece calls f with what is stored of the bytes first to last of a string, in
// order, each with its position, until f returns false. What is left out is zeros.
func (tx *Tx) eachPiece(e *Entry, first, last int64, f func(at int64, piece []byte) bool) error {
	r, err := tx.readChunks(e, first, last+1)
	if err != nil {
		return err
	}
	for idx := first / ChunkSize; idx <= last/ChunkSize; idx++ {
		row, err := r.chunk(idx)
		if err != nil {
			return err
		}
		start := idx * ChunkSize
		from, to := max(first-start, 0), min(last+1-start, int64(len(row)))
		if from < to && !f(start+from, row[from:to]) {
			break
		}
	}
	return r.close()
}

func popCount(b []byte) (n int64) {
	for ; len(b) >= 8; b = b[8:] {
		n += int64(bits.OnesCount64(binary.LittleEndian.Uint64(b)))
	}
	for _, c := range b {
		n += int64(bits.OnesCount8(c))
	}
	return n
}

// BitPos returns the position of the first bit in a range that is on (or off), -1
// if there is none. A key that is not there is all zeros; so is what follows a
// string, unless the range ends before.
func (tx *Tx) BitPos(key []byte, on bool, r BitRange) (int64, error) {
	e, err := tx.LookupType(key, format.String)
	if err != nil {
		return 0, err
	}
	if !e.Live {
		if on {
			return -1, nil
		}
		return 0, nil
	}
	first, last, ok := r.resolve(stringLen(&e.Meta))
	if !ok {
		return -1, nil
	}
	pos := int64(-1)
	next := first >> 3 // all bytes before it are known to have no such bit
	err = tx.eachPiece(&e, first>>3, last>>3, func(at int64, piece []byte) bool {
		if !on && at > next {
			return false // zeros in between
		}
		pos = findBit(piece, at, on, first, last)
		next = at + int64(len(piece))
		return pos < 0
	})
	if err != nil || pos >= 0 || on {
		return pos, err
	}
	if gap := max(first, next*8); gap <= last {
		return gap, nil
	}
	if r.Open {
		return last + 1, nil
	}
	return -1, nil
}

// findBit returns the first bit of a piece at byte position at that is on (or off)
// and within first to last, else -1.
func findBit(piece []byte, at int64, on bool, first, last int64) int64 {
	skip := byte(0)
	if !on {
		skip = 0xFF
	}
	for i, c := range piece {
		if c == skip {
			continue
		}
		base := (at + int64(i)) * 8
		wanted := c ^ skip // the bits looked for are set in it
		if base < first {
			wanted &= 0xFF >> (first - base)
		}
		if pos := base + int64(bits.LeadingZeros8(wanted)); wanted != 0 {
			if pos > last {
				return -1
			}
			return pos
		}
	}
	return -1
}
