package listpack

import (
	"fmt"
	"strings"
	"testing"
)

// TestTableAgainstScan finds with a table what a scan finds, of elements of every form.
func TestTableAgainstScan(t *testing.T) {
	for _, n := range []int{0, 1, 2, 10, 128, 1000} {
		lp := New(nil)
		var keys [][]byte
		for i := range n {
			key := fmt.Appendf(nil, "m%d", i)
			switch i % 5 {
			case 1:
				key = fmt.Append(nil, i*i*i-1000)
			case 2:
				key = []byte(strings.Repeat("x", 60+i))
			case 3:
				key = fmt.Appendf(nil, "0%d", i) // no integer
			}
			keys = append(keys, key)
			lp = Push(Push(lp, key), fmt.Append(nil, i))
		}
		pairs, err := Tabulate(lp, 2, make([]uint32, TableSlots(n)))
		if err != nil {
			t.Fatal(err)
		}
		all, err := Tabulate(lp, 1, make([]uint32, TableSlots(2*n)))
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range append(keys, []byte(""), []byte("m"), []byte("7"), []byte("007"), []byte("-999"), []byte("123456789012345678901")) {
			_, at, want, _ := Pair(lp, key)
			if got, found := pairs.Find(key); found != want || found && got != at.Key {
				t.Fatalf("%d pairs, %q: %d %v, a scan says %d %v", n, key, got, found, at.Key, want)
			}
			from, _, want, _ := Index(lp, key)
			if got, found := all.Find(key); found != want || found && got != from {
				t.Fatalf("%d elements, %q: %d %v, a scan says %d %v", 2*n, key, got, found, from, want)
			}
		}
	}
}

// TestTableOfCorrupt makes no table of bytes that are not a listpack, nor of one that has more elements than slots were
// made for.
func TestTableOfCorrupt(t *testing.T) {
	lp := New(nil)
	for i := range 9 {
		lp = Push(lp, fmt.Append(nil, "member", i))
	}
	if _, err := Tabulate(lp[:len(lp)-4], 1, make([]uint32, TableSlots(9))); err == nil {
		t.Error("cut off")
	}
	if _, err := Tabulate(lp, 2, make([]uint32, TableSlots(9))); err == nil {
		t.Error("half a pair")
	}
	if _, err := Tabulate(lp, 1, make([]uint32, TableSlots(2))); err == nil {
		t.Error("more elements than slots")
	}
}
