package storage

import (
	"encoding/binary"

	"cobble/storage/format"
)

// StreamID names an entry of a stream.
type StreamID = format.StreamID

// Stream is a stream key as a transaction sees it: a row for each entry, in the order of ids, and rows of its groups.
// Changes of what Info tells are in the transaction only after Save. A stream without entries is a key like any other.
type Stream struct {
	tx        *Tx
	e         Entry
	info      format.StreamExtra
	changed   bool
	made      bool // it has an object id, though the key did not exist
	firstGone bool // the first entry was deleted: the next is looked for once, by Save
	fields    [][]byte

	segments []segment // sealed ones that were looked up
}

// Stream looks key up; one that does not exist is not Live and has no entries.
func (tx *Tx) Stream(key []byte) (*Stream, error) {
	s := tx.newStream()
	if err := tx.lookupType(&s.e, key, format.Stream); err != nil {
		return nil, err
	}
	return s, s.open()
}

func (tx *Tx) streamOf(e *Entry) (*Stream, error) {
	s := tx.newStream()
	s.e = *e
	return s, s.open()
}

// newStream returns a stream that is zero but for its memory.
func (tx *Tx) newStream() *Stream {
	s := &tx.stream
	if s.tx != nil { // the transaction looks at more than one
		s = new(Stream)
	}
	*s = Stream{tx: tx, fields: s.fields[:0], segments: s.segments[:0]}
	return s
}

// open takes apart what e says.
func (s *Stream) open() error {
	if !s.e.Live {
		s.e.Meta = format.Meta{Type: format.Stream, Enc: format.EncStream, Layout: format.Rows}
		return nil
	}
	return s.info.Decode(s.e.Meta.Extra)
}

// Live reports whether the key exists.
func (s *Stream) Live() bool { return s.e.Live }

// Len returns the number of entries.
func (s *Stream) Len() int64 { return int64(s.e.Meta.Count) }

// Last is the largest id ever generated; First that of the first entry, 0-0 without one; Deleted the largest id that
// was deleted; Added the number of entries ever added; Groups that of groups.
func (s *Stream) Last() StreamID    { return s.info.Last }
func (s *Stream) First() StreamID   { return s.info.First }
func (s *Stream) Deleted() StreamID { return s.info.Deleted }
func (s *Stream) Added() uint64     { return s.info.Added }
func (s *Stream) Groups() int64     { return int64(s.info.Groups) }

// Create makes sure that the key exists.
func (s *Stream) Create() {
	if !s.e.Live && !s.made {
		s.e.Meta.OID, s.made = s.tx.newOID(s.e.Slot), true
	}
	s.changed = true
}

func (s *Stream) prefix(sub byte) []byte {
	return format.AppendElement(s.tx.scratch[:0], uint16(s.e.Slot), s.e.Meta.OID, sub)
}

// entryKey builds the row key of an entry; it is valid until the next row key is built.
func (s *Stream) entryKey(id StreamID) []byte {
	s.tx.scratch = format.AppendStreamID(s.prefix(format.SubStreamEntry), id)
	return s.tx.scratch
}

// Add appends an entry; its id must be larger than Last.
func (s *Stream) Add(id StreamID, fields [][]byte) {
	s.Create()
	s.tx.value = format.AppendStreamFields(s.tx.value[:0], fields)
	s.tx.putRow(s.entryKey(id), s.tx.value)
	if s.e.Meta.Count == 0 {
		s.info.First = id
	}
	size := uint64(len(s.tx.value)) + format.StreamIDBytes
	s.extend(id, size)
	s.e.Meta.Count++
	s.e.Meta.Bytes += size
	s.info.Last = id
	s.info.Added++
}

// Has reports whether there is an entry of this id.
func (s *Stream) Has(id StreamID) (bool, error) {
	if s.e.Meta.Count == 0 || id.Less(s.info.First) || s.info.Last.Less(id) {
		return false, nil
	}
	_, ok, err := s.tx.getRow(s.entryKey(id))
	return ok, err
}

// Fields returns the fields and values of an entry in turn, valid until the next call; ok is false if there is none.
func (s *Stream) Fields(id StreamID) (fields [][]byte, ok bool, err error) {
	if has, err := s.Has(id); err != nil || !has {
		return nil, false, err
	}
	value, ok, err := s.tx.getRow(s.entryKey(id))
	if err != nil || !ok {
		return nil, false, err
	}
	s.fields, err = format.StreamFields(s.fields[:0], value)
	return s.fields, true, err
}

