package dump

import (
	"encoding/binary"
	"strconv"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// The value of a stream:
//
//	value    = nodes node* length last-ms last-seq first-ms first-seq deleted-ms deleted-seq added groups group*
//	node     = string(id of the node, 16 bytes BE) string(listpack)
//	listpack = count deleted fields field* 0 entry*
//	entry    = flags ms-diff seq-diff fields (field value)* size     flag 1: deleted; 2: the node's own fields, only values here
//	group    = name last-ms last-seq read pending (id(16) time(8) times)* consumers consumer*
//	consumer = name seen(8) active(8) pending id(16)*
//
// Type 15 has neither first, deleted, added nor read; types 15 and 19 have no active. Type 19 is written.
const (
	TypeStream  byte = 19
	typeStream1 byte = 15
	typeStream3 byte = 21

	entryDeleted    = 1
	entrySameFields = 2

	nodeEntries = 100
	nodeBytes   = 4096
)

// Stream is a decoded stream, or one to be written.
type Stream struct {
	Entries []StreamEntry // in order of their ids
	format.StreamExtra
	Groups []StreamGroup
}

// StreamEntry is an entry: fields and values in turn.
type StreamEntry struct {
	ID     format.StreamID
	Fields [][]byte
}

// StreamGroup is a group of consumers. The numbers in Pending's CID are places in Consumers.
type StreamGroup struct {
	Name      []byte
	Last      format.StreamID
	Read      int64 // -1: not known
	Pending   []StreamPending
	Consumers []StreamConsumer
}

// StreamPending is an entry that is not acknowledged.
type StreamPending struct {
	ID format.StreamID
	format.StreamPending
}

// StreamConsumer is a consumer. Pending is only what the payload lists.
type StreamConsumer struct {
	Name         []byte
	Seen, Active int64 // Unix milliseconds; Active -1: never
	Pending      []format.StreamID
}

// AppendStream appends a stream, type byte first.
func AppendStream(dst []byte, s *Stream) []byte {
	dst = append(dst, TypeStream)
	var nodes []byte
	count := uint64(0)
	for from := 0; from < len(s.Entries); count++ {
		n, size := 0, 0
		for _, e := range s.Entries[from:] {
			if NodeFull(n, size) {
				break
			}
			size += e.size()
			n++
		}
		nodes = AppendStreamNode(nodes, s.Entries[from:from+n])
		from += n
	}
	dst = append(AppendLength(dst, count), nodes...)
	dst = AppendStreamExtra(dst, uint64(len(s.Entries)), &s.StreamExtra, len(s.Groups))
	for i := range s.Groups {
		dst = appendStreamGroup(dst, &s.Groups[i])
	}
	return dst
}

func (e *StreamEntry) size() (n int) {
	for _, f := range e.Fields {
		n += len(f)
	}
	return n
}

// NodeFull reports whether a node of n entries, whose fields and values have size bytes, takes no further entry.
func NodeFull(n, size int) bool { return n >= nodeEntries || n > 0 && size >= nodeBytes }

// AppendStreamNode appends a node of entries, at least one.
func AppendStreamNode(dst []byte, entries []StreamEntry) []byte {
	master := entries[0]
	lp := listpack.New(nil)
	var digits [20]byte
	number := func(v int64) { lp = listpack.Push(lp, strconv.AppendInt(digits[:0], v, 10)) }
	number(int64(len(entries)))
	number(0)
	number(int64(len(master.Fields) / 2))
	for i := 0; i < len(master.Fields); i += 2 {
		lp = listpack.Push(lp, master.Fields[i])
	}
	number(0)
	for _, e := range entries {
		number(0)
		number(int64(e.ID.MS - master.ID.MS))
		number(int64(e.ID.Seq - master.ID.Seq))
		number(int64(len(e.Fields) / 2))
		for _, f := range e.Fields {
			lp = listpack.Push(lp, f)
		}
		number(int64(len(e.Fields) + 4))
	}
	dst = format.AppendStreamID(AppendLength(dst, format.StreamIDBytes), master.ID)
	return append(AppendLength(dst, uint64(len(lp))), lp...)
}

// AppendStreamExtra appends what stands between the nodes and the groups of a stream.
func AppendStreamExtra(dst []byte, entries uint64, x *format.StreamExtra, groups int) []byte {
	for _, n := range [...]uint64{entries, x.Last.MS, x.Last.Seq, x.First.MS, x.First.Seq, x.Deleted.MS, x.Deleted.Seq, x.Added, uint64(groups)} {
		dst = AppendLength(dst, n)
	}
	return dst
}

// AppendStreamGroup appends the head of a group; so many pending entries follow, then the number of consumers.
func AppendStreamGroup(dst, name []byte, last format.StreamID, read int64, pending int) []byte {
	dst = AppendString(dst, name)
	for _, n := range [...]uint64{last.MS, last.Seq, uint64(read), uint64(pending)} {
		dst = AppendLength(dst, n)
	}
	return dst
}

// AppendStreamPending appends a pending entry of a group.
func AppendStreamPending(dst []byte, p *StreamPending) []byte {
	return AppendLength(binary.LittleEndian.AppendUint64(format.AppendStreamID(dst, p.ID), p.Time), p.Count)
}

// AppendStreamConsumer appends the head of a consumer; the ids of so many pending entries follow.
func AppendStreamConsumer(dst, name []byte, seen int64, pending int) []byte {
	return AppendLength(binary.LittleEndian.AppendUint64(AppendString(dst, name), uint64(seen)), uint64(pending))
}

func appendStreamGroup(dst []byte, g *StreamGroup) []byte {
	dst = AppendStreamGroup(dst, g.Name, g.Last, g.Read, len(g.Pending))
	for i := range g.Pending {
		dst = AppendStreamPending(dst, &g.Pending[i])
	}
	dst = AppendLength(dst, uint64(len(g.Consumers)))
	for _, c := range g.Consumers {
		dst = AppendStreamConsumer(dst, c.Name, c.Seen, len(c.Pending))
		for _, id := range c.Pending {
			dst = format.AppendStreamID(dst, id)
		}
	}
	return dst
}

func (r *reader) streamID() format.StreamID {
	id, _ := format.TailStreamID(r.take(format.StreamIDBytes))
	return id
}

func (r *reader) time() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// wholeStream reads a stream of one of the three types.
func (r *reader) wholeStream(kind byte) *Stream {
	var entries []StreamEntry
	s, _ := r.stream(kind, func(e *StreamEntry) error {
		entries = append(entries, *e)
		return nil
	})
	s.Entries = entries
	return s
}

// entries is how far a stream was read.
type entries struct {
	n           uint64
	first, last format.StreamID
	give        func(e *StreamEntry) error
	err         error // of give
}

// stream reads a stream, and calls give with its entries.
func (r *reader) stream(kind byte, give func(e *StreamEntry) error) (*Stream, error) {
	s, in := &Stream{}, &entries{give: give}
	for range r.size() {
		key, lp := r.string(), r.string()
		if r.bad || len(key) != format.StreamIDBytes {
			r.fail()
			return s, nil
		}
		base, _ := format.TailStreamID(key)
		if r.streamNode(in, base, lp); r.bad || in.err != nil {
			return s, in.err
		}
	}
	length := r.size()
	s.Last = format.StreamID{MS: r.size(), Seq: r.size()}
	if kind == typeStream1 {
		s.Added, s.First = length, in.first
	} else {
		s.First = format.StreamID{MS: r.size(), Seq: r.size()}
		s.Deleted = format.StreamID{MS: r.size(), Seq: r.size()}
		s.Added = r.size()
	}
	if length != in.n || s.Last.Less(in.last) {
		r.fail()
		return s, nil
	}
	for range r.size() {
		if s.Groups = append(s.Groups, r.streamGroup(kind)); r.bad {
			break
		}
	}
	return s, nil
}

// streamNode reads the entries of one listpack.
func (r *reader) streamNode(in *entries, base format.StreamID, lp []byte) {
	items := r.listpack(nil, lp)
	at := 0
	next := func() []byte {
		if at >= len(items) {
			r.fail()
			return nil
		}
		at++
		return items[at-1]
	}
	number := func() int64 {
		n, ok := listpack.ParseInt(next())
		if !ok {
			r.fail()
		}
		return n
	}
	count, deleted, fields := number(), number(), number()
	if r.bad || fields < 0 || fields > int64(len(items)) {
		r.fail()
		return
	}
	master := make([][]byte, fields)
	for i := range master {
		master[i] = next()
	}
	number()
	live := int64(0)
	for !r.bad && at < len(items) {
		flags := number()
		id := format.StreamID{MS: base.MS + uint64(number()), Seq: base.Seq + uint64(number())}
		own := int64(len(master))
		if flags&entrySameFields == 0 {
			own = number()
		}
		if r.bad || own < 0 || own > int64(len(items)) {
			r.fail()
			return
		}
		e := StreamEntry{ID: id}
		for i := range own {
			if flags&entrySameFields != 0 {
				e.Fields = append(e.Fields, master[i], next())
			} else {
				e.Fields = append(e.Fields, next(), next())
			}
		}
		number()
		if flags&entryDeleted != 0 {
			continue
		}
		if !in.last.Less(id) || len(e.Fields) == 0 || r.bad {
			r.fail()
			return
		}
		if in.n == 0 {
			in.first = id
		}
		in.last = id
		in.n++
		if in.err = in.give(&e); in.err != nil {
			return
		}
		live++
	}
	if live != count || deleted < 0 {
		r.fail()
	}
}

func (r *reader) streamGroup(kind byte) StreamGroup {
	g := StreamGroup{Name: r.string(), Last: format.StreamID{MS: r.size(), Seq: r.size()}, Read: -1}
	if kind != typeStream1 {
		g.Read = max(int64(r.size()), -1)
	}
	owner := map[format.StreamID]int{}
	for i := range r.size() {
		p := StreamPending{ID: r.streamID()}
		p.Time, p.Count = uint64(max(r.time(), 0)), r.size()
		if _, twice := owner[p.ID]; r.bad || twice {
			r.fail()
			return g
		}
		owner[p.ID] = int(i)
		g.Pending = append(g.Pending, p)
	}
	owned := 0
	for cid := range r.size() {
		c := StreamConsumer{Name: r.string(), Seen: max(r.time(), 0)}
		c.Active = c.Seen
		if kind == typeStream3 {
			c.Active = max(r.time(), -1)
		}
		for range r.size() {
			id := r.streamID()
			at, ok := owner[id]
			if r.bad || !ok {
				r.fail()
				return g
			}
			delete(owner, id)
			g.Pending[at].CID = cid
			owned++
		}
		if g.Consumers = append(g.Consumers, c); r.bad {
			return g
		}
	}
	if owned != len(g.Pending) {
		r.fail() // every pending entry has an owner
	}
	return g
}
