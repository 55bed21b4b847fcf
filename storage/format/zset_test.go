package format

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestZSetGoldenBytes(t *testing.T) {
	golden(t, "member key", AppendMember(nil, 0x1234, 7, SubMember, []byte("field")), "1234200000000000000007"+"6d"+"2aedfa7ada877b28"+"6669656c64")
	golden(t, "order", AppendZSetOrder(nil, 1.5, []byte("ab")), "bff8000000000000"+"6162")
	golden(t, "order of a negative score", AppendZSetOrder(nil, -1.5, nil), "4007ffffffffffff")
	golden(t, "order of -0", AppendZSetOrder(nil, math.Copysign(0, -1), nil), "8000000000000000")
	golden(t, "score of -0", AppendZSetScore(nil, math.Copysign(0, -1)), "8000000000000000")
	golden(t, "leaf", AppendLeafValue(nil, 300, false), "ac02")
	golden(t, "even leaf", AppendLeafValue(nil, 300, true), "ac0201")
	golden(t, "no extra", (&ZSetExtra{}).Append(nil), "")
	golden(t, "extra", (&ZSetExtra{Leaves: 2, Stamp: 300, Low: []byte("l"), High: []byte("hi")}).Append(nil), "02"+"ac02"+"016c"+"026869")
}

// The order of score rows is the order of scores, then of members' bytes.
func TestZSetOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	scores := []float64{math.Inf(-1), -math.MaxFloat64, -1, -math.SmallestNonzeroFloat64, 0, math.SmallestNonzeroFloat64, 1, math.MaxFloat64, math.Inf(1)}
	for range 20000 {
		if f := math.Float64frombits(rng.Uint64()); !math.IsNaN(f) {
			scores = append(scores, f)
		}
	}
	slices.Sort(scores)
	for i, f := range scores {
		if got := ScoreOfOrder(OrderedScore(f)); got != f {
			t.Fatalf("%v became %v", f, got)
		}
		if i > 0 && (scores[i-1] < f) != (OrderedScore(scores[i-1]) < OrderedScore(f)) {
			t.Fatalf("%v and %v are out of order", scores[i-1], f)
		}
	}
	members := []string{"", "\x00", "a", "a\x00", "aa", "b", "\xff", "\xff\xff"}
	for i := 1; i < len(members); i++ {
		if bytes.Compare(AppendZSetOrder(nil, 1, []byte(members[i-1])), AppendZSetOrder(nil, 1, []byte(members[i]))) >= 0 {
			t.Errorf("%q is not before %q", members[i-1], members[i])
		}
	}
}

func FuzzZSetRows(f *testing.F) {
	f.Add(AppendZSetOrder(nil, 3, []byte("m")), (&ZSetExtra{Leaves: 1, Low: []byte("x")}).Append(nil))
	f.Add(AppendZSetScore(nil, -1), []byte{1})
	f.Fuzz(func(t *testing.T, order, extra []byte) {
		if score, member, err := SplitZSetOrder(order); err == nil {
			if again := AppendZSetOrder(nil, score, member); !bytes.Equal(again, order) && score != 0 {
				t.Fatalf("%x became %x", order, again)
			}
		}
		if score, err := ZSetScore(order); err == nil && !bytes.Equal(AppendZSetScore(nil, score), order) {
			t.Fatalf("score %x became %x", order, AppendZSetScore(nil, score))
		}
		var x, y ZSetExtra
		if x.Decode(extra) == nil {
			if err := y.Decode(x.Append(nil)); err != nil || y.Leaves != x.Leaves || y.Stamp != x.Stamp || !bytes.Equal(x.Low, y.Low) || !bytes.Equal(x.High, y.High) {
				t.Fatalf("%+v became %+v: %v", x, y, err)
			}
		}
		if n, even, err := LeafValue(extra); err == nil {
			if again, same, err := LeafValue(AppendLeafValue(nil, n, even)); err != nil || again != n || same != even {
				t.Fatalf("%d became %d: %v", n, again, err)
			}
		}
	})
}
