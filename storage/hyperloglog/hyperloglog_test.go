package hyperloglog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"testing"
)

// The bytes are those that redis-server 7.0.15 has.
func TestGoldenBytes(t *testing.T) {
	if got, want := hex.EncodeToString(New()), "48594c4c010000000000000000000000"+"7fff"; got != want {
		t.Errorf("an empty sketch: %s, want %s", got, want)
	}
	b := New()
	for _, element := range []string{"a", "b", "c"} {
		b, _, _ = Add(b, []byte(element), 3000)
	}
	Forget(b)
	if got, want := hex.EncodeToString(b), "48594c4c010000000000000000000080"+"60f38050b1844bfb80425a"; got != want {
		t.Errorf("of a, b and c: %s, want %s", got, want)
	}
}

// Sparse and dense sketches of the same elements have the same registers, and count
// within the error that HyperLogLog promises.
func TestSparseIsDense(t *testing.T) {
	for _, n := range []int{0, 1, 10, 1000, 3000, 100_000} {
		few, many := New(), New()
		var err error
		if many, err = ToDense(many); err != nil {
			t.Fatal(err)
		}
		grew, maxSparse := 0, int64(1<<20)
		if n > 3000 {
			maxSparse = 3000 // a long sparse sketch is slow to search
		}
		for i := range n {
			var a, b bool
			few, a, err = Add(few, fmt.Append(nil, "element", i), maxSparse)
			many, b, _ = Add(many, fmt.Append(nil, "element", i), maxSparse)
			if a != b || err != nil {
				t.Fatalf("element %d: sparse changed %v, dense %v, %v", i, a, b, err)
			}
			if a {
				grew++
			}
		}
		if !Valid(few) || !Valid(many) || grew > n {
			t.Fatal("not valid")
		}
		again, err := ToDense(few)
		if err != nil || !bytes.Equal(again, many) {
			t.Fatalf("%d elements: the registers differ, %v", n, err)
		}
		got, err := Count(few)
		if other, _ := Count(many); other != got || err != nil {
			t.Errorf("sparse counts %d, dense %d, %v", got, other, err)
		}
		if off := math.Abs(float64(got) - float64(n)); off > 5*1.04/128*float64(n) {
			t.Errorf("%d elements are counted as %d", n, got)
		}
		all, err := All(few)
		if err != nil || all.Count() != got {
			t.Errorf("registers count %d, %v", all.Count(), err)
		}
		stored, err := all.Store(New(), 3000)
		if err != nil {
			t.Fatal(err)
		}
		if n, _ := Count(stored); n != got {
			t.Errorf("stored registers count %d, want %d", n, got)
		}
	}
}

func FuzzSketch(f *testing.F) {
	f.Add(New(), []byte("a"))
	f.Add(append(New()[:headerSize], 0x7f), []byte("a"))
	f.Add(append(New()[:headerSize], 0x80, 0x80, 0x83, 0x7f, 0xf9), []byte("b"))
	d, _ := ToDense(New())
	f.Add(d, []byte("a"))
	f.Fuzz(func(t *testing.T, b, element []byte) {
		if !Valid(b) {
			return
		}
		all, broken := All(b)
		out, _, err := Add(bytes.Clone(b), element, 3000)
		AppendOpcodes(nil, b)
		if broken != nil || err != nil {
			return // what is broken behind the register may go unnoticed
		}
		register, rank := place(element)
		all[register] = max(all[register], rank)
		got, err := All(out)
		if err != nil || *got != *all {
			t.Fatalf("%x with %q: %v", b, element, err)
		}
	})
}
