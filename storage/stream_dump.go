package storage

import (
	"bytes"
	"strconv"

	"cobble/storage/dump"
	"cobble/storage/format"
)

// dumpStream appends the value of a stream as a payload carries it.
func (tx *Tx) dumpStream(dst []byte, e *Entry) ([]byte, error) {
	s, err := tx.streamOf(e)
	if err != nil {
		return dst, err
	}
	v := dump.Stream{StreamExtra: s.info}
	w := s.Walk(StreamID{}, format.MaxStreamID, false)
	for w.Next() {
		entry := dump.StreamEntry{ID: w.ID()}
		for _, f := range w.Fields() {
			entry.Fields = append(entry.Fields, bytes.Clone(f))
		}
		v.Entries = append(v.Entries, entry)
	}
	if err := w.Close(); err != nil {
		return dst, err
	}
	err = s.EachGroup(func(g *Group) error {
		out, err := dumpGroup(g)
		v.Groups = append(v.Groups, out)
		return err
	})
	return dump.AppendStream(dst, &v), err
}

func dumpGroup(g *Group) (dump.StreamGroup, error) {
	out := dump.StreamGroup{Name: g.Name, Last: g.Last, Read: g.Read}
	err := g.EachConsumer(func(c *Consumer) error {
		consumer := dump.StreamConsumer{Name: c.Name, Seen: int64(c.Seen), Active: c.Active}
		err := c.EachOwned(StreamID{}, func(id StreamID) (bool, error) {
			consumer.Pending = append(consumer.Pending, id)
			return true, nil
		})
		out.Consumers = append(out.Consumers, consumer)
		return err
	})
	if err != nil {
		return out, err
	}
	return out, g.EachPending(StreamID{}, func(p Pending) (bool, error) {
		out.Pending = append(out.Pending, dump.StreamPending(p))
		return true, nil
	})
}

// restoreStream makes e a new stream.
func (tx *Tx) restoreStream(e *Entry, p *dump.Payload) error {
	e.Meta.Type, e.Meta.Enc, e.Meta.Layout = format.Stream, format.EncStream, format.Rows
	s := &Stream{tx: tx, e: *e}
	s.e.Meta.OID, s.made = tx.newOID(e.Slot), true // the key may hold another value, with an object of its own
	s.Create()
	v, err := p.Stream(func(e *dump.StreamEntry) error {
		s.Add(e.ID, e.Fields)
		return tx.err
	})
	if err != nil {
		return err
	}
	first := s.info.First
	s.info.Last, s.info.Deleted, s.info.Added, s.info.First = v.Last, v.Deleted, v.Added, first
	seen := map[string]bool{}
	for i := range v.Groups {
		in := &v.Groups[i]
		if seen[string(in.Name)] {
			return ErrBadValue
		}
		seen[string(in.Name)] = true
		if err := s.restoreGroup(in); err != nil {
			return err
		}
	}
	s.Save()
	return nil
}

func (s *Stream) restoreGroup(in *dump.StreamGroup) error {
	g := s.AddGroup(in.Name, in.Last, in.Read)
	consumers := make([]*Consumer, len(in.Consumers))
	seen := map[string]bool{}
	for i, c := range in.Consumers {
		if seen[string(c.Name)] {
			return ErrBadValue
		}
		seen[string(c.Name)] = true
		consumers[i] = g.AddConsumer(c.Name, c.Seen)
		consumers[i].Active = c.Active
	}
	for _, p := range in.Pending {
		c := consumers[p.CID]
		out := Pending(p)
		out.CID = c.CID
		g.Give(out, 0, false)
		c.StreamConsumer.Pending++
		g.Pending++
	}
	for _, c := range consumers {
		c.Save()
	}
	g.Save()
	return nil
}

// digestStream mixes the entries of a stream, in order, into d.
func (tx *Tx) digestStream(d *Digest, e *Entry) error {
	s, err := tx.streamOf(e)
	if err != nil {
		return err
	}
	w := s.Walk(StreamID{}, format.MaxStreamID, false)
	for w.Next() {
		id := strconv.AppendUint(nil, w.ID().MS, 10)
		d.mix(strconv.AppendUint(append(id, '.'), w.ID().Seq, 10))
		for _, f := range w.Fields() {
			d.mix(f)
		}
	}
	return w.Close()
}
