package storage

import (
	"cobble/storage/format"
	"cobble/storage/intset"
	"cobble/storage/listpack"
)

// A set of up to inlineSetMembers members that take up to inlineSetBytes bytes
// stands in its metadata row: as an intset if that is its encoding, else as a
// listpack (a result that was stored is so up to storedSetMembers and storedSetBytes). Any other set has a row for each member, and stays so: Count is its
// members, Bytes their lengths.
const (
	inlineSetMembers = 128
	inlineSetBytes   = 2 << 10
)

// Set is a set key as a transaction sees it. Changes are in the transaction only
// after Save. It is a value for one command: while it is in use nothing else may
// change the key, nor is a second Set to be changed before the first is saved.
type Set struct{ members }

// Set looks key up; a key that does not exist is a set without members.
func (tx *Tx) Set(key []byte) (s Set, err error) {
	s.tx, s.sub = tx, format.SubMember
	if err = tx.lookupType(&s.e, key, format.Set); err == nil {
		err = s.open()
	}
	return s, err
}

// setOf returns the set of a key that holds one, or does not exist.
func (tx *Tx) setOf(e *Entry) (Set, error) {
	s := Set{members{tx: tx, e: *e, sub: format.SubMember}}
	return s, s.open()
}

// open takes apart what e says.
func (s *Set) open() error {
	if !s.e.Live {
		s.e.Meta = format.Meta{Type: format.Set, Enc: format.EncIntset}
		return nil
	}
	s.packed = s.e.Meta.Inline
	if s.inline() && s.e.Meta.Enc == format.EncIntset && !intset.Valid(s.packed) {
		return format.ErrCorrupt
	}
	return nil
}

// replaceSet returns a set without members that takes the place of whatever key
// holds; Save deletes the key if there are none then.
func (tx *Tx) replaceSet(key []byte) (Set, error) {
	e, err := tx.Lookup(key)
	e.Meta = format.Meta{Type: format.Set, Enc: format.EncIntset}
	return Set{members{tx: tx, e: e, sub: format.SubMember, changed: true}}, err
}

// Len returns the number of members.
func (s *Set) Len() int64 {
	switch {
	case !s.inline():
		return int64(s.e.Meta.Count)
	case s.packed == nil:
		return 0
	case s.e.Meta.Enc == format.EncIntset:
		return int64(intset.Len(s.packed))
	}
	return int64(listpack.Count(s.packed))
}

// Has reports whether member is in the set.
func (s *Set) Has(member []byte) (bool, error) {
	if !s.inline() {
		_, ok, err := s.row(member)
		return ok, err
	}
	at, err := s.find(member)
	return at.found, err
}

// inSet says where a member is in an inline set, or where in an intset it would be.
type inSet struct {
	found    bool
	from, to int // listpack: offsets; intset: from is its number
}

func (s *Set) find(member []byte) (at inSet, err error) {
	switch {
	case s.packed == nil:
	case s.e.Meta.Enc == format.EncIntset:
		if v, isInt := listpack.ParseInt(member); isInt {
			at.from, at.found = intset.Find(s.packed, v)
		}
	default:
		at.from, at.to, at.found, err = listpack.Index(s.packed, member)
	}
	return at, err
}

// Expect announces that a command will add n members, of which first is one. That
// has an effect on the encoding.
func (s *Set) Expect(first []byte, n int64) {
	limits := s.tx.engine.encodings.set()
	enc := limits.created(first, n)
	if s.Live() {
		enc = limits.expecting(s.e.Meta.Enc, n)
		s.changed = s.changed || enc != s.e.Meta.Enc
	}
	s.encode(enc)
}

// encode changes the encoding, and with it how an inline set is packed.
func (s *Set) encode(enc format.Enc) {
	was := s.e.Meta.Enc
	s.e.Meta.Enc = enc
	if !s.inline() || s.packed == nil || (was == format.EncIntset) == (enc == format.EncIntset) {
		return
	}
	ints := s.packed
	if s.own {
		ints = append([]byte(nil), ints...)
	}
	lp := listpack.New(s.tx.build[:0])
	for i := range intset.Len(ints) {
		lp = listpack.Push(lp, s.tx.text(listpack.Element{IsInt: true, Int: intset.At(ints, i)}, 2))
	}
	s.setPacked(lp)
	s.own = true
}

// Add adds a member and reports whether it is new.
func (s *Set) Add(member []byte) (added bool, err error) {
	if !s.inline() {
		return s.addRow(member)
	}
	at, err := s.find(member)
	if err != nil || at.found {
		return false, err
	}
	s.changed = true
	n, limits := s.Len(), s.tx.engine.encodings.set()
	s.encode(limits.grown(s.e.Meta.Enc, n, member, s.longestMember(limits)))
	isInts := s.e.Meta.Enc == format.EncIntset
	if n >= inlineSetMembers || !isInts && len(s.packed)+listpack.ElementSize(member) > inlineSetBytes {
		if err := s.toRows(); err != nil {
			return false, err
		}
		s.putMember(member)
		return true, nil
	}
	if isInts {
		v, _ := listpack.ParseInt(member)
		s.takeOwn(emptyIntset[:])
		s.setPacked(intset.Insert(s.packed, at.from, v))
	} else {
		s.takeOwn(emptyListpack[:])
		s.setPacked(listpack.Push(s.packed, member))
	}
	return true, nil
}

var emptyIntset = [...]byte{2, 0, 0, 0, 0, 0, 0, 0}

func (s *Set) addRow(member []byte) (added bool, err error) {
	_, found, err := s.row(member)
	if err != nil || found && !s.tx.engine.opts.mutant.setCountsTwice {
		return false, err
	}
	s.changed = true
	s.e.Meta.Enc = s.tx.engine.encodings.set().grown(s.e.Meta.Enc, s.Len(), member, 0)
	s.putMember(member)
	return true, nil
}

// putMember writes the row of a member that has none.
func (s *Set) putMember(member []byte) {
	s.tx.putRow(s.rowKey(member), nil)
	s.e.Meta.Count++
	s.e.Meta.Bytes += uint64(len(member))
}

// toRows changes the layout from Inline to Rows.
func (s *Set) toRows() error {
	w := s.Walk()
	w.text = 2 // a walk over another set may be where the new member comes from
	s.beginRows()
	for w.Next() {
		s.putMember(w.Member())
	}
	return w.Close()
}

// Delete deletes a member and reports whether it was there.
func (s *Set) Delete(member []byte) (bool, error) {
	if !s.inline() {
		_, found, err := s.row(member)
		if err != nil || !found {
			return false, err
		}
		s.changed = true
		s.e.Meta.Count--
		s.e.Meta.Bytes -= uint64(len(member))
		s.tx.delRow(s.rowKey(member))
		return true, nil
	}
	at, err := s.find(member)
	if err != nil || !at.found {
		return false, err
	}
	s.changed = true
	s.takeOwn(nil)
	if s.e.Meta.Enc == format.EncIntset {
		s.setPacked(intset.Remove(s.packed, at.from))
	} else {
		s.setPacked(listpack.Remove(s.packed, at.from, at.to))
	}
	return true, nil
}

// Save writes the changes to the transaction. A set without members is deleted.
func (s *Set) Save() { s.save(s.Len()) }
