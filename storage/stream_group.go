package storage

import (
	"bytes"

	"cobble/storage/format"
)

// Group is a group of consumers of a stream. Changes are in the transaction after Save.
type Group struct {
	s    *Stream
	Name []byte
	format.StreamGroup
	byCID map[uint64]*Consumer // once Lose has asked
}

// Consumer is a consumer of a group. Changes are in the transaction after Save.
type Consumer struct {
	g    *Group
	Name []byte
	format.StreamConsumer
}

// Pending is an entry that a consumer was given and has not acknowledged.
type Pending struct {
	ID StreamID
	format.StreamPending
}

func (s *Stream) groupKey(name []byte) []byte {
	s.tx.scratch = append(s.prefix(format.SubStreamGroup), name...)
	return s.tx.scratch
}

// Group returns a group; ok is false if there is none of that name.
func (s *Stream) Group(name []byte) (g *Group, ok bool, err error) {
	g = &Group{s: s, Name: name}
	if !s.e.Live || s.info.Groups == 0 {
		return g, false, nil
	}
	value, ok, err := s.tx.getRow(s.groupKey(name))
	if err != nil || !ok {
		return g, false, err
	}
	return g, true, g.StreamGroup.Decode(value)
}

// AddGroup makes a group, of which there is none yet. The stream must be saved.
func (s *Stream) AddGroup(name []byte, last StreamID, read int64) *Group {
	s.Create()
	g := &Group{s: s, Name: name, StreamGroup: format.StreamGroup{GID: s.info.NextGroup, Last: last, Read: read}}
	s.info.NextGroup++
	s.info.Groups++
	mark := s.tx.Mark()
	g.Save()
	s.tx.explain(mark, []byte("XGROUP"), []byte("CREATE"), s.e.Key, name, []byte(last.String()), []byte("ENTRIESREAD"), decimal(read))
	return g
}

// Save writes the group's row.
func (g *Group) Save() {
	g.s.tx.value = g.StreamGroup.Append(g.s.tx.value[:0])
	g.s.tx.putRow(g.s.groupKey(g.Name), g.s.tx.value)
}

// Destroy removes the group with its consumers and what is pending. The stream must be saved.
func (g *Group) Destroy() error {
	s := g.s
	for _, sub := range []byte{format.SubStreamConsumer, format.SubStreamPending, format.SubStreamOwned} {
		if err := s.dropRows(appendNumber4(s.prefix(sub), g.GID)); err != nil {
			return err
		}
	}
	s.tx.delRow(s.groupKey(g.Name))
	s.info.Groups--
	s.changed = true
	return nil
}

// dropRows deletes all rows that begin so: they will never be written again.
func (s *Stream) dropRows(prefix []byte) error {
	lo := bytes.Clone(prefix)
	hi := prefixEnd(lo)
	n := 0
	it := s.tx.iter(lo, hi)
	for ok := it.First(); ok && n <= pointDeleteRows; ok = it.Next() {
		n++
	}
	if n > pointDeleteRows {
		if err := it.Close(); err != nil {
			return err
		}
		s.tx.delRange(lo, hi)
		return nil
	}
	for ok := it.First(); ok; ok = it.Next() {
		s.tx.delRow(it.Key())
	}
	return it.Close()
}

