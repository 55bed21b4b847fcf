package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"cobble/storage/hyperloglog"
)

// bitsOf counts the bits from ≤ i ≤ to of a string that are set.
func bitsOf(s []byte, from, to int64) (n int64) {
	for i := from; i <= to; i++ {
		n += int64(s[i>>3]>>(7-i&7)) & 1
	}
	return n
}

// Random SETBIT, BITOP and BITCOUNT of ranges, on rows that went to the store, give
// what slices give.
func TestBitmapsAgainstSlices(t *testing.T) {
	for seed := range testSeeds(t, 6) {
		bitmapSeed(t, seed, mutants{})
	}
}

func bitmapSeed(t testing.TB, seed uint64, m mutants) {
	rng := rand.New(rand.NewPCG(seed, 23))
	o := smallOptions(vfs.NewMem())
	o.mutant = m
	e := openTest(t, o)
	model := map[string][]byte{}
	key := func() string { return fmt.Sprint("{b}", rng.IntN(4)) }
	longest := []int64{100, 8 * 9000, 8 * 3 * ChunkSize}[rng.IntN(3)]
	for range 80 {
		k := key()
		switch rng.IntN(6) {
		case 0, 1, 2:
			at, on := rng.Int64N(longest), rng.IntN(4) > 0
			s := append(bytes.Clone(model[k]), make([]byte, max(0, int(at>>3)+1-len(model[k])))...)
			was := s[at>>3]>>(7-at&7)&1 == 1
			s[at>>3] &^= 1 << (7 - at&7)
			if on {
				s[at>>3] |= 1 << (7 - at&7)
			}
			model[k] = s
			update(t, e, k, func(tx *Tx) error {
				got, err := tx.BitSet([]byte(k), at, on)
				if err == nil && got != was {
					err = fmt.Errorf("bit %d was %v, want %v", at, got, was)
				}
				return err
			})
		case 3:
			op, from := BitOperation(rng.IntN(3)), []string{key(), key()}
			model[k] = combineBits(op, model[from[0]], model[from[1]])
			update(t, e, k, func(tx *Tx) error {
				n, err := tx.BitOp(op, []byte(k), [][]byte{[]byte(from[0]), []byte(from[1])})
				if err == nil && n != int64(len(model[k])) {
					err = fmt.Errorf("BITOP %d makes %d bytes, want %d", op, n, len(model[k]))
				}
				return err
			})
		case 4:
			if rng.IntN(4) == 0 {
				if err := errors.Join(e.Flush(), e.Close()); err != nil {
					t.Fatal(err)
				}
				e = openTest(t, o)
			}
		}
		if len(model[k]) == 0 {
			continue
		}
		from := rng.Int64N(int64(len(model[k])) * 8)
		to := from + rng.Int64N(int64(len(model[k]))*8-from)
		view(t, e, k, func(tx *Tx) error {
			n, err := tx.BitCount([]byte(k), BitRange{First: from, Last: to, Bits: true})
			if want := bitsOf(model[k], from, to); err == nil && n != want {
				err = fmt.Errorf("bits %d to %d of %d: %d, want %d", from, to, len(model[k])*8, n, want)
			}
			return err
		})
	}
	_ = e.Close()
}

func combineBits(op BitOperation, a, b []byte) []byte {
	out := make([]byte, max(len(a), len(b)))
	copy(out, a)
	for i := range out {
		c := byte(0)
		if i < len(b) {
			c = b[i]
		}
		switch op {
		case BitAnd:
			out[i] &= c
		case BitOr:
			out[i] |= c
		default:
			out[i] ^= c
		}
	}
	return out
}

// A HyperLogLog that many transactions change, with its rows in the store between
// them, is the one that is changed in memory.
func TestSketchesAgainstMemory(t *testing.T) {
	for seed := range testSeeds(t, 6) {
		sketchSeed(t, seed, mutants{})
	}
}

func sketchSeed(t testing.TB, seed uint64, m mutants) {
	rng := rand.New(rand.NewPCG(seed, 29))
	o := smallOptions(vfs.NewMem())
	o.mutant = m
	e, key := openTest(t, o), []byte("hll")
	const maxSparse = 500 // it soon becomes dense, and two chunks
	e.SetSparseBytes(maxSparse)
	model := hyperloglog.New()
	for range 60 {
		elements := make([][]byte, rng.IntN(40))
		for i := range elements {
			elements[i] = fmt.Append(nil, "element", rng.IntN(20_000))
			var err error
			if model, _, err = hyperloglog.Add(model, elements[i], maxSparse); err != nil {
				t.Fatal(err)
			}
		}
		update(t, e, "hll", func(tx *Tx) error {
			s, err := tx.Sketch(key)
			if err != nil {
				return err
			}
			s.Create()
			for _, element := range elements {
				if _, err := s.Add(element); err != nil {
					return err
				}
			}
			s.Forget()
			return s.Save()
		})
		if rng.IntN(10) == 0 {
			if err := errors.Join(e.Flush(), e.Close()); err != nil {
				t.Fatal(err)
			}
			e = openTest(t, o)
			e.SetSparseBytes(maxSparse)
		}
		view(t, e, "hll", func(tx *Tx) error {
			s, err := tx.Sketch(key)
			if err != nil {
				return err
			}
			got, err := s.Count()
			want, counted := hyperloglog.Count(model)
			if err == nil && (got != want || s.Sparse() != hyperloglog.Sparse(model)) {
				err = fmt.Errorf("counts %d, want %d", got, want)
			}
			return errors.Join(err, counted)
		})
	}
	_ = e.Close()
}
