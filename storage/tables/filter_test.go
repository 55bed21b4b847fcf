package tables

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// Filters answer as Pebble's own code does, for keys of every length and filters of
// every size, those of another shape too.
func TestFilterAnswersAsPebble(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	policy := bloom.FilterPolicy(10)
	key := func() []byte {
		k := make([]byte, rng.IntN(40))
		for i := range k {
			k[i] = byte(rng.Uint32())
		}
		return k
	}
	absent := 0
	for _, n := range []int{1, 2, 50, 1000, 5000} {
		w := policy.NewWriter(pebble.TableFilter)
		var in [][]byte
		for range n {
			in = append(in, key())
			w.AddKey(in[len(in)-1])
		}
		block := w.Finish(nil)
		f := newFilter(block)
		if f.lines == 0 {
			t.Fatalf("a filter of %d keys, %d bytes, is of an unknown shape", n, len(block))
		}
		check := func(k []byte) bool {
			h := filterHash(k)
			may, want := f.mayContain(h, k), policy.MayContain(pebble.TableFilter, block, k)
			if may != want {
				t.Fatalf("key %x of a filter of %d: %v, Pebble says %v", k, n, may, want)
			}
			if may && f.first(h) == 0 {
				t.Fatalf("key %x of a filter of %d: the first probe says no", k, n)
			}
			return may
		}
		for _, k := range in {
			if !check(k) {
				t.Fatalf("key %x is not in its filter", k)
			}
		}
		for range 2000 {
			if !check(key()) {
				absent++
			}
		}
	}
	if absent < 5000 {
		t.Errorf("of 10000 other keys only %d are absent", absent)
	}
	wide := make([]byte, 2*128+filterTrailer) // lines of 128 bytes
	wide[256], wide[257] = 6, 2
	for _, block := range [][]byte{nil, {}, {1, 0, 0}, make([]byte, filterTrailer), wide} {
		f := newFilter(block)
		k := key()
		want := block == nil || policy.MayContain(pebble.TableFilter, block, k)
		if f.lines != 0 || f.first(filterHash(k)) == 0 || f.mayContain(filterHash(k), k) != want {
			t.Errorf("a filter of %d bytes (%d lines): not %v", len(block), binary.LittleEndian.Uint32(append(block, make([]byte, 8)...)), want)
		}
	}
}
