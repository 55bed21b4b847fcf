package format

import (
	"encoding/binary"
	"strconv"
)

// Rows of a stream, which always has layout Rows, format version 1. An id is ms(8) seq(8); names, times and counts are
// as in Redis; gid and cid number the groups of a stream and the consumers of a group and are never used again.
//
//	'e' id            entry     = count { length bytes }              fields and values in turn
//	'g' name          group     = gid last-ms last-seq read+1 pending next-cid
//	'n' gid(4) name   consumer  = cid seen active+1 pending
//	'p' gid(4) id     pending   = cid delivered times
//	'q' gid(4) cid(4) id        nothing
//	's' id            segment   = entries bytes                       from id on, up to the next segment
//
//	extra of the metadata = last-ms last-seq first-ms first-seq deleted-ms deleted-seq added next-gid groups [ segments ]
//	segments              = open-ms open-seq open-entries open-bytes sealed-ms sealed-seq
//
// Entries before the first were trimmed; rows of them may still be there, waiting for the collector. A long stream is cut
// in segments: the open one ends it, those before it are sealed and have a row each; sealed is the first of these, 0-0 if
// there is none. What is neither in a sealed segment nor in the open one stands before them.
//
// All numbers that have no width are uvarints; read+1 and active+1 are 0 if it is not known.
const (
	SubStreamEntry    byte = 'e'
	SubStreamGroup    byte = 'g'
	SubStreamConsumer byte = 'n'
	SubStreamPending  byte = 'p'
	SubStreamOwned    byte = 'q'
	SubStreamSegment  byte = 's'

	// StreamIDBytes is the length of an id in a row key.
	StreamIDBytes = 16
)

// StreamID names an entry; ids are ordered.
type StreamID struct{ MS, Seq uint64 }

// String is the id as Redis writes it.
func (id StreamID) String() string {
	return strconv.FormatUint(id.MS, 10) + "-" + strconv.FormatUint(id.Seq, 10)
}

// MaxStreamID is the largest id.
var MaxStreamID = StreamID{1<<64 - 1, 1<<64 - 1}

// Less reports whether id comes before other.
func (id StreamID) Less(other StreamID) bool {
	return id.MS < other.MS || id.MS == other.MS && id.Seq < other.Seq
}

// IsZero reports whether id is 0-0, which no entry has.
func (id StreamID) IsZero() bool { return id == StreamID{} }

// Next returns the id after this one; ok is false if this is the largest.
func (id StreamID) Next() (next StreamID, ok bool) {
	switch {
	case id.Seq != 1<<64-1:
		return StreamID{id.MS, id.Seq + 1}, true
	case id.MS != 1<<64-1:
		return StreamID{id.MS + 1, 0}, true
	}
	return id, false
}

// Prev returns the id before this one; ok is false if this is 0-0.
func (id StreamID) Prev() (prev StreamID, ok bool) {
	switch {
	case id.Seq != 0:
		return StreamID{id.MS, id.Seq - 1}, true
	case id.MS != 0:
		return StreamID{id.MS - 1, 1<<64 - 1}, true
	}
	return id, false
}

// AppendStreamID appends an id so that bytes are ordered as ids are.
func AppendStreamID(dst []byte, id StreamID) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, id.MS), id.Seq)
}

// TailStreamID returns the id at the end of a row key.
func TailStreamID(row []byte) (StreamID, error) {
	if len(row) < StreamIDBytes {
		return StreamID{}, ErrCorrupt
	}
	at := row[len(row)-StreamIDBytes:]
	return StreamID{binary.BigEndian.Uint64(at), binary.BigEndian.Uint64(at[8:])}, nil
}

// StreamExtra are the extra bytes of a stream's metadata.
type StreamExtra struct {
	Last, First, Deleted StreamID // First is 0-0 of an empty stream; Deleted is the largest id that was deleted
	Added                uint64   // entries ever added
	NextGroup, Groups    uint64

	Open, Sealed StreamID // where the open and the first sealed segment begin; 0-0: there is none
	OpenSegment  StreamSegment
}

// StreamSegment counts entries, and their bytes.
type StreamSegment struct{ Entries, Bytes uint64 }

// StreamGroup is a group's row.
type StreamGroup struct {
	GID          uint64
	Last         StreamID
	Read         int64 // entries read, -1 if not known
	Pending      uint64
	NextConsumer uint64
}

// StreamConsumer is a consumer's row. Times are Unix milliseconds.
type StreamConsumer struct {
	CID     uint64
	Seen    uint64
	Active  int64 // -1: never
	Pending uint64
}

