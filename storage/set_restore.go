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

// restoreSet makes e a new set of n members.
func (tx *Tx) restoreSet(e *Entry, p *dump.Payload, n int64) error {
	e.Meta.Type, e.Meta.Enc = format.Set, format.EncIntset
	s := Set{members{tx: tx, e: *e, sub: format.SubMember}}
	if n > tx.engine.encodings.set().ints {
		s.encode(format.EncHashtable)
	}
	err := p.Elements(func(e *dump.Element) error {
		added, err := s.Add(e.Name)
		if err == nil && !added {
			return ErrBadValue // no server writes a member twice
		}
		return err
	})
	if err == nil {
		s.Save()
	}
	return err
}
