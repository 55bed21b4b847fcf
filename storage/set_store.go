package storage

import (
	"cobble/storage/format"
	"cobble/storage/intset"
	"cobble/storage/listpack"
)

// StoreIntersection makes key the set of what all of sets have, in place of
// whatever it was, and returns the number of members; none leave no key.
func (tx *Tx) StoreIntersection(key []byte, sets []Set) (int64, error) {
	s, err := tx.gather(key, sets, Intersect)
	s.Save()
	return s.Len(), err
}

// StoreUnion makes key the set of what any of sets has, likewise.
func (tx *Tx) StoreUnion(key []byte, sets []Set) (int64, error) {
	s, err := tx.gather(key, sets, Union)
	s.Save()
	return s.Len(), err
}

// StoreDifference makes key the set of what the first of sets has and no other,
// likewise.
func (tx *Tx) StoreDifference(key []byte, sets []Set) (int64, error) {
	s, err := tx.gather(key, sets, Subtract)
	if err == nil && s.Len() > 0 && removes(sets) {
		var enc format.Enc
		enc, err = sets[0].encodingOfCopy()
		s.encode(enc)
	}
	s.Save()
	return s.Len(), err
}

func (tx *Tx) gather(key []byte, sets []Set, compute func([]Set, func(member []byte) bool) error) (Set, error) {
	s, err := tx.replaceSet(key)
	if err != nil {
		return s, err
	}
	if computed := compute(sets, func(member []byte) bool {
		err = s.addNew(member)
		return err == nil
	}); computed != nil {
		err = computed
	}
	return s, err
}

// A result that is stored stands in its metadata row up to these sizes, as that of sorted sets does (storedZSetMembers).
const (
	storedSetMembers = 2 * inlineSetMembers
	storedSetBytes   = 3 * inlineSetBytes
)

// addNew adds a member, which is not in it, to a result.
func (s *Set) addNew(member []byte) error {
	limits := s.tx.engine.encodings.set()
	s.changed = true
	if !s.inline() {
		s.e.Meta.Enc = limits.grown(s.e.Meta.Enc, s.Len(), member, 0)
		s.putMember(member)
		return s.tx.err
	}
	n := s.Len()
	s.encode(limits.grown(s.e.Meta.Enc, n, member, s.longestMember(limits)))
	isInts := s.e.Meta.Enc == format.EncIntset
	switch {
	case n >= storedSetMembers || !isInts && len(s.packed)+listpack.ElementSize(member) > storedSetBytes:
		if err := s.toRows(); err != nil {
			return err
		}
		s.putMember(member)
	case isInts:
		v, _ := listpack.ParseInt(member)
		s.takeOwn(emptyIntset[:])
		at, _ := intset.Find(s.packed, v)
		s.setPacked(intset.Insert(s.packed, at, v))
	default:
		s.takeOwn(emptyListpack[:])
		s.setPacked(listpack.Push(s.packed, member))
	}
	return nil
}

// removes reports whether Redis would take a difference by adding the whole first
// set to the result and removing the others from it, which shows in the encoding.
func removes(sets []Set) bool {
	one, two := int64(0), int64(0)
	for i := range sets {
		if sets[i].Live() {
			one += sets[0].Len()
			two += sets[i].Len()
		}
	}
	return one/2 > two
}

// encodingOfCopy is what the encoding of a new set becomes that is given all members.
func (s *Set) encodingOfCopy() (format.Enc, error) {
	limits := s.tx.engine.encodings.set()
	enc, n := format.EncIntset, int64(0)
	w := s.Walk()
	for w.Next() && enc != format.EncHashtable {
		enc = limits.grown(enc, n, w.Member(), 0)
		n++
	}
	return enc, w.Close()
}
