package storage

import (
	"bytes"

	"cobble/storage/format"
)

// A long stream is cut in segments that are counted, so that the entry with an index, and how many there are before an
// id, is found without a walk from an end: format/stream.go. A segment is sealed, and gets a row, when the next one
// begins; XDEL in it changes the row. The entries before the first segment are those that nobody has counted, so to
// trim entries is to forget the segments that are no longer whole.

// defaultSegmentRows is how many entries one segment takes.
const defaultSegmentRows = 4096

// segment is a part of a stream, from an id up to where the next begins.
type segment struct {
	from StreamID
	format.StreamSegment
	until   StreamID // that of a sealed one that was looked up
	changed bool     // its row is to be written
}

// segmentKey builds the row key of a sealed segment; it is valid until the next row key is built.
func (s *Stream) segmentKey(from StreamID) []byte {
	s.tx.scratch = format.AppendStreamID(s.prefix(format.SubStreamSegment), from)
	return s.tx.scratch
}

func (s *Stream) putSegment(g *segment) {
	s.tx.value = g.Append(s.tx.value[:0])
	s.tx.putRow(s.segmentKey(g.from), s.tx.value)
}

// extend counts an entry that comes behind all others.
func (s *Stream) extend(id StreamID, size uint64) {
	x, every := &s.info, uint64(s.tx.engine.opts.segmentRows)
	switch {
	case x.Open.IsZero() && s.e.Meta.Count < every:
		return
	case x.Open.IsZero():
		x.Open = id
	case x.OpenSegment.Entries >= every:
		s.putSegment(&segment{from: x.Open, StreamSegment: x.OpenSegment})
		if x.Sealed.IsZero() {
			x.Sealed = x.Open
		}
		x.Open, x.OpenSegment = id, format.StreamSegment{}
	}
	x.OpenSegment.Entries++
	x.OpenSegment.Bytes += size
}

// uncount takes an entry that is deleted off its segment.
func (s *Stream) uncount(id StreamID, size uint64) error {
	x := &s.info
	switch {
	case x.Open.IsZero():
		return nil
	case !id.Less(x.Open):
		x.OpenSegment.Entries--
		x.OpenSegment.Bytes -= min(size, x.OpenSegment.Bytes)
		return nil
	case x.Sealed.IsZero() || id.Less(x.Sealed) || s.tx.engine.opts.mutant.segmentUncounted:
		return nil
	}
	g, err := s.segmentOf(id)
	if err != nil {
		return err
	}
	g.Entries--
	g.Bytes -= min(size, g.Bytes)
	g.changed = true
	return nil
}

// segmentOf returns the sealed segment that an id is in. Save writes what is changed of it.
func (s *Stream) segmentOf(id StreamID) (*segment, error) {
	for i := len(s.segments) - 1; i >= 0; i-- { // who deletes very many goes on in the last one
		if g := &s.segments[i]; !id.Less(g.from) && id.Less(g.until) {
			return g, nil
		}
	}
	g := segment{until: s.info.Open}
	it := s.tx.iter(bytes.Clone(s.segmentKey(s.info.Sealed)), bytes.Clone(s.segmentKey(s.info.Open)))
	found := it.SeekLT(append(bytes.Clone(s.segmentKey(id)), 0))
	err := s.readSegment(it, found, &g)
	if err == nil && it.Next() {
		g.until, err = format.TailStreamID(it.Key())
	}
	if e := it.Close(); e != nil {
		err = e
	}
	s.segments = append(s.segments, g)
	return &s.segments[len(s.segments)-1], err
}

// readSegment reads the row that an iterator stands at, if it is one.
func (s *Stream) readSegment(it *rowIter, is bool, g *segment) (err error) {
	if !is {
		return format.ErrCorrupt // somebody says there is one
	}
	if g.from, err = format.TailStreamID(it.Key()); err == nil {
		err = g.Decode(it.Value())
	}
	return err
}

// saveSegments writes the rows that have changed.
func (s *Stream) saveSegments() {
	for i := range s.segments {
		if g := &s.segments[i]; g.changed {
			s.putSegment(g)
		}
	}
	s.segments = s.segments[:0]
}

// allSegments returns all parts of a stream that has entries: what stands before the segments, those that are sealed, and
// the open one.
func (s *Stream) allSegments() ([]segment, error) {
	s.saveSegments()
	x := &s.info
	head := segment{from: x.First, StreamSegment: format.StreamSegment{Entries: s.e.Meta.Count, Bytes: s.e.Meta.Bytes}}
	all := []segment{head}
	if x.Open.IsZero() {
		return all, nil
	}
	if !x.Sealed.IsZero() {
		it := s.tx.iter(bytes.Clone(s.segmentKey(x.Sealed)), bytes.Clone(s.segmentKey(x.Open)))
		for ok := it.First(); ok; ok = it.Next() {
			var g segment
			if err := s.readSegment(it, true, &g); err != nil {
				_ = it.Close()
				return nil, err
			}
			all = append(all, g)
		}
		if err := it.Close(); err != nil {
			return nil, err
		}
	}
	all = append(all, segment{from: x.Open, StreamSegment: x.OpenSegment})
	for _, g := range all[1:] {
		if g.Entries > all[0].Entries {
			return nil, format.ErrCorrupt
		}
		all[0].Entries -= g.Entries
		all[0].Bytes -= min(g.Bytes, all[0].Bytes)
	}
	return all, nil
}

// forgetSegments forgets the segments that begin before the first entry: what is left of them is not counted any more.
func (s *Stream) forgetSegments() error {
	x := &s.info
	empty := s.e.Meta.Count == 0
	if x.Open.IsZero() || !empty && !x.Sealed.Less(x.First) && !x.Open.Less(x.First) {
		return nil
	}
	s.saveSegments()
	if !x.Sealed.IsZero() && (empty || x.Sealed.Less(x.First)) {
		it := s.tx.iter(bytes.Clone(s.segmentKey(x.Sealed)), bytes.Clone(s.segmentKey(x.Open)))
		x.Sealed = StreamID{}
		for ok := it.First(); ok; ok = it.Next() {
			from, err := format.TailStreamID(it.Key())
			if err != nil {
				_ = it.Close()
				return err
			}
			if !empty && !from.Less(x.First) {
				x.Sealed = from
				break
			}
			s.tx.delRow(it.Key())
		}
		if err := it.Close(); err != nil {
			return err
		}
	}
	if empty || x.Open.Less(x.First) {
		x.Open, x.OpenSegment = StreamID{}, format.StreamSegment{}
	}
	return nil
}
