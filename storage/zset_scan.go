package storage

import (
	"math/rand/v2"
	"slices"

	"cobble/storage/format"
)

// Scan calls f with about count members from cursor on (0 begins) and returns the
// cursor to go on with, 0 at the end. A member that is there from the first call to
// the last is visited exactly once. A small sorted set is visited whole.
func (z *ZSet) Scan(cursor uint64, count int64, f func(member []byte, score float64)) (next uint64, err error) {
	if z.inline() {
		w := z.Walk(z.ByRank(0, z.Len()), false, 0)
		for w.Next() {
			f(w.Member(), w.Score())
		}
		return 0, w.Close()
	}
	var broken error
	next, err = z.scanRows(cursor, count, func(member, value []byte) {
		score, err := format.ZSetScore(value)
		if err != nil {
			broken = err
		}
		f(member, score)
	})
	if err == nil {
		err = broken
	}
	return next, err
}

// Random calls f with n members chosen at random, each as often as it comes.
func (z *ZSet) Random(n int64, f func(member []byte, score float64)) error {
	size := z.Len()
	if size == 0 || n <= 0 {
		return nil
	}
	if z.inline() || n*3 >= size {
		all, err := z.All()
		for ; err == nil && n > 0; n-- {
			m := &all[rand.IntN(len(all))]
			f(m.Member, m.Score)
		}
		return err
	}
	return z.pick(n, func(int64) int64 { return rand.Int64N(size) }, f)
}

// pick calls f with the members of n ranks, layout Rows.
func (z *ZSet) pick(n int64, rank func(i int64) int64, f func(member []byte, score float64)) error {
	w := ZWalk{from: z.rowsOf()}
	w.dir, w.err = z.directory()
	for i := range n {
		w.left = 1
		if w.seek(rank(i)); !w.Next() {
			break
		}
		f(w.member, w.score)
	}
	return w.Close()
}

// RandomDistinct calls f with n different members chosen at random, or with all if
// there are no more.
func (z *ZSet) RandomDistinct(n int64, f func(member []byte, score float64)) error {
	size := z.Len()
	if n = min(n, size); n <= 0 {
		return nil
	}
	if !z.inline() && n*8 < size {
		seen := make(map[int64]struct{}, n)
		ranks := make([]int64, 0, n)
		for int64(len(ranks)) < n {
			rank := rand.Int64N(size)
			if _, again := seen[rank]; !again {
				seen[rank] = struct{}{}
				ranks = append(ranks, rank)
			}
		}
		slices.Sort(ranks)
		return z.pick(n, func(i int64) int64 { return ranks[i] }, f)
	}
	// Selection sampling: Knuth, TAOCP 3.4.2, algorithm S.
	w := z.Walk(z.ByRank(0, size), false, 0)
	for left := size; n > 0 && w.Next(); left-- {
		if rand.Int64N(left) < n {
			f(w.Member(), w.Score())
			n--
		}
	}
	return w.Close()
}

// All returns copies of all members, in order.
func (z *ZSet) All() ([]Scored, error) {
	all := make([]Scored, 0, z.Len())
	var arena []byte
	w := z.Walk(z.ByRank(0, z.Len()), false, 0)
	for w.Next() {
		at := len(arena)
		arena = append(arena, w.Member()...)
		all = append(all, Scored{arena[at:len(arena):len(arena)], w.Score()})
	}
	return all, w.Close()
}