// prefixEnd returns the first key that does not begin with prefix.
func prefixEnd(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// EachGroup calls f for every group, in order of their names.
func (s *Stream) EachGroup(f func(g *Group) error) error {
	if !s.e.Live || s.info.Groups == 0 {
		return nil
	}
	lo := bytes.Clone(s.prefix(format.SubStreamGroup))
	it := s.tx.iter(lo, prefixEnd(lo))
	var err error
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		g := &Group{s: s, Name: bytes.Clone(it.Key()[len(lo):])}
		if err = g.StreamGroup.Decode(it.Value()); err == nil {
			err = f(g)
		}
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return err
}

func (g *Group) consumerKey(name []byte) []byte {
	g.s.tx.scratch = append(appendNumber4(g.s.prefix(format.SubStreamConsumer), g.GID), name...)
	return g.s.tx.scratch
}

// Consumer returns a consumer; ok is false if there is none of that name.
func (g *Group) Consumer(name []byte) (c *Consumer, ok bool, err error) {
	c = &Consumer{g: g, Name: name}
	value, ok, err := g.s.tx.getRow(g.consumerKey(name))
	if err != nil || !ok {
		return c, false, err
	}
	return c, true, c.StreamConsumer.Decode(value)
}

// AddConsumer makes a consumer, of which there is none yet. Both must be saved.
func (g *Group) AddConsumer(name []byte, now int64) *Consumer {
	c := &Consumer{g: g, Name: name, StreamConsumer: format.StreamConsumer{CID: g.NextConsumer, Seen: uint64(now), Active: -1}}
	g.NextConsumer++
	return c
}

// Save writes the consumer's row.
func (c *Consumer) Save() {
	c.g.s.tx.value = c.StreamConsumer.Append(c.g.s.tx.value[:0])
	c.g.s.tx.putRow(c.g.consumerKey(c.Name), c.g.s.tx.value)
}

// Remove deletes the consumer and what is pending for it. The group must be saved.
func (c *Consumer) Remove() error {
	s, g := c.g.s, c.g
	lo := appendNumber4(appendNumber4(s.prefix(format.SubStreamOwned), g.GID), c.CID)
	lo = bytes.Clone(lo)
	it := s.tx.iter(lo, prefixEnd(lo))
	for ok := it.First(); ok; ok = it.Next() {
		id, err := format.TailStreamID(it.Key())
		if err != nil {
			_ = it.Close()
			return err
		}
		s.tx.delRow(it.Key())
		s.tx.delRow(g.pendingKey(id))
	}
	if err := it.Close(); err != nil {
		return err
	}
	g.Pending -= c.Pending
	s.tx.delRow(g.consumerKey(c.Name))
	return nil
}

// EachConsumer calls f for every consumer, in order of their names.
func (g *Group) EachConsumer(f func(c *Consumer) error) error {
	lo := bytes.Clone(appendNumber4(g.s.prefix(format.SubStreamConsumer), g.GID))
	it := g.s.tx.iter(lo, prefixEnd(lo))
	var err error
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		c := &Consumer{g: g, Name: bytes.Clone(it.Key()[len(lo):])}
		if err = c.StreamConsumer.Decode(it.Value()); err == nil {
			err = f(c)
		}
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return err
}

func (g *Group) pendingKey(id StreamID) []byte {
	g.s.tx.scratch = format.AppendStreamID(appendNumber4(g.s.prefix(format.SubStreamPending), g.GID), id)
	return g.s.tx.scratch
}

func (g *Group) ownedKey(cid uint64, id StreamID) []byte {
	g.s.tx.scratch = format.AppendStreamID(appendNumber4(appendNumber4(g.s.prefix(format.SubStreamOwned), g.GID), cid), id)
	return g.s.tx.scratch
}

// PendingOf returns what is pending of an id; ok is false if nothing is.
func (g *Group) PendingOf(id StreamID) (p Pending, ok bool, err error) {
	value, ok, err := g.s.tx.getRow(g.pendingKey(id))
	if err != nil || !ok {
		return p, false, err
	}
	p.ID = id
	return p, true, p.StreamPending.Decode(value)
}

// Give makes an entry pending for a consumer, whoever had it before. Counts of consumers and group are the caller's.
func (g *Group) Give(p Pending, from uint64, moved bool) {
	tx := g.s.tx
	if moved && from != p.CID {
		tx.delRow(g.ownedKey(from, p.ID))
	}
	if !moved || from != p.CID {
		tx.putRow(g.ownedKey(p.CID, p.ID), nil)
	}
	tx.value = p.StreamPending.Append(tx.value[:0])
	tx.putRow(g.pendingKey(p.ID), tx.value)
}

// Again writes how often and when an entry was given to the consumer that has it. Nothing of the stream but that changes.
func (g *Group) Again(c *Consumer, p Pending) {
	tx := g.s.tx
	mark := tx.Mark()
	g.Give(p, p.CID, true)
	tx.explain(mark, []byte("XCLAIM"), g.s.e.Key, g.Name, c.Name, []byte("0"), []byte(p.ID.String()),
		[]byte("TIME"), decimal(int64(p.Time)), []byte("RETRYCOUNT"), decimal(int64(p.Count)), []byte("FORCE"), []byte("JUSTID"))
}

// Take ends that an entry is pending. Counts of consumers and group are the caller's.
func (g *Group) Take(p Pending) {
	g.s.tx.delRow(g.ownedKey(p.CID, p.ID))
	g.s.tx.delRow(g.pendingKey(p.ID))
}

// EachPending calls f for what is pending from an id on, until f returns false.
func (g *Group) EachPending(from StreamID, f func(p Pending) (bool, error)) error {
	lo := bytes.Clone(g.pendingKey(from))
	hi := prefixEnd(bytes.Clone(appendNumber4(g.s.prefix(format.SubStreamPending), g.GID)))
	it := g.s.tx.iter(lo, hi)
	var err error
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var p Pending
		if p.ID, err = format.TailStreamID(it.Key()); err != nil {
			break
		}
		if err = p.StreamPending.Decode(it.Value()); err != nil {
			break
		}
		var more bool
		if more, err = f(p); !more {
			break
		}
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return err
}

// EachOwned calls f for the ids that are pending for the consumer, from one on, until f returns false.
func (c *Consumer) EachOwned(from StreamID, f func(id StreamID) (bool, error)) error {
	lo := bytes.Clone(c.g.ownedKey(c.CID, from))
	hi := prefixEnd(bytes.Clone(appendNumber4(appendNumber4(c.g.s.prefix(format.SubStreamOwned), c.g.GID), c.CID)))
	it := c.g.s.tx.iter(lo, hi)
	var err error
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var id StreamID
		if id, err = format.TailStreamID(it.Key()); err != nil {
			break
		}
		var more bool
		if more, err = f(id); !more {
			break
		}
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return err
}

// Lose takes a pending entry off the count of the consumer that has it. It must not be used beside a Consumer of the same
// name that is saved later.
func (g *Group) Lose(p Pending) error {
	if g.byCID == nil {
		g.byCID = map[uint64]*Consumer{}
		if err := g.EachConsumer(func(c *Consumer) error { g.byCID[c.CID] = c; return nil }); err != nil {
			return err
		}
	}
	if c := g.byCID[p.CID]; c != nil {
		c.StreamConsumer.Pending--
		c.Save()
	}
	return nil
}

// PendingBounds returns the first and the last id that is pending.
func (g *Group) PendingBounds() (first, last StreamID, err error) {
	lo := bytes.Clone(appendNumber4(g.s.prefix(format.SubStreamPending), g.GID))
	it := g.s.tx.iter(lo, prefixEnd(lo))
	if it.First() {
		first, err = format.TailStreamID(it.Key())
	}
	if err == nil && it.Last() {
		last, err = format.TailStreamID(it.Key())
	}
	if e := it.Close(); err == nil {
		err = e
	}
	return first, last, err
}
