package storage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"cobble/slots"
)

// TestUniteAgainstMap: unions of sorted sets and sets, small and large, made as drafts that hold a few members, are what
// maps make of them to the last bit of each score.
func TestUniteAgainstMap(t *testing.T) {
	pieces := 0
	for seed := range uint64(12) {
		if uniteSeed(t, seed, mutants{}) {
			pieces++
		}
	}
	if pieces < 3 {
		t.Errorf("%d results came in pieces", pieces)
	}
}

func sumOf(a, b float64) float64 {
	if a += b; math.IsNaN(a) {
		return 0
	}
	return a
}

// unionInput is an input in memory; a set has the scores 1.
type unionInput struct {
	key    string
	set    bool
	weight float64
	model  zsetModel
}

func (in *unionInput) fill(t testing.TB, e *Engine, p *zsetPlan, n int) {
	in.model = zsetModel{}
	_, err := e.Update(testNow, []slots.Slot{slots.Of([]byte(in.key))}, OpFunc(func(tx *Tx) error {
		if in.set {
			s, err := tx.Set([]byte(in.key))
			for ; err == nil && n > 0; n-- {
				m := p.member()
				in.model[string(m)] = 1
				_, err = s.Add(m)
			}
			s.Save()
			return err
		}
		z, err := tx.ZSet([]byte(in.key))
		for ; err == nil && n > 0; n-- {
			m, score := p.member(), p.score()/3
			old, had := in.model[string(m)]
			if _, err = z.Add(m, score, ZAdd{}); !had || old != score { // −0 does not take the place of 0
				in.model[string(m)] = z.kept(score)
			}
		}
		if err != nil {
			return err
		}
		return z.Save()
	}))
	if err != nil {
		t.Fatal(err)
	}
}

func (in *unionInput) weigh(score float64) float64 {
	if score *= in.weight; math.IsNaN(score) {
		return 0
	}
	return score
}

func united(inputs []unionInput) zsetModel {
	want := zsetModel{}
	for i := range inputs {
		for member, score := range inputs[i].model {
			if sum, again := want[member]; again {
				want[member] = sumOf(sum, inputs[i].weigh(score))
			} else {
				want[member] = inputs[i].weigh(score)
			}
		}
	}
	return want
}

// uniteSeed reports whether the result was held a part at a time.
func uniteSeed(t testing.TB, seed uint64, mutant mutants) (pieces bool) {
	o := draftOptions(t, mutant)
	o.draftRows, o.pieceRows, o.gatherBytes = 10, 5+int(seed%7), 2000+int(seed%5)*20000
	e := openTest(t, o)
	defer e.Close()
	rng := rand.New(rand.NewPCG(seed, 8))
	p := &zsetPlan{rng: rng, members: 200 + rng.IntN(2500), longer: 1 + rng.IntN(30), scores: 40}
	inputs := make([]unionInput, 1+rng.IntN(5))
	keys, rows := []string{"{a}to"}, int64(0)
	for i := range inputs {
		in := &inputs[i]
		*in = unionInput{key: fmt.Sprint("{a}", i), set: rng.IntN(3) == 0, weight: []float64{1, 1, 0.3, 0.7, -2, math.Inf(1)}[rng.IntN(6)]}
		in.fill(t, e, p, []int{0, 20, 700, 700, 2500}[rng.IntN(5)])
		keys, rows = append(keys, in.key), rows+int64(len(in.model))
		if rng.IntN(3) == 0 {
			if err := e.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if rng.IntN(3) == 0 {
		keys[0] = inputs[0].key // in place of an input
	}
	want := united(inputs)
	var n int64
	_, err := inPieces(e, keys, func(tx *Tx) error {
		scores := make([]Weighed, len(inputs))
		for i := range inputs {
			var err error
			if scores[i].Scores, err = tx.Scores([]byte(inputs[i].key)); err != nil {
				return err
			}
			scores[i].Weight = inputs[i].weight
		}
		if err := tx.Long(rows, 0, []byte("ZUNIONSTORE")); err != nil {
			return err
		}
		to := tx.GatherZSet([]byte(keys[0]))
		err := Unite(scores, sumOf, to.Add)
		if pieces = to.begun; err == nil {
			n, err = to.Finish()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != int64(len(want)) {
		t.Fatalf("seed %d: %d members, want %d", seed, n, len(want))
	}
	checkUnion(t, e, keys[0], want)
	sweepAll(t, e)
	checkUnion(t, e, keys[0], want)
	return pieces
}

// checkUnion compares a sorted set with what it should have, and its leaves with its rows.
func checkUnion(t testing.TB, e *Engine, key string, want zsetModel) {
	t.Helper()
	_, err := e.View(testNow, slots.Of([]byte(key)), OpFunc(func(tx *Tx) error {
		z, err := tx.ZSet([]byte(key))
		if err != nil {
			return err
		}
		for member := range want {
			want[member] = z.kept(want[member])
		}
		all := want.sorted()
		var got []Scored
		w := z.Walk(z.ByRank(0, z.Len()), false, 0)
		for w.Next() {
			got = append(got, Scored{slices.Clone(w.Member()), w.Score()})
		}
		if err := w.Close(); err != nil {
			return err
		}
		if scoredText(got) != scoredText(all) {
			t.Fatalf("%d members, want %d:\n%.300s\nwant\n%.300s", len(got), len(all), scoredText(got), scoredText(all))
		}
		for i := range all {
			rank, score, ok, err := z.Rank(all[i].Member)
			if err != nil {
				return err
			}
			if rank != int64(i) || math.Float64bits(score) != math.Float64bits(all[i].Score) || !ok {
				t.Fatalf("Rank %q: %d %v %v, want %d %v", all[i].Member, rank, score, ok, i, all[i].Score)
			}
		}
		return recount(t, tx, slots.Of([]byte(key)))
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkUniteDraft is ZUNIONSTORE of two sorted sets with half of their members in common.
func BenchmarkUniteDraft(b *testing.B) {
	e := openTest(b, Options{Dir: b.TempDir()})
	defer e.Close()
	const n = 200_000
	for i, key := range []string{"{a}1", "{a}2"} {
		for from := 0; from < n; from += 1000 {
			update(b, e, key, func(tx *Tx) error {
				z, err := tx.ZSet([]byte(key))
				for j := from; err == nil && j < from+1000; j++ {
					m := j*7919%n + i*n/2
					_, err = z.Add(fmt.Appendf(nil, "member:%d", m), float64(m*37%100003), ZAdd{})
				}
				if err != nil {
					return err
				}
				return z.Save()
			})
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := inPieces(e, []string{"{a}to", "{a}1", "{a}2"}, func(tx *Tx) error {
			inputs := make([]Weighed, 2)
			for i, key := range []string{"{a}1", "{a}2"} {
				var err error
				if inputs[i].Scores, err = tx.Scores([]byte(key)); err != nil {
					return err
				}
				inputs[i].Weight = 1
			}
			if err := tx.Long(2*n, 0, []byte("ZUNIONSTORE")); err != nil {
				return err
			}
			to := tx.GatherZSet([]byte("{a}to"))
			err := Unite(inputs, sumOf, to.Add)
			if err == nil {
				_, err = to.Finish()
			}
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
}
