package intset

import (
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// The bytes are those that redis-server 7.0.15 shows in DUMP.
func TestGoldenBytes(t *testing.T) {
	is := New(nil)
	for _, c := range []struct {
		add  int64
		want string
	}{
		{5, "02000000010000000500"},
		{-1, "0200000002000000ffff0500"},
		{70000, "0400000003000000ffffffff0500000070110100"},
		{-1 << 40, "080000000400000000000000" + "00ffffff" + "ffffffffffffffff" + "0500000000000000" + "7011010000000000"},
	} {
		at, found := Find(is, c.add)
		if found {
			t.Fatalf("%d is there", c.add)
		}
		is = Insert(is, at, c.add)
		if got := hex.EncodeToString(is); got != c.want {
			t.Errorf("with %d: %s, want %s", c.add, got, c.want)
		}
	}
}

func TestAgainstMap(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 31))
		is, model := New(nil), map[int64]bool{}
		shift := 40 + rng.IntN(24)
		for range 300 {
			v := int64(rng.Uint64()) >> (shift - rng.IntN(4)*rng.IntN(10))
			at, found := Find(is, v)
			if found != model[v] {
				t.Fatalf("Find(%d): %v", v, found)
			}
			switch {
			case found:
				is = Remove(is, at)
				delete(model, v)
			default:
				is = Insert(is, at, v)
				model[v] = true
			}
		}
		if !Valid(is) || Len(is) != len(model) {
			t.Fatalf("%x has not %d integers", is, len(model))
		}
		for i, want := range slices.Sorted(maps.Keys(model)) {
			if got := At(is, i); got != want {
				t.Fatalf("At(%d): %d, want %d", i, got, want)
			}
		}
	}
}

func FuzzIntset(f *testing.F) {
	f.Add(Insert(New(nil), 0, 1<<40), int64(3))
	f.Add([]byte{3, 0, 0, 0, 0, 0, 0, 0}, int64(3))
	f.Fuzz(func(t *testing.T, is []byte, v int64) {
		if !Valid(is) {
			return
		}
		if at, found := Find(is, v); found {
			is = Remove(is, at)
		} else if is = Insert(is, at, v); At(is, at) != v {
			t.Fatalf("%x has no %d at %d", is, v, at)
		}
		if !Valid(is) {
			t.Fatalf("%x", is)
		}
	})
}