// Delete removes an entry and reports whether it was there.
func (s *Stream) Delete(id StreamID) (bool, error) {
	if has, err := s.Has(id); err != nil || !has {
		return false, err
	}
	value, ok, err := s.tx.getRow(s.entryKey(id))
	if err != nil || !ok {
		return false, err
	}
	size := len(value) // deleting builds a row over it
	s.drop(id, size)
	if err := s.uncount(id, uint64(size)+format.StreamIDBytes); err != nil {
		return false, err
	}
	if s.info.Deleted.Less(id) {
		s.info.Deleted = id
	}
	if s.e.Meta.Count == 0 {
		return true, s.findFirst()
	}
	s.firstGone = s.firstGone || id == s.info.First
	return true, nil
}

// drop deletes the row of an entry and counts that. First may be before the first entry afterwards.
func (s *Stream) drop(id StreamID, size int) {
	s.tx.delRow(s.entryKey(id))
	s.e.Meta.Count--
	s.e.Meta.Bytes -= min(uint64(size)+format.StreamIDBytes, s.e.Meta.Bytes)
	s.changed = true
}

// findFirst looks for the first entry, from where it was.
func (s *Stream) findFirst() error {
	from := s.info.First
	s.info.First, s.firstGone = StreamID{}, false
	if s.e.Meta.Count == 0 {
		return s.forgetSegments()
	}
	w := s.Walk(from, format.MaxStreamID, false)
	if w.Next() {
		s.info.First = w.ID()
	}
	if err := w.Close(); err != nil {
		return err
	}
	return s.forgetSegments()
}

// Save writes what has changed.
func (s *Stream) Save() {
	if !s.changed {
		return
	}
	s.changed = false
	if s.firstGone && !s.tx.engine.opts.mutant.firstStays {
		s.tx.fail(s.findFirst())
	}
	s.saveSegments()
	s.tx.extra = s.info.Append(s.tx.extra[:0])
	s.e.Meta.Extra = s.tx.extra
	s.tx.save(&s.e)
}

// StreamWalk visits entries in the order of their ids, or backwards. It must be closed. Entries that are deleted after
// it began may still be visited.
type StreamWalk struct {
	rows   *rowIter
	back   bool
	begun  bool
	id     StreamID
	fields [][]byte
	err    error
}

// Walk begins a walk over the entries from ≤ id ≤ to.
func (s *Stream) Walk(from, to StreamID, backwards bool) *StreamWalk {
	w := &StreamWalk{back: backwards}
	if from.Less(s.info.First) {
		from = s.info.First // what stood before it may still be in the way, deleted
	}
	if !s.e.Live && !s.made || s.e.Meta.Count == 0 || to.Less(from) {
		return w
	}
	lo := append([]byte{}, s.entryKey(from)...)
	hi := append(append([]byte{}, s.entryKey(to)...), 0)
	w.rows = s.tx.iter(lo, hi)
	return w
}

// Next moves on and reports whether there is an entry.
func (w *StreamWalk) Next() bool {
	if w.rows == nil || w.err != nil {
		return false
	}
	var ok bool
	switch {
	case !w.begun && w.back:
		ok = w.rows.Last()
	case !w.begun:
		ok = w.rows.First()
	case w.back:
		ok = w.rows.Prev()
	default:
		ok = w.rows.Next()
	}
	w.begun = true
	if ok {
		w.id, w.err = format.TailStreamID(w.rows.Key())
	}
	return ok && w.err == nil
}

// ID is that of the entry.
func (w *StreamWalk) ID() StreamID { return w.id }

// Fields returns the entry's fields and values in turn, valid until the next move.
func (w *StreamWalk) Fields() [][]byte {
	w.fields, w.err = format.StreamFields(w.fields[:0], w.rows.Value())
	return w.fields
}

// Close ends the walk and returns the first error it met.
func (w *StreamWalk) Close() error {
	if w.rows == nil {
		return w.err
	}
	if err := w.rows.Close(); w.err == nil {
		w.err = err
	}
	return w.err
}

func appendNumber4(dst []byte, n uint64) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }
