package storage

import (
	"bytes"
	"cmp"
	"container/heap"
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
	cold := false // then the operation runs again: all that is cold is asked for at once
walk:
	for w.Next() {
		for i := range others {
			switch ok, err := others[i].Has(w.Member()); {
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
	next := make(byKey, 0, len(walks))
	for _, w := range walks {
		if w.next() {
			next = append(next, w)
		}
	}
	heap.Init(&next)
	var last []byte
	for some := false; len(next) > 0; some = true {
		w := next[0]
		if !some || !bytes.Equal(w.key, last) {
			last = append(last[:0], w.key...)
			if !f(w.member()) {
				break
			}
		}
		if w.next() {
			heap.Fix(&next, 0)
		} else {
			heap.Pop(&next)
		}
	}
	return closeAll(walks)
}

// byKey is a heap of walks that stand at a member.
type byKey []*orderedWalk

func (h byKey) Len() int           { return len(h) }
func (h byKey) Less(i, j int) bool { return bytes.Compare(h[i].key, h[j].key) < 0 }
func (h byKey) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *byKey) Push(x any)        { *h = append(*h, x.(*orderedWalk)) }
func (h *byKey) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// orderedWalk visits the members of a set in the order in which rows of them lie.
// An inline set is sorted for it.
type orderedWalk struct {
	rows   memberRows // rows.it nil: layout Inline
	prefix []byte     // of the row keys
	sought []byte     // a row key
	sorted [][]byte
	at     int
	key    []byte // hash and name of the member it stands at; nil before the first and at the end
	ended  bool
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
	o := &orderedWalk{}
	if !s.inline() {
		o.rows = s.rows()
		o.prefix = format.AppendElement(nil, uint16(s.e.Slot), s.e.Meta.OID, s.sub)
		return o, nil
	}
	w := s.Walk()
	for w.Next() {
		name := w.Member()
		h := format.Hash(name)
		key := append(make([]byte, 0, nameHash+len(name)), byte(h>>56), byte(h>>48), byte(h>>40), byte(h>>32), byte(h>>24), byte(h>>16), byte(h>>8), byte(h))
		o.sorted = append(o.sorted, append(key, name...))
	}
	slices.SortFunc(o.sorted, bytes.Compare)
	return o, w.Close()
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
	o.key = o.sorted[o.at]
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
