package listpack

import (
	"fmt"
	"testing"
)

func BenchmarkPair(b *testing.B) {
	for _, n := range []int{10, 100} {
		lp := New(nil)
		for i := range n {
			lp = Push(Push(lp, fmt.Append(nil, "field:", i)), []byte("value"))
		}
		last := fmt.Append(nil, "field:", n-1)
		b.Run(fmt.Sprint("fields=", n), func(b *testing.B) {
			for b.Loop() {
				if _, _, ok, _ := Pair(lp, last); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
