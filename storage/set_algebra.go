package storage

import (
	"bytes"
	"cmp"
	"container/heap"
	"encoding/binary"
	"slices"

	"cobble/storage/format"
)

// Intersect calls f for each member that all of the sets have, until f returns
// false. It walks the smallest and looks into the others, and holds none of them in
// memory. There must be a set.
func Intersect(sets []Set, f func(member []byte) bool) error {
	sets = slices.Clone(sets)
	slices.SortStableFunc(sets, func(a, b Set) int { return cmp.Compare(a.Len(), b.Len()) })
	if sets[0].Len() == 0 {
		return nil
	}
	if sets[0].inline() {
		return sets[0].probe(sets[1:], true, f)
	}
	return march(sets, true, f)
}

// Subtract calls f for each member of the first set that none of the others has,
// likewise.
func Subtract(sets []Set, f func(member []byte) bool) error {
	if sets[0].inline() {
		return sets[0].probe(sets[1:], false, f)
	}
	return march(sets, false, f)
}

// probe calls f for each member of s that all of others have, or that none has.
func (s *Set) probe(others []Set, has bool, f func(member []byte) bool) error {
	w := s.Walk()
	finders := make([]packedFinder, len(others))
	cold := false // then the operation runs again: all that is cold is asked for at once
walk:
	for w.Next() {
		for i := range others {
			switch ok, err := finders[i].has(&others[i], w.Member()); {
			case err == errCold:
				cold = true
			case err != nil:
				_ = w.Close()
				return err
			case ok != has:
				continue walk
			}
		}
		if !cold && !f(w.Member()) {
			break
		}
	}
	if err := w.Close(); err != nil || !cold {
		return err
	}
	return errCold
}

// march is probe for a first set of rows: all sets are walked in the order of the
// rows, side by side.
func march(sets []Set, has bool, f func(member []byte) bool) error {
	walks, err := orderedWalks(sets)
	if err != nil {
		return err
	}
	first := walks[0]
walk:
	for ok := first.next(); ok; ok = first.next() {
		for _, other := range walks[1:] {
			if other.seek(first.key) != has {
				continue walk
			}
		}
		if !f(first.member()) {
			break
		}
	}
	return closeAll(walks)
}

// Union calls f once for each member that any of the sets has, in the order of
// their hashes, until f returns false. It holds no set of rows in memory.
func Union(sets []Set, f func(member []byte) bool) error {
	walks, err := orderedWalks(sets)
	if err != nil {
		return err
	}
	merge(walks, func(w *orderedWalk, again bool) bool { return again || f(w.member()) })
	return closeAll(walks)
}

// merge calls f with the walks at each of their members in turn, those of one member
// in the order of the walks; again says that it is the member of the call before.
// It ends when f returns false.
func merge(walks []*orderedWalk, f func(w *orderedWalk, again bool) bool) {
	next := make(byKey, 0, len(walks))
	for i, w := range walks {
		if w.index = i; w.next() {
			next = append(next, w)
		}
	}
	heap.Init(&next)
	var last []byte
	for some := false; len(next) > 0; some = true {
		w := next[0]
		again := some && bytes.Equal(w.key, last)
		if !again {
			last = append(last[:0], w.key...)
		}
		if !f(w, again) {
			return
		}
		if w.next() {
			heap.Fix(&next, 0)
		} else {
			heap.Pop(&next)
		}
	}
}

// byKey is a heap of walks that stand at a member.
type byKey []*orderedWalk

func (h byKey) Len() int      { return len(h) }
func (h byKey) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h byKey) Less(i, j int) bool {
	if c := bytes.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return h[i].index < h[j].index
}
func (h *byKey) Push(x any) { *h = append(*h, x.(*orderedWalk)) }
func (h *byKey) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// orderedWalk visits the members of a set, or of a sorted set, in the order in which
// rows of them lie. What is inline is sorted for it.
type orderedWalk struct {
	index  int        // of the input
	rows   memberRows // rows.it nil: layout Inline
	scored bool       // the values of the rows are scores
	prefix []byte     // of the row keys
	sought []byte     // a row key
	sorted []orderedMember
	at     int
	key    []byte // hash and name of the member it stands at; nil before the first and at the end
	ended  bool
}

// orderedMember is a member of an orderedWalk without rows.
type orderedMember struct {
	key   []byte // as in orderedWalk
	score float64
}

const nameHash = 8 // bytes of the hash before the name

func orderedWalks(sets []Set) ([]*orderedWalk, error) {
	walks := make([]*orderedWalk, 0, len(sets))
	for i := range sets {
		w, err := sets[i].ordered()
		if err != nil {
			_ = closeAll(walks)
			return nil, err
		}
		walks = append(walks, w)
	}
	return walks, nil
}

func closeAll(walks []*orderedWalk) error {
	var err error
	for _, w := range walks {
		if w.rows.it == nil {
			continue
		}
		if closed := w.rows.close(); err == nil {
			err = closed
		}
	}
	return err
}

func (s *Set) ordered() (*orderedWalk, error) {
	if !s.inline() {
		return s.orderedRows(), nil
	}
	o := &orderedWalk{}
	w := s.Walk()
	for w.Next() {
		o.have(w.Member(), 1)
	}
	o.sort()
	return o, w.Close()
}

// orderedRows returns a walk over rows.
func (m *members) orderedRows() *orderedWalk {
	return &orderedWalk{rows: m.rows(), prefix: format.AppendElement(nil, uint16(m.e.Slot), m.e.Meta.OID, m.sub)}
}

// have adds a member that has no row.
func (o *orderedWalk) have(name []byte, score float64) {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, nameHash+len(name)), format.Hash(name))
	o.sorted = append(o.sorted, orderedMember{append(key, name...), score})
}

func (o *orderedWalk) sort() {
	slices.SortFunc(o.sorted, func(a, b orderedMember) int { return bytes.Compare(a.key, b.key) })
}

// score returns the score of the member it stands at, 1 in a set.
func (o *orderedWalk) score() (float64, error) {
	switch {
	case o.rows.it == nil:
		return o.sorted[o.at-1].score, nil
	case o.scored:
		return format.ZSetScore(o.rows.value)
	}
	return 1, nil
}

// member returns the member it stands at, valid until the next move.
func (o *orderedWalk) member() []byte { return o.key[nameHash:] }

func (o *orderedWalk) next() bool {
	if o.rows.it != nil {
		return o.stand(o.rows.next())
	}
	if o.at == len(o.sorted) {
		o.key, o.ended = nil, true
		return false
	}
	o.key = o.sorted[o.at].key
	o.at++
	return true
}

// stand notes where the iterator over rows has come to.
func (o *orderedWalk) stand(ok bool) bool {
	o.key, o.ended = nil, !ok
	if ok {
		o.key = o.rows.it.Key()[len(o.prefix):]
	}
	return ok
}

// seek moves to the first member at or behind key, and reports whether it is that
// one. Keys must come in ascending order. A key that is near is walked to, which
// is cheaper than a search.
func (o *orderedWalk) seek(key []byte) bool {
	const near = 8
	for steps := 0; !o.ended; steps++ {
		if o.key != nil {
			switch c := bytes.Compare(o.key, key); {
			case c == 0:
				return true
			case c > 0:
				return false
			}
		}
		if steps >= near && o.rows.it != nil {
			o.sought = append(append(o.sought[:0], o.prefix...), key...)
			o.stand(o.rows.seek(o.sought))
		} else {
			o.next()
		}
	}
	return false
}
