package hyperloglog

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// hash is MurmurHash2, 64-bit version for 64-bit platforms (A. Appleby), read in
// little endian on every machine, with the seed of Redis.
func hash(b []byte) uint64 {
	const m, r, seed = 0xc6a4a7935bd1e995, 47, 0xadc83b19
	h := uint64(seed) ^ uint64(len(b))*m
	for ; len(b) >= 8; b = b[8:] {
		k := binary.LittleEndian.Uint64(b) * m
		k ^= k >> r
		h = (h ^ k*m) * m
	}
	if len(b) > 0 {
		var tail [8]byte
		copy(tail[:], b)
		h = (h ^ binary.LittleEndian.Uint64(tail[:])) * m
	}
	h ^= h >> r
	h *= m
	return h ^ h>>r
}

// place returns the register of an element and the rank that it has there.
func place(element []byte) (register int, rank uint8) {
	h := hash(element)
	return int(h & (registerCount - 1)), uint8(bits.TrailingZeros64(h>>indexBits|1<<rankBits)) + 1
}

// Add adds an element and returns the changed sketch, which is in the same memory
// if its capacity is enough; changed says whether a register grew. A sketch that
// would be sparse with more than maxSparse bytes becomes dense. The cached estimate
// is the caller's.
func Add(b, element []byte, maxSparse int64) (out []byte, changed bool, err error) {
	register, rank := place(element)
	return raise(b, register, rank, maxSparse)
}

// raise makes a register at least rank.
func raise(b []byte, register int, rank uint8, maxSparse int64) (out []byte, changed bool, err error) {
	if !Sparse(b) {
		if getRegister(b[headerSize:], register) >= rank {
			return b, false, nil
		}
		setRegister(b[headerSize:], register, rank)
		return b, true, nil
	}
	if rank <= maxValue {
		out, done, changed, err := raiseSparse(b, register, rank, maxSparse)
		if done || err != nil {
			return out, changed, err
		}
	}
	if b, err = ToDense(b); err != nil {
		return b, false, err
	}
	setRegister(b[headerSize:], register, rank)
	return b, true, nil
}

// raiseSparse is raise of a sparse sketch, of which the opcodes around the register
// are changed. Not done: it has to become dense.
func raiseSparse(b []byte, register int, rank uint8, maxSparse int64) (out []byte, done, changed bool, err error) {
	previous, at, first := headerSize, headerSize, 0
	r := decode(b[at:])
	for r.count > 0 && register >= first+r.count {
		previous, first = at, first+r.count
		at += r.size
		r = decode(b[at:])
	}
	if r.count == 0 {
		return b, false, false, ErrCorrupt
	}
	if r.value >= rank {
		return b, true, false, nil
	}
	var buf [5]byte
	seq := buf[:0]
	before, after := register-first, first+r.count-1-register
	if r.value == 0 {
		seq = appendZeros(appendValue(appendZeros(seq, before), rank, 1), after)
	} else {
		seq = appendValue(appendValue(appendValue(seq, r.value, before), rank, 1), r.value, after)
	}
	if grow := len(seq) - r.size; grow > 0 && int64(len(b)+grow) > maxSparse {
		return b, false, false, nil
	}
	b = slices.Replace(b, at, at+r.size, seq...)
	return joinRuns(b, previous), true, true, nil
}

// joinRuns makes one opcode of adjacent ones of the same value, among the few from
// an offset on.
func joinRuns(b []byte, at int) []byte {
	for looks := 5; looks > 0 && at < len(b); looks-- {
		r := decode(b[at:])
		if r.value != 0 {
			next := decode(b[at+1:])
			if n := r.count + next.count; next.value == r.value && n <= maxRun {
				appendValue(b[at:at], r.value, n)
				b = slices.Delete(b, at+1, at+2)
				continue
			}
		}
		if r.count == 0 {
			break
		}
		at += r.size
	}
	return b
}

// ToDense returns a sketch in the dense encoding.
func ToDense(b []byte) ([]byte, error) {
	if !Sparse(b) {
		return b, nil
	}
	out := make([]byte, denseSize)
	copy(out, b[:headerSize])
	out[4] = dense
	return out, eachRun(b, func(first int, r run) {
		for i := range r.count {
			setRegister(out[headerSize:], first+i, r.value)
		}
	})
}

// eachRun calls f for each opcode of registers that are not 0 of a sparse sketch.
func eachRun(b []byte, f func(first int, r run)) error {
	first := 0
	for b = b[headerSize:]; len(b) > 0; {
		r := decode(b)
		if r.count == 0 || first+r.count > registerCount {
			return ErrCorrupt
		}
		if r.value != 0 {
			f(first, r)
		}
		first += r.count
		b = b[r.size:]
	}
	if first != registerCount {
		return ErrCorrupt
	}
	return nil
}