// StreamPending is the row of an entry that was delivered and not acknowledged.
type StreamPending struct{ CID, Time, Count uint64 }

func appendNumbers(dst []byte, numbers ...uint64) []byte {
	for _, n := range numbers {
		dst = binary.AppendUvarint(dst, n)
	}
	return dst
}

// cutNumbers reads numbers and returns what is behind them.
func cutNumbers(b []byte, numbers ...*uint64) ([]byte, error) {
	for _, n := range numbers {
		v, w := binary.Uvarint(b)
		if w <= 0 {
			return nil, ErrCorrupt
		}
		*n, b = v, b[w:]
	}
	return b, nil
}

func readNumbers(b []byte, numbers ...*uint64) error {
	b, err := cutNumbers(b, numbers...)
	if err == nil && len(b) != 0 {
		err = ErrCorrupt
	}
	return err
}

// Append appends the encoding.
func (x *StreamExtra) Append(dst []byte) []byte {
	dst = appendNumbers(dst, x.Last.MS, x.Last.Seq, x.First.MS, x.First.Seq, x.Deleted.MS, x.Deleted.Seq, x.Added, x.NextGroup, x.Groups)
	if x.Open.IsZero() {
		return dst
	}
	return appendNumbers(dst, x.Open.MS, x.Open.Seq, x.OpenSegment.Entries, x.OpenSegment.Bytes, x.Sealed.MS, x.Sealed.Seq)
}

// Decode reads what Append wrote.
func (x *StreamExtra) Decode(b []byte) error {
	*x = StreamExtra{}
	b, err := cutNumbers(b, &x.Last.MS, &x.Last.Seq, &x.First.MS, &x.First.Seq, &x.Deleted.MS, &x.Deleted.Seq, &x.Added, &x.NextGroup, &x.Groups)
	if err != nil || len(b) == 0 {
		return err
	}
	return readNumbers(b, &x.Open.MS, &x.Open.Seq, &x.OpenSegment.Entries, &x.OpenSegment.Bytes, &x.Sealed.MS, &x.Sealed.Seq)
}

// Append appends the encoding.
func (g *StreamSegment) Append(dst []byte) []byte { return appendNumbers(dst, g.Entries, g.Bytes) }

// Decode reads what Append wrote.
func (g *StreamSegment) Decode(b []byte) error { return readNumbers(b, &g.Entries, &g.Bytes) }

// Append appends the encoding.
func (g *StreamGroup) Append(dst []byte) []byte {
	return appendNumbers(dst, g.GID, g.Last.MS, g.Last.Seq, uint64(g.Read+1), g.Pending, g.NextConsumer)
}

// Decode reads what Append wrote.
func (g *StreamGroup) Decode(b []byte) error {
	var read uint64
	err := readNumbers(b, &g.GID, &g.Last.MS, &g.Last.Seq, &read, &g.Pending, &g.NextConsumer)
	g.Read = int64(read) - 1
	return err
}

// Append appends the encoding.
func (c *StreamConsumer) Append(dst []byte) []byte {
	return appendNumbers(dst, c.CID, c.Seen, uint64(c.Active+1), c.Pending)
}

// Decode reads what Append wrote.
func (c *StreamConsumer) Decode(b []byte) error {
	var active uint64
	err := readNumbers(b, &c.CID, &c.Seen, &active, &c.Pending)
	c.Active = int64(active) - 1
	return err
}

// Append appends the encoding.
func (p *StreamPending) Append(dst []byte) []byte { return appendNumbers(dst, p.CID, p.Time, p.Count) }

// Decode reads what Append wrote.
func (p *StreamPending) Decode(b []byte) error { return readNumbers(b, &p.CID, &p.Time, &p.Count) }

// AppendStreamFields appends an entry's row.
func AppendStreamFields(dst []byte, fields [][]byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, f := range fields {
		dst = append(binary.AppendUvarint(dst, uint64(len(f))), f...)
	}
	return dst
}

// StreamFields appends the fields and values of an entry's row, which they alias.
func StreamFields(dst [][]byte, b []byte) ([][]byte, error) {
	count, w := binary.Uvarint(b)
	if w <= 0 || count > uint64(len(b)) {
		return dst, ErrCorrupt
	}
	b = b[w:]
	for range count {
		field, rest, ok := cutCounted(b)
		if !ok {
			return dst, ErrCorrupt
		}
		dst, b = append(dst, field), rest
	}
	if len(b) != 0 {
		return dst, ErrCorrupt
	}
	return dst, nil
}
