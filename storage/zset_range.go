package storage

import (
	"bytes"
	"encoding/binary"
	"sort"

	"cobble/storage/format"
)

// ScoreBound is an end of a range of scores.
type ScoreBound struct {
	Score     float64
	Exclusive bool
}

// LexBound is an end of a range of members of one score.
type LexBound struct {
	Member    []byte
	Exclusive bool
	Infinite  int8 // −1: before all members, 1: behind all
}

// ZRange is a run of neighbouring members of a sorted set as it is now.
type ZRange struct{ from, to int64 } // ranks from ≤ rank < to

// ByRank returns the members with ranks from ≤ rank < to.
func (z *ZSet) ByRank(from, to int64) ZRange {
	return ZRange{from: max(from, 0), to: min(to, z.Len())}
}

// ByScore returns the members with scores within bounds.
func (z *ZSet) ByScore(low, high ScoreBound) (ZRange, error) {
	if z.inline() {
		items, err := z.load()
		from := sort.Search(len(items), func(i int) bool {
			return items[i].Score > low.Score || !low.Exclusive && items[i].Score == low.Score
		})
		to := sort.Search(len(items), func(i int) bool {
			return items[i].Score > high.Score || high.Exclusive && items[i].Score == high.Score
		})
		return ZRange{from: int64(from), to: int64(to)}, err
	}
	first, end := format.OrderedScore(low.Score), format.OrderedScore(high.Score)
	if low.Exclusive {
		first++
	}
	if !high.Exclusive {
		end++
	}
	var room [2][8]byte
	return z.between(binary.BigEndian.AppendUint64(room[0][:0], first), binary.BigEndian.AppendUint64(room[1][:0], end))
}

// ByLex returns the members within bounds, of a sorted set whose members all have
// one score; of another, only some. Reverse says that they are wanted from the end.
func (z *ZSet) ByLex(low, high LexBound, reverse bool) (ZRange, error) {
	if z.Len() == 0 {
		return ZRange{}, nil
	}
	if z.inline() {
		items, err := z.load()
		return lexRange(items, low, high, reverse), err
	}
	dir, err := z.directory()
	if err != nil {
		return ZRange{}, err
	}
	at, _ := dir.locate(0)
	keys, err := z.keysOf(dir, at)
	if err != nil {
		return ZRange{}, err
	}
	first := keys.key(0)[:8]
	return z.between(low.key(first, true), high.key(first, false))
}

// lexRange looks from the side from which Redis does; so what it finds is the same
// even where scores differ.
func lexRange(items []Scored, low, high LexBound, reverse bool) (r ZRange) {
	n := int64(len(items))
	if low.above(items[n-1].Member, true) || high.above(items[0].Member, false) {
		return r
	}
	if reverse {
		for r.to = n; r.to > 0 && high.above(items[r.to-1].Member, false); r.to-- {
		}
		for r.from = r.to; r.from > 0 && !low.above(items[r.from-1].Member, true); r.from-- {
		}
		return r
	}
	for r.from < n && low.above(items[r.from].Member, true) {
		r.from++
	}
	for r.to = r.from; r.to < n && !high.above(items[r.to].Member, false); r.to++ {
	}
	return r
}

// between returns the members with low ≤ score key < high, layout Rows.
func (z *ZSet) between(low, high []byte) (r ZRange, err error) {
	if r.from, err = z.rankOf(low); err == nil {
		r.to, err = z.rankOf(high)
	}
	return r, err
}

// above reports whether the bound is above a member: as a low bound it leaves it
// out, as a high bound it is what ends the range before it.
func (b *LexBound) above(member []byte, low bool) bool {
	if b.Infinite != 0 {
		return b.Infinite > 0 == low
	}
	c := bytes.Compare(member, b.Member)
	if low {
		return c < 0 || b.Exclusive && c == 0
	}
	return c > 0 || b.Exclusive && c == 0
}

// key returns the bound as a score key.
func (b *LexBound) key(score []byte, low bool) []byte {
	switch {
	case b.Infinite < 0:
		return score
	case b.Infinite > 0:
		return binary.BigEndian.AppendUint64(nil, binary.BigEndian.Uint64(score)+1)
	}
	key := append(bytes.Clone(score), b.Member...)
	if b.Exclusive == low {
		key = append(key, 0) // right behind the member
	}
	return key
}

// Count returns how many members a range has.
func (r ZRange) Count() int64 { return max(r.to-r.from, 0) }

// Part returns the members of a range but for the first skip, and most at most, both counted from its end if reverse.
func (r ZRange) Part(skip, most int64, reverse bool) ZRange {
	skip = min(skip, r.Count())
	most = min(most, r.Count()-skip)
	if reverse {
		return ZRange{from: r.to - skip - most, to: r.to - skip}
	}
	return ZRange{from: r.from + skip, to: r.from + skip + most}
}

// Rank returns the rank and the score of a member.
func (z *ZSet) Rank(member []byte) (rank int64, score float64, ok bool, err error) {
	if z.inline() {
		items, err := z.load()
		for i := range items {
			if bytes.Equal(items[i].Member, member) {
				return int64(i), items[i].Score, true, err
			}
		}
		return 0, 0, false, err
	}
	if score, ok, err = z.row(member); err != nil || !ok {
		return 0, 0, false, err
	}
	rank, err = z.rankOf(z.scoreKey(score, member)[format.ElementPrefix:])
	return rank, score, err == nil, err
}

// rankOf returns how many score keys are below key, layout Rows.
func (z *ZSet) rankOf(key []byte) (int64, error) {
	dir, err := z.directory()
	if err != nil {
		return 0, err
	}
	at := dir.find(key)
	keys, err := z.keysOf(dir, at)
	if err != nil {
		return 0, err
	}
	return int64(dir.before(at)) + int64(keys.search(key)), nil
}
