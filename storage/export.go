package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"cobble/slots"
	"cobble/storage/dump"
	"cobble/storage/format"
	"cobble/storage/rdb"
)

// Shared returns a shared value as of LSN, nil if there is none.
func (s *Snapshot) Shared(name string) ([]byte, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.engine.stores.RUnlock()
	row, closer, err := s.snap.Get(format.SharedKey())
	if err == pebble.ErrNotFound {
		return nil, nil
	} else if err != nil {
		return nil, s.engine.storeError(err)
	}
	defer closer.Close()
	values, err := format.DecodeSharedRow(row)
	return values[name], err
}

// AllCounters returns the counters of all slots as of LSN, in one scan.
func (s *Snapshot) AllCounters() ([]Counters, error) {
	all := make([]Counters, slots.Count)
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.engine.stores.RUnlock()
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: format.AppendHeaderKey(nil, 0), UpperBound: format.SharedKey()})
	if err != nil {
		return nil, s.engine.storeError(err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		slot, isHeader := format.SplitHeaderKey(it.Key())
		if !isHeader || slot >= slots.Count {
			continue
		}
		var value []byte
		var h format.Header
		if value, err = it.ValueAndErr(); err == nil {
			err = h.Decode(value)
		}
		all[slot] = Counters{LSN: LSN(h.LSN), Keys: int64(h.Keys), Expires: uint32(h.Expires), SubExpires: uint32(h.SubExpires), Bytes: int64(h.Bytes), NextOID: h.NextOID}
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return all, s.engine.storeError(err)
}

// FieldsExpire reports whether fields of hashes expire, which servers before Redis 7.4 have no form for.
func (s *Snapshot) FieldsExpire() (bool, error) {
	all, err := s.AllCounters()
	for i := range all {
		if all[i].SubExpires > 0 {
			return true, err
		}
	}
	return false, err
}

// Export writes the keys of all slots as of LSN, those included whose time has come and that were not removed yet. It
// holds no lock while it writes, and no value of any size in memory but one element, or a node of a stream. It ends with
// the writer's error, or with ErrClosed when the store is closed or replaced. Fields of hashes that expire are written
// with their deadlines only if the writer may.
func (s *Snapshot) Export(w *rdb.Writer) error {
	var keys, expires uint64
	all, err := s.AllCounters()
	if err != nil {
		return err
	}
	for _, c := range all {
		keys, expires = keys+uint64(c.Keys), expires+uint64(c.Expires)
	}
	if keys == 0 {
		return nil
	}
	w.Database(keys, expires)
	x := exporter{snap: s, w: w}
	defer x.close()
	for slot := range slots.Slot(slots.Count) {
		if all[slot].Keys == 0 {
			continue
		}
		if err := x.slot(slot); err != nil {
			return fmt.Errorf("slot %d: %w", slot, err)
		}
	}
	return w.Err()
}

// exporter writes the keys of one snapshot.
type exporter struct {
	snap  *Snapshot
	w     *rdb.Writer
	rows  *pebble.Iterator // over the element rows of the value that is being written
	build []byte
}

func (x *exporter) close() {
	if x.rows != nil {
		_ = x.rows.Close()
		x.rows = nil
	}
}

func (x *exporter) open(lo, hi []byte) (*pebble.Iterator, error) {
	if err := x.snap.enter(); err != nil {
		return nil, err
	}
	defer x.snap.engine.stores.RUnlock()
	it, err := x.snap.snap.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	return it, x.snap.engine.storeError(err)
}

func (x *exporter) slot(slot slots.Slot) error {
	x.close() // it keeps old tables from being dropped
	it, err := x.open(format.AppendKind(nil, uint16(slot), format.KindMeta), format.AppendKind(nil, uint16(slot), format.KindMeta+1))
	if err != nil {
		return err
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		_, db, _, key, isMeta := format.SplitMetaKey(it.Key())
		if !isMeta || db != 0 {
			continue
		}
		var value []byte
		if value, err = it.ValueAndErr(); err == nil {
			err = x.key(slot, key, value)
		}
		if err == nil {
			err = x.w.Err()
		}
	}
	if e := it.Close(); err == nil {
		err = x.snap.engine.storeError(e)
	}
	return err
}

func (x *exporter) key(slot slots.Slot, key, row []byte) error {
	var m format.Meta
	if err := m.Decode(row); err != nil {
		return err
	}
	if m.FieldsAt != 0 && !x.w.Deadlines() {
		if m.Layout == format.Inline {
			_, fields, err := format.SplitHashInline(m.Inline)
			if err != nil {
				return err
			}
			m.Inline = fields
		}
		m.FieldsAt = 0
	}
	if m.Layout == format.Inline {
		var err error
		if x.build, err = dump.AppendInline(x.build[:0], &m); err != nil {
			return err
		}
		x.w.Whole(key, m.ExpireAt, x.build)
		return nil
	}
	switch m.Type {
	case format.String:
		x.w.Key(key, m.ExpireAt, dump.TypeString)
		return x.chunks(slot, &m)
	case format.List:
		x.w.Key(key, m.ExpireAt, dump.TypeList)
		return x.list(slot, &m)
	case format.HashType:
		if m.FieldsAt != 0 {
			x.w.Key(key, m.ExpireAt, dump.TypeHashDeadlines)
			return x.fields(slot, &m)
		}
		x.w.Key(key, m.ExpireAt, dump.TypeHash)
		return x.members(slot, &m, format.SubHashField, func(value []byte) error {
			_, text, err := format.SplitHashValue(value)
			x.w.String(text)
			return err
		})
	case format.Set:
		x.w.Key(key, m.ExpireAt, dump.TypeSet)
		return x.members(slot, &m, format.SubMember, func([]byte) error { return nil })
	case format.ZSet:
		x.w.Key(key, m.ExpireAt, dump.TypeZSet)
		return x.members(slot, &m, format.SubMember, func(value []byte) error {
			score, err := format.ZSetScore(value)
			x.w.Score(score)
			return err
		})
	case format.Stream:
		x.w.Key(key, m.ExpireAt, dump.TypeStream)
		return x.stream(slot, &m)
	}
	return ErrUnknownValue
}

// each calls f for every element row lo ≤ key < hi; hi nil: all that begin with lo.
func (x *exporter) each(lo, hi []byte, f func(key, value []byte) error) error {
	if hi == nil {
		hi = prefixEnd(lo)
	}
	if x.rows == nil {
		var err error
		if x.rows, err = x.open(lo, hi); err != nil {
			return err
		}
	} else {
		x.rows.SetBounds(lo, hi)
	}
	for ok := x.rows.First(); ok; ok = x.rows.Next() {
		value, err := x.rows.ValueAndErr()
		if err == nil {
			err = f(x.rows.Key(), value)
		}
		if err == nil {
			err = x.w.Err()
		}
		if err != nil {
			return err
		}
	}
	return x.snap.engine.storeError(x.rows.Error())
}

// counted reports a value that has not as many elements as was written before them.
func counted(got, want uint64) error {
	if got != want {
		return fmt.Errorf("%w: a value of %d elements has %d rows", format.ErrCorrupt, want, got)
	}
	return nil
}

// chunks writes a string in pieces: what its rows lack are zeros.
func (x *exporter) chunks(slot slots.Slot, m *format.Meta) error {
	x.w.Length(m.Bytes)
	var at uint64
	zeros := func(to uint64) {
		for at < to {
			n := min(to-at, ChunkSize)
			x.build = appendZeros(x.build[:0], int(n))
			x.w.Raw(x.build)
			at += n
		}
	}
	lo := format.AppendElement(nil, uint16(slot), m.OID, subChunk)
	err := x.each(lo, nil, func(key, value []byte) error {
		if len(key) != len(lo)+4 {
			return format.ErrCorrupt
		}
		from := uint64(binary.BigEndian.Uint32(key[len(lo):])) * ChunkSize
		if from < at || from+uint64(len(value)) > m.Bytes {
			return format.ErrCorrupt
		}
		zeros(from)
		x.w.Raw(value)
		at += uint64(len(value))
		return nil
	})
	zeros(m.Bytes)
	return err
}

func (x *exporter) list(slot slots.Slot, m *format.Meta) error {
	ranges, err := objectRanges(slot, m)
	if err != nil {
		return err
	}
	x.w.Length(m.Count)
	elements := ranges[len(ranges)-1]
	n := uint64(0)
	err = x.each(elements.lo, elements.hi, func(_, value []byte) error {
		x.w.String(value)
		n++
		return nil
	})
	if err != nil {
		return err
	}
	return counted(n, m.Count)
}

// members writes the elements that have a name, each with what f writes of its row.
func (x *exporter) members(slot slots.Slot, m *format.Meta, sub byte, f func(value []byte) error) error {
	x.w.Length(m.Count)
	n := uint64(0)
	err := x.each(format.AppendElement(nil, uint16(slot), m.OID, sub), nil, func(key, value []byte) error {
		_, name, err := format.SplitMember(key, sub)
		if err != nil {
			return err
		}
		x.w.String(name)
		n++
		return f(value)
	})
	if err != nil {
		return err
	}
	return counted(n, m.Count)
}

// fields writes a hash with fields that expire.
func (x *exporter) fields(slot slots.Slot, m *format.Meta) error {
	x.w.Raw(dump.AppendHash(nil, m.Count, m.FieldsAt)[1:])
	n := uint64(0)
	err := x.each(format.AppendElement(nil, uint16(slot), m.OID, format.SubHashField), nil, func(key, value []byte) error {
		_, name, err := format.SplitMember(key, format.SubHashField)
		if err != nil {
			return err
		}
		at, text, err := format.SplitHashValue(value)
		x.build = dump.AppendField(x.build[:0], name, text, at, m.FieldsAt)
		x.w.Raw(x.build)
		n++
		return err
	})
	if err != nil {
		return err
	}
	return counted(n, m.Count)
}

// stream writes a stream: its entries are read twice, since the number of nodes comes first.
func (x *exporter) stream(slot slots.Slot, m *format.Meta) error {
	var info format.StreamExtra
	if err := info.Decode(m.Extra); err != nil {
		return err
	}
	ranges, err := objectRanges(slot, m)
	if err != nil {
		return err
	}
	entries := ranges[len(ranges)-1]
	nodes, n, size := uint64(0), 0, 0
	total := uint64(0)
	err = x.each(entries.lo, entries.hi, func(_, value []byte) error {
		if n == 0 || dump.NodeFull(n, size) {
			nodes, n, size = nodes+1, 0, 0
		}
		n, size, total = n+1, size+len(value), total+1
		return nil
	})
	if err == nil {
		err = counted(total, m.Count)
	}
	if err != nil {
		return err
	}
	x.w.Length(nodes)
	var node []dump.StreamEntry
	size = 0
	err = x.each(entries.lo, entries.hi, func(key, value []byte) error {
		if dump.NodeFull(len(node), size) {
			x.node(node)
			node, size = node[:0], 0
		}
		id, err := format.TailStreamID(key)
		if err != nil {
			return err
		}
		e := dump.StreamEntry{ID: id}
		e.Fields, err = format.StreamFields(nil, bytes.Clone(value))
		node, size = append(node, e), size+len(value)
		return err
	})
	if err != nil {
		return err
	}
	if len(node) > 0 {
		x.node(node)
	}
	x.build = dump.AppendStreamExtra(x.build[:0], m.Count, &info, int(info.Groups))
	x.w.Raw(x.build)
	return x.groups(slot, m.OID, info.Groups)
}

func (x *exporter) node(entries []dump.StreamEntry) {
	x.build = dump.AppendStreamNode(x.build[:0], entries)
	x.w.Raw(x.build)
}

// groups writes the groups of a stream. They and their consumers are few; what is pending may be much.
func (x *exporter) groups(slot slots.Slot, oid, want uint64) error {
	type named struct {
		name []byte
		format.StreamGroup
	}
	var all []named
	lo := format.AppendElement(nil, uint16(slot), oid, format.SubStreamGroup)
	err := x.each(lo, nil, func(key, value []byte) error {
		g := named{name: bytes.Clone(key[len(lo):])}
		err := g.Decode(value)
		all = append(all, g)
		return err
	})
	if err == nil {
		err = counted(uint64(len(all)), want)
	}
	for i := range all {
		if err != nil {
			break
		}
		err = x.group(slot, oid, all[i].name, &all[i].StreamGroup)
	}
	return err
}

func (x *exporter) group(slot slots.Slot, oid uint64, name []byte, g *format.StreamGroup) error {
	prefix := func(sub byte) []byte {
		return appendNumber4(format.AppendElement(nil, uint16(slot), oid, sub), g.GID)
	}
	pending := 0
	if err := x.each(prefix(format.SubStreamPending), nil, func(_, _ []byte) error { pending++; return nil }); err != nil {
		return err
	}
	x.w.Raw(dump.AppendStreamGroup(x.build[:0], name, g.Last, g.Read, pending))
	err := x.each(prefix(format.SubStreamPending), nil, func(key, value []byte) (err error) {
		var p dump.StreamPending
		if p.ID, err = format.TailStreamID(key); err == nil {
			err = p.Decode(value)
		}
		x.build = dump.AppendStreamPending(x.build[:0], &p)
		x.w.Raw(x.build)
		return err
	})
	if err != nil {
		return err
	}
	type named struct {
		name []byte
		format.StreamConsumer
	}
	var all []named
	lo := prefix(format.SubStreamConsumer)
	err = x.each(lo, nil, func(key, value []byte) error {
		c := named{name: bytes.Clone(key[len(lo):])}
		err := c.Decode(value)
		all = append(all, c)
		return err
	})
	if err != nil {
		return err
	}
	x.w.Length(uint64(len(all)))
	for i := range all {
		c := &all[i]
		owned, n := appendNumber4(prefix(format.SubStreamOwned), c.CID), 0
		if err := x.each(owned, nil, func(_, _ []byte) error { n++; return nil }); err != nil {
			return err
		}
		x.w.Raw(dump.AppendStreamConsumer(x.build[:0], c.name, int64(c.Seen), n))
		err := x.each(owned, nil, func(key, _ []byte) error {
			x.w.Raw(key[len(key)-format.StreamIDBytes:])
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
