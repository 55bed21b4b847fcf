package tables

import (
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
			may, want := f.mayContain(h), policy.MayContain(pebble.TableFilter, block, k)
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
	none := policy.NewWriter(pebble.TableFilter).Finish(nil)
	for _, block := range [][]byte{{}, {1, 0, 0}, none} {
		k := key()
		if f := newFilter(block); f.mayContain(filterHash(k)) != policy.MayContain(pebble.TableFilter, block, k) {
			t.Errorf("a filter of no keys, %d bytes, is not what it is to Pebble", len(block))
		}
	}
}

// A filter of another shape excludes nothing, whatever bytes it has.
func TestFilterOfAnotherShape(t *testing.T) {
	wide := make([]byte, 2*128+filterTrailer) // lines of 128 bytes
	wide[256], wide[257] = 6, 2
	many := make([]byte, filterLine+filterTrailer) // more lines than bytes
	many[filterLine], many[filterLine+1], many[filterLine+4] = 6, 1, 1
	for _, block := range [][]byte{nil, make([]byte, filterTrailer+1), make([]byte, filterLine+filterTrailer), wide, many} {
		f, h := newFilter(block), filterHash([]byte("key"))
		if f.lines != 0 || f.first(h) == 0 || !f.mayContain(h) {
			t.Errorf("a filter of %d bytes excludes a key", len(block))
		}
	}
}
