package storage

import (
	"strconv"

	"cobble/storage/format"
)

// defaultTrimRows is how many entries are trimmed one by one. More are left where they are, before the first entry, for
// the collector: what such a command costs does not depend on how many they are.
const defaultTrimRows = 1024

// Trim removes entries from the beginning, up to n of them and none after the id; it returns how many.
func (s *Stream) Trim(n int64, last StreamID) (removed int64, err error) {
	if n <= 0 || s.e.Meta.Count == 0 || last.Less(s.info.First) {
		return 0, nil
	}
	few := int64(s.tx.engine.opts.trimRows)
	if n > few {
		if n, err = s.count(last, n); err != nil {
			return 0, err
		}
	}
	if n > few {
		return s.trimRange(n, last)
	}
	w := s.Walk(s.info.First, last, false)
	var next StreamID
	for removed < n && w.Next() {
		id := w.ID()
		s.drop(id, len(w.rows.Value()))
		next = id
		removed++
	}
	if err := w.Close(); err != nil || removed == 0 {
		return removed, err
	}
	s.info.First = next
	return removed, s.findFirst()
}

// Count returns how many entries there are before an id, but not more than limit.
func (s *Stream) Count(before StreamID, limit int64) (n int64, err error) {
	last, ok := before.Prev()
	if !ok || s.e.Meta.Count == 0 || last.Less(s.info.First) {
		return 0, nil
	}
	return s.count(last, limit)
}

// count returns how many entries there are up to an id, but not more than limit: few are counted one by one.
func (s *Stream) count(last StreamID, limit int64) (n int64, err error) {
	few := int64(s.tx.engine.opts.trimRows)
	w := s.Walk(s.info.First, last, false)
	for n < limit && n <= few && w.Next() {
		n++
	}
	if err := w.Close(); err != nil || n <= few {
		return n, err
	}
	c, err := s.find(limit, last)
	return int64(c.before.Entries), err
}

// cut is a place in a stream: how much is before it, and the first entry behind; 0-0 is the end.
type cut struct {
	before format.StreamSegment
	first  StreamID
}

// find finds the place behind up to n entries and behind none after the id.
func (s *Stream) find(n int64, last StreamID) (c cut, err error) {
	all, err := s.allSegments()
	if err != nil {
		return c, err
	}
	for len(all) > 1 && c.before.Entries+all[0].Entries <= uint64(n) && !last.Less(all[1].from) {
		c.before.Entries += all[0].Entries
		c.before.Bytes += all[0].Bytes
		all = all[1:]
	}
	w := s.Walk(all[0].from, format.MaxStreamID, false)
	for w.Next() {
		if c.before.Entries == uint64(n) || last.Less(w.ID()) {
			c.first = w.ID()
			break
		}
		c.before.Entries++
		c.before.Bytes += uint64(len(w.rows.Value())) + format.StreamIDBytes
	}
	return c, w.Close()
}

// trimRange is Trim of many entries.
func (s *Stream) trimRange(n int64, last StreamID) (int64, error) {
	c, err := s.find(n, last)
	if err != nil {
		return 0, err
	}
	m := &s.e.Meta
	if c.before.Entries > m.Count || (c.before.Entries == m.Count) != c.first.IsZero() {
		return 0, format.ErrCorrupt
	}
	m.Count -= c.before.Entries
	m.Bytes -= min(c.before.Bytes, m.Bytes)
	bound := format.AppendStreamID(nil, c.first)
	if m.Count == 0 {
		m.Bytes = 0
		bound = append(format.AppendStreamID(nil, s.info.Last), 0)
	}
	s.info.First = c.first
	s.changed = true
	if !s.tx.engine.opts.mutant.trimUnmarked {
		s.tx.putRow(format.AppendGarbagePart(nil, uint16(s.e.Slot), m.OID, format.SubStreamEntry), bound)
	}
	return int64(c.before.Entries), s.forgetSegments()
}

// renew gives a stream without entries, whose ids are about to start again, an object of its own: rows of entries that
// were trimmed may still be there, and new ones must not come among them. It copies the groups, and all that is pending:
// of much, in pieces.
func (s *Stream) renew(last, deleted StreamID, added uint64) error {
	old := s.e.Meta
	rows := rowRange{format.AppendElement(nil, uint16(s.e.Slot), old.OID, format.SubStreamEntry+1), format.AppendObject(nil, uint16(s.e.Slot), old.OID+1)}
	many, err := s.tx.manyRows(rows)
	if err != nil {
		return err
	}
	if many > 0 && !s.tx.engine.opts.mutant.renewAtOnce {
		args := [][]byte{[]byte("XSETID"), s.e.Key, []byte(last.String()), []byte("ENTRIESADDED"), strconv.AppendUint(nil, added, 10)}
		if !deleted.IsZero() && !last.Less(deleted) { // else Redis refuses it, and has the same already
			args = append(args, []byte("MAXDELETEDID"), []byte(deleted.String()))
		}
		if err := s.tx.Long(many, 0, args...); err != nil {
			return err
		}
	}
	s.e.Meta.OID, s.made = s.tx.newOID(s.e.Slot), true
	if err := s.tx.copyRows(rows, &s.e); err != nil {
		return err
	}
	s.tx.putRow(format.AppendGarbageKey(nil, uint16(s.e.Slot), old.OID), nil)
	return nil
}

// manyRows counts rows as far as an operation takes them in one hold of its slots, and returns 0 if that is all.
func (tx *Tx) manyRows(r rowRange) (n int64, err error) {
	it := tx.iter(r.lo, r.hi)
	for ok := it.First(); ok; ok = it.Next() {
		if n++; tx.Large(n, 0) {
			return n, it.Close()
		}
	}
	return 0, it.Close()
}

// Set replaces what XSETID sets.
func (s *Stream) Set(last, deleted StreamID, added uint64) error {
	if s.e.Meta.Count == 0 && last.Less(s.info.Last) && !s.tx.engine.opts.mutant.idsAgain {
		if err := s.renew(last, deleted, added); err != nil {
			return err
		}
	}
	s.info.Last, s.info.Deleted, s.info.Added = last, deleted, added
	s.changed = true
	return nil
}
