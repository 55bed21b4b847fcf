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
type ZRange struct {
	from, to  int64  // ranks from ≤ rank < to, if known
	byRank    bool   // they are
	low, high []byte // else: low ≤ score key < high; nil high is the end
}

// ByRank returns the members with ranks from ≤ rank < to.
func (z *ZSet) ByRank(from, to int64) ZRange {
	return ZRange{from: max(from, 0), to: min(to, z.Len()), byRank: true}
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
		return ZRange{from: int64(from), to: int64(to), byRank: true}, err
	}
	first, end := format.OrderedScore(low.Score), format.OrderedScore(high.Score)
	if low.Exclusive {
		first++
	}
	if !high.Exclusive {
		end++
	}
	return ZRange{low: binary.BigEndian.AppendUint64(nil, first), high: binary.BigEndian.AppendUint64(nil, end)}, nil
}

// ByLex returns the members within bounds, of a sorted set whose members all have
// one score; of another, only some that have the score of the first.
func (z *ZSet) ByLex(low, high LexBound) (ZRange, error) {
	if z.inline() {
		items, err := z.load()
		from := sort.Search(len(items), func(i int) bool { return !low.above(items[i].Member, true) })
		to := sort.Search(len(items), func(i int) bool { return high.above(items[i].Member, false) })
		return ZRange{from: int64(from), to: int64(to), byRank: true}, err
	}
	it := z.rows(nil, nil)
	if !it.First() {
		if err := it.Close(); err != nil {
			return ZRange{}, err
		}
		return ZRange{}, format.ErrCorrupt // Count says there are members
	}
	first := bytes.Clone(it.Key()[format.ElementPrefix : format.ElementPrefix+8])
	return ZRange{low: low.key(first, true), high: high.key(first, false)}, it.Close()
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
func (z *ZSet) Count(r ZRange) (int64, error) {
	if !r.byRank {
		var err error
		if r, err = z.ranks(r); err != nil {
			return 0, err
		}
	}
	return max(r.to-r.from, 0), nil
}

// ranks finds the ranks of a range of layout Rows.
func (z *ZSet) ranks(r ZRange) (ZRange, error) {
	var err error
	r.byRank = true
	if r.from, err = z.rankOf(r.low); err != nil {
		return r, err
	}
	if r.to = z.Len(); r.high != nil {
		r.to, err = z.rankOf(r.high)
	}
	return r, err
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
	rank, err = z.rankOf(format.AppendZSetOrder(nil, score, member))
	return rank, score, err == nil, err
}

// rankOf returns how many score keys are below key, layout Rows.
func (z *ZSet) rankOf(key []byte) (int64, error) {
	dir, err := z.directory()
	if err != nil {
		return 0, err
	}
	rank, low := uint64(0), []byte(nil)
	if dir != nil {
		at := dir.find(key)
		rank, low = dir.before(at), dir.at(at).separator
	}
	it := z.rows(low, key)
	for ok := it.First(); ok; ok = it.Next() {
		rank++
	}
	return int64(rank), it.Close()
}

// place moves an iterator over all score rows to a rank < Len.
func (z *ZSet) place(it *rowIter, rank int64) error {
	dir, err := z.directory()
	if err != nil {
		return err
	}
	count, within := z.Len(), rank
	var low, high []byte
	if dir != nil {
		at, inLeaf := dir.locate(uint64(rank))
		low, within, count = dir.at(at).separator, int64(inLeaf), int64(dir.at(at).count)
		if next, ok := dir.next(at); ok {
			high = dir.at(next).separator
		}
	}
	var ok bool
	if within*2 <= count {
		if len(low) == 0 {
			ok = it.First()
		} else {
			ok = it.SeekGE(z.leafKey().elementRow(nil, low))
		}
		for ; ok && within > 0; within-- {
			ok = it.Next()
		}
	} else {
		if high == nil {
			ok = it.Last()
		} else {
			ok = it.SeekLT(z.leafKey().elementRow(nil, high))
		}
		for within++; ok && within < count; within++ {
			ok = it.Prev()
		}
	}
	if !ok && it.err == nil {
		it.err = format.ErrCorrupt // Count, or the leaf's, says that there is one
	}
	return it.err
}
