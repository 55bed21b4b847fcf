package storage

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// Weighed is one of the inputs of a union or an intersection, with what its scores are multiplied by.
type Weighed struct {
	Scores
	Weight float64
}

// Weigh returns a score of the input times its weight; what is not a number then counts as 0.
func (w *Weighed) Weigh(score float64) float64 {
	if score *= w.Weight; math.IsNaN(score) {
		return 0
	}
	return score
}

// Unite calls f once for each member that any of the inputs has, in the order of their hashes, until f returns an error,
// which it returns. A score is aggregated of those that the inputs have for the member, in their order: sums of
// floating-point numbers depend on it. Of inputs of rows it holds a part in memory at a time.
func Unite(inputs []Weighed, aggregate func(a, b float64) float64, f func(member []byte, score float64) error) error {
	walks := make([]*orderedWalk, 0, len(inputs))
	for i := range inputs {
		w, err := inputs[i].ordered()
		if err != nil {
			_ = closeAll(walks)
			return err
		}
		walks = append(walks, w)
	}
	var member []byte
	var sum float64
	var err error
	some := false
	merge(walks, func(w *orderedWalk, again bool) bool {
		var score float64
		if score, err = w.score(); err != nil {
			return false
		}
		if score = inputs[w.index].Weigh(score); again {
			sum = aggregate(sum, score)
			return true
		}
		if some {
			err = f(member, sum)
		}
		some, member, sum = true, append(member[:0], w.member()...), score
		return err == nil
	})
	if closed := closeAll(walks); err == nil {
		err = closed
	}
	if some && err == nil {
		err = f(member, sum)
	}
	return err
}

// UniteInMemory returns what Unite calls its function with, in no order, and holds all of it. Scores are aggregated as there.
func (tx *Tx) UniteInMemory(inputs []Weighed, aggregate func(a, b float64) float64) (found ScoredList, err error) {
	total := 0
	for i := range inputs {
		total += int(inputs[i].Len())
	}
	found.All = make([]Scored, 0, inputs[len(inputs)-1].Len()) // the largest is the last
	if len(inputs) == 1 {
		err = inputs[0].Each(func(member []byte, score float64) (bool, error) {
			found.Add(member, inputs[0].Weigh(score))
			return true, nil
		})
		return found, err
	}
	slots := tx.tableSlots(listpack.TableSlots(total)) // 1 + the index of a member; as in listpack.Table
	for i := range inputs {
		in := &inputs[i]
		if err = in.Each(func(member []byte, score float64) (bool, error) {
			score = in.Weigh(score)
			at := int(maphash.Bytes(unionSeed, member)) & (len(slots) - 1)
			for ; slots[at] != 0; at = (at + 1) & (len(slots) - 1) {
				if one := &found.All[slots[at]-1]; bytes.Equal(one.Member, member) {
					one.Score = aggregate(one.Score, score)
					return true, nil
				}
			}
			found.Add(member, score)
			slots[at] = uint32(len(found.All))
			return true, nil
		}); err != nil {
			break
		}
	}
	return found, err
}

var unionSeed = maphash.MakeSeed()

func (s *Scores) ordered() (*orderedWalk, error) {
	switch {
	case s.of == format.Set:
		return s.set.ordered()
	case !s.zset.inline():
		o := s.zset.orderedRows()
		o.scored = true
		return o, nil
	}
	items, err := s.zset.load()
	o := &orderedWalk{}
	for i := range items {
		o.have(items[i].Member, items[i].Score)
	}
	o.sort()
	return o, err
}

// ZSetGather makes a sorted set of members that differ and come one by one, in no order of their scores. As a draft it
// holds only so many of them in memory.
type ZSetGather struct {
	tx    *Tx
	key   []byte
	some  ScoredList // that have no rows
	bytes int        // of them, about
	rows  ZSet
	begun bool // it has rows
}

const (
	// defaultGatherBytes is how much is held: what is sorted in memory need not be put in order as rows.
	defaultGatherBytes = 16 << 20
	gatherBytes        = 48 // of a member, beside its name
)

// GatherZSet begins a new sorted set, which takes the place of whatever key holds when it is finished.
func (tx *Tx) GatherZSet(key []byte) *ZSetGather { return &ZSetGather{tx: tx, key: key} }

// Add adds a member, which it copies.
func (g *ZSetGather) Add(member []byte, score float64) error {
	g.some.Add(member, score)
	g.bytes += len(member) + gatherBytes
	entries, _ := g.tx.engine.encodings.zset()
	if g.tx.frozen == nil || g.bytes < g.tx.engine.opts.gatherBytes || int64(len(g.some.All)) <= max(entries, inlineZSetMembers) {
		return nil
	}
	return g.write()
}

// write writes the rows of what is in memory: those by name in the order in which the members came, which is that of the
// rows for what walks rows, then those by score in theirs. Rows that come in order cost little to be put in order.
func (g *ZSetGather) write() error {
	z := &g.rows
	if !g.begun {
		e, err := g.tx.Lookup(g.key)
		if err != nil {
			return err
		}
		e.Meta = format.Meta{Type: format.ZSet, Enc: format.EncSkiplist}
		*z, g.begun = newZSet(g.tx, &e), true
		z.beginRows()
		z.changed = true
	}
	all := g.some.All
	for i := range all {
		z.countNew(all[i].Member)
		z.putScore(all[i].Member, all[i].Score)
	}
	slices.SortFunc(all, CompareScored)
	for i := range all {
		z.putPlace(all[i].Member, all[i].Score)
	}
	g.some, g.bytes = ScoredList{All: all[:0]}, 0
	return g.tx.err
}

// Finish gives the key the members that were added, if there are any, and returns how many they are.
func (g *ZSetGather) Finish() (int64, error) {
	if !g.begun {
		n := int64(len(g.some.All))
		return n, g.tx.StoreZSet(g.key, g.some.All)
	}
	if err := g.write(); err != nil {
		return 0, err
	}
	z := &g.rows
	var l leavesInOrder
	if z.e.Meta.Count > leafMost { // the members are in the order of their scores nowhere but in the rows
		from := z.rowsOf()
		it := from.open(nil, nil)
		for ok := it.First(); ok; ok = it.Next() {
			l.add(it.Key()[format.ElementPrefix:])
		}
		if err := it.Close(); err != nil {
			return 0, err
		}
	}
	return int64(z.e.Meta.Count), z.saveNew(&l)
}
