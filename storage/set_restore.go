package storage

import (
	"cobble/storage/dump"
	"cobble/storage/format"
)

// dumpSet appends the type and the members of a live set.
func (tx *Tx) dumpSet(dst []byte, e *Entry) ([]byte, error) {
	s, err := tx.setOf(e)
	if err != nil {
		return dst, err
	}
	dst = dump.AppendLength(append(dst, dump.TypeSet), uint64(s.Len()))
	w := s.Walk()
	for w.Next() {
		dst = dump.AppendString(dst, w.Member())
	}
	return dst, w.Close()
}

// restoreSet makes e a new set.
func (tx *Tx) restoreSet(e *Entry, names [][]byte) error {
	e.Meta.Type, e.Meta.Enc = format.Set, format.EncIntset
	s := Set{members{tx: tx, e: *e, sub: format.SubMember}}
	if int64(len(names)) > tx.engine.encodings.set().ints {
		s.encode(format.EncHashtable)
	}
	for _, member := range names {
		added, err := s.Add(member)
		if err != nil {
			return err
		}
		if !added {
			return ErrBadValue // no server writes a member twice
		}
	}
	s.Save()
	return nil
}
