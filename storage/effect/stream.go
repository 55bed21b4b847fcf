package effect

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"

	"cobble/storage/dump"
	"cobble/storage/format"
)

// row is what a record did to one row: whether the first operation deleted it, and what the last one left.
type row struct {
	op        *operation
	was, gone bool
	key       []byte // after the sub byte
}

// id is the entry that the row is of, or says something of.
func (r *row) id() format.StreamID {
	id, _ := format.TailStreamID(r.key)
	return id
}

// gid is the group of a row of a consumer or of what is pending.
func (r *row) gid() uint64 { return uint64(binary.BigEndian.Uint32(r.key)) }

// streamChange is what a record did to the rows of a stream, each kind in the order of the keys.
type streamChange struct {
	entries, groups, consumers, pending []row
	names                               map[uint64][]byte // of groups
	owners                              map[owner][]byte  // names of consumers
}

type owner struct{ gid, cid uint64 }

// gidBytes is the length of a group's number in row keys.
const gidBytes = 4

func streamChanges(ops []operation) (*streamChange, error) {
	c := &streamChange{names: map[uint64][]byte{}, owners: map[owner][]byte{}}
	at := map[string]int{}
	var rows []row
	for i := range ops {
		op := &ops[i]
		if op.op == format.OpDeleteRange { // of a group that is destroyed, or of entries that were trimmed before
			if op.sub() == format.SubStreamGroup {
				return nil, resync("a range of groups is gone")
			}
			continue
		}
		name := string(op.key[objectKey-1:])
		n, seen := at[name]
		if !seen {
			n = len(rows)
			at[name] = n
			rows = append(rows, row{key: op.rest(), was: op.op == format.OpDelete})
		}
		rows[n].op, rows[n].gone = op, op.op == format.OpDelete
	}
	slices.SortStableFunc(rows, func(a, b row) int { return bytes.Compare(a.key, b.key) })
	for _, r := range rows {
		if err := c.add(r); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *streamChange) add(r row) error {
	switch r.op.sub() {
	case format.SubStreamEntry:
		if len(r.key) != format.StreamIDBytes {
			return format.ErrCorrupt
		}
		c.entries = append(c.entries, r)
	case format.SubStreamGroup:
		c.groups = append(c.groups, r)
		if !r.gone {
			var g format.StreamGroup
			if err := g.Decode(r.op.value); err != nil {
				return err
			}
			c.names[g.GID] = r.key
		}
	case format.SubStreamConsumer:
		if len(r.key) < gidBytes {
			return format.ErrCorrupt
		}
		c.consumers = append(c.consumers, r)
		if !r.gone {
			var n format.StreamConsumer
			if err := n.Decode(r.op.value); err != nil {
				return err
			}
			c.owners[owner{r.gid(), n.CID}] = r.key[gidBytes:]
		}
	case format.SubStreamPending:
		if len(r.key) != gidBytes+format.StreamIDBytes {
			return format.ErrCorrupt
		}
		c.pending = append(c.pending, r)
	}
	return nil
}

// stream is a stream that a follower has, in other rows: entries are added before they are given to consumers, and given
// before they go.
func (t *Translator) stream(o *object, ops []operation, told bool) error {
	var info format.StreamExtra
	if err := info.Decode(o.meta.Extra); err != nil {
		return err
	}
	c, err := streamChanges(ops)
	if err != nil {
		return err
	}
	if err := t.addEntries(o, c); err != nil {
		return err
	}
	for i := range c.groups {
		if r := &c.groups[i]; !r.gone {
			var g format.StreamGroup
			if err := g.Decode(r.op.value); err != nil {
				return err
			}
			t.command(word("XGROUP"), word("SETID"), o.key, r.key, word(g.Last.String()), word("ENTRIESREAD"), number(g.Read))
		}
	}
	if err := t.claims(o, c); err != nil {
		return err
	}
	t.acknowledged(o, c)
	removed := t.removeEntries(o, c, &info)
	for i := range c.consumers {
		r := &c.consumers[i]
		name, ok := c.names[r.gid()]
		if r.gone && ok {
			t.command(word("XGROUP"), word("DELCONSUMER"), o.key, name, r.key[gidBytes:])
		}
	}
	for i := range c.groups {
		if r := &c.groups[i]; r.gone {
			t.command(word("XGROUP"), word("DESTROY"), o.key, r.key)
		}
	}
	if removed || len(ops) == 0 && !told { // no rows: XSETID, if not a change of the expiry
		t.setID(o, &info)
	}
	return nil
}

// setID says nothing of the largest deleted id where that is beyond the last one, which XSETID refuses: ids have started
// again, the follower has it from when they did, and nothing that large was deleted since.
func (t *Translator) setID(o *object, info *format.StreamExtra) {
	args := [][]byte{word("XSETID"), o.key, word(info.Last.String()), word("ENTRIESADDED"), strconv.AppendUint(nil, info.Added, 10)}
	if !info.Deleted.IsZero() && !info.Last.Less(info.Deleted) {
		args = append(args, word("MAXDELETEDID"), word(info.Deleted.String()))
	}
	t.command(args...)
}

func (t *Translator) addEntries(o *object, c *streamChange) error {
	for i := range c.entries {
		r := &c.entries[i]
		if r.gone {
			continue
		}
		args := [][]byte{word("XADD"), o.key, word(r.id().String())}
		args, err := format.StreamFields(args, r.op.value)
		if err != nil {
			return err
		}
		t.command(args...)
	}
	return nil
}

// removeEntries takes entries away, and reports whether any went: those from the beginning in one piece, for they may
// have been trimmed, which Redis does not note as it does a deletion.
func (t *Translator) removeEntries(o *object, c *streamChange, info *format.StreamExtra) (removed bool) {
	trimmed := o.trimmed
	removed, o.trimmed = o.trimmed, false
	var ids [][]byte
	for i := range c.entries {
		r := &c.entries[i]
		if !r.gone {
			continue
		}
		removed = true
		switch {
		case !r.was: // added and removed at once
		case o.meta.Count == 0 || r.id().Less(info.First):
			trimmed = true
		default:
			ids = append(ids, word(r.id().String()))
		}
	}
	switch {
	case trimmed && o.meta.Count == 0:
		t.command(word("XTRIM"), o.key, word("MAXLEN"), word("0"))
	case trimmed:
		t.command(word("XTRIM"), o.key, word("MINID"), word(info.First.String()))
	}
	t.chunked([][]byte{word("XDEL"), o.key}, 1, ids)
	return removed
}

// claims gives entries to consumers; those that one was given at one time go together. A consumer that was given none is
// made, if it is not there.
func (t *Translator) claims(o *object, c *streamChange) error {
	type delivery struct {
		owner
		time, count uint64
	}
	var order []delivery
	ids := map[delivery][][]byte{}
	given := map[owner]bool{}
	for i := range c.pending {
		r := &c.pending[i]
		if r.gone {
			continue
		}
		var p format.StreamPending
		if err := p.Decode(r.op.value); err != nil {
			return err
		}
		d := delivery{owner{r.gid(), p.CID}, p.Time, p.Count}
		if ids[d] == nil {
			order = append(order, d)
		}
		ids[d] = append(ids[d], word(r.id().String()))
		given[d.owner] = true
	}
	for i := range c.consumers {
		r := &c.consumers[i]
		var n format.StreamConsumer
		if r.gone || n.Decode(r.op.value) != nil || given[owner{r.gid(), n.CID}] {
			continue
		}
		if name, ok := c.names[r.gid()]; ok {
			t.command(word("XGROUP"), word("CREATECONSUMER"), o.key, name, r.key[gidBytes:])
		}
	}
	for _, d := range order {
		group, ok := c.names[d.gid]
		consumer, known := c.owners[d.owner]
		if !ok || !known {
			return resync("an entry was given to a consumer without a name")
		}
		for all := ids[d]; len(all) > 0; {
			n := min(len(all), chunkWords)
			args := append([][]byte{word("XCLAIM"), o.key, group, consumer, word("0")}, all[:n]...)
			t.command(append(args, word("TIME"), strconv.AppendUint(nil, d.time, 10),
				word("RETRYCOUNT"), strconv.AppendUint(nil, d.count, 10), word("FORCE"), word("JUSTID"))...)
			all = all[n:]
		}
	}
	return nil
}

func (t *Translator) acknowledged(o *object, c *streamChange) {
	ids := map[uint64][][]byte{}
	var order []uint64
	for i := range c.pending {
		r := &c.pending[i]
		if !r.gone {
			continue
		}
		if ids[r.gid()] == nil {
			order = append(order, r.gid())
		}
		ids[r.gid()] = append(ids[r.gid()], word(r.id().String()))
	}
	for _, gid := range order {
		if name, ok := c.names[gid]; ok { // else the group goes
			t.chunked([][]byte{word("XACK"), o.key, name}, 1, ids[gid])
		}
	}
}

// wholeStream sets a key to a stream that stands in the record whole.
func (t *Translator) wholeStream(o *object, ops []operation) error {
	o.trimmed = false
	v := dump.Stream{}
	if err := v.StreamExtra.Decode(o.meta.Extra); err != nil {
		return err
	}
	c, err := streamChanges(ops)
	if err != nil {
		return err
	}
	for i := range c.entries {
		if r := &c.entries[i]; !r.gone && o.meta.Count > 0 && !r.id().Less(v.First) { // else it was trimmed at once
			e := dump.StreamEntry{ID: r.id()}
			if e.Fields, err = format.StreamFields(nil, r.op.value); err != nil {
				return err
			}
			v.Entries = append(v.Entries, e)
		}
	}
	for i := range c.groups {
		if r := &c.groups[i]; !r.gone {
			g, err := c.group(r)
			if err != nil {
				return err
			}
			v.Groups = append(v.Groups, g)
		}
	}
	t.restore(o.key, o.meta.ExpireAt, dump.Seal(dump.AppendStream(nil, &v), 0))
	return nil
}

// group makes a group of its rows.
func (c *streamChange) group(r *row) (dump.StreamGroup, error) {
	var g format.StreamGroup
	if err := g.Decode(r.op.value); err != nil {
		return dump.StreamGroup{}, err
	}
	out := dump.StreamGroup{Name: r.key, Last: g.Last, Read: g.Read}
	index := map[uint64]int{} // of consumers, by their numbers
	for i := range c.consumers {
		r := &c.consumers[i]
		if r.gone || r.gid() != g.GID {
			continue
		}
		var n format.StreamConsumer
		if err := n.Decode(r.op.value); err != nil {
			return out, err
		}
		index[n.CID] = len(out.Consumers)
		out.Consumers = append(out.Consumers, dump.StreamConsumer{Name: r.key[gidBytes:], Seen: int64(n.Seen), Active: n.Active})
	}
	for i := range c.pending {
		r := &c.pending[i]
		if r.gone || r.gid() != g.GID {
			continue
		}
		p := dump.StreamPending{ID: r.id()}
		if err := p.Decode(r.op.value); err != nil {
			return out, err
		}
		at, ok := index[p.CID]
		if !ok {
			return out, resync("an entry was given to a consumer without a name")
		}
		out.Consumers[at].Pending = append(out.Consumers[at].Pending, p.ID)
		out.Pending = append(out.Pending, p)
	}
	return out, nil
}
