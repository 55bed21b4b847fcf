package storage

import (
	"bytes"
	"cmp"
	"slices"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// CompareScored is the order of a sorted set.
func CompareScored(a, b Scored) int {
	if c := cmp.Compare(a.Score, b.Score); c != 0 {
		return c
	}
	return bytes.Compare(a.Member, b.Member)
}

// StoreZSet makes key a new sorted set of the members, which differ and are put in
// order, whatever it held; of none, it deletes key.
func (tx *Tx) StoreZSet(key []byte, members []Scored) error {
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		tx.remove(&e)
		return nil
	}
	e.Meta = format.Meta{}
	return tx.fillZSet(&e, members)
}

// fillZSet gives a key, whose metadata may have an expiry, the members of a new
// sorted set.
func (tx *Tx) fillZSet(e *Entry, members []Scored) error {
	slices.SortFunc(members, CompareScored)
	e.Meta.Type, e.Meta.Enc = format.ZSet, format.EncListpack
	z := newZSet(tx, e)
	entries, longest := tx.engine.encodings.zset()
	size := int64(listpack.MinSize)
	for i := range members {
		if int64(len(members[i].Member)) > longest {
			z.e.Meta.Enc = format.EncSkiplist
		}
		var room [32]byte
		size += int64(listpack.ElementSize(members[i].Member) + listpack.ElementSize(appendScore(room[:0], members[i].Score)))
	}
	if int64(len(members)) > entries {
		z.e.Meta.Enc = format.EncSkiplist
	}
	for i := range members {
		members[i].Score = z.kept(members[i].Score)
	}
	if len(members) > inlineZSetMembers || size > inlineZSetBytes {
		return z.fillRows(members)
	}
	z.takeOwn(emptyListpack[:])
	for i := range members {
		var room [32]byte
		z.setList(listpack.Push(z.packed, members[i].Member))
		z.setList(listpack.Push(z.packed, appendScore(room[:0], members[i].Score)))
	}
	z.changed = true
	return z.Save()
}

// fillRows writes the rows of members that are in order, and of their leaves.
func (z *ZSet) fillRows(members []Scored) error {
	z.beginRows()
	m := &z.e.Meta
	m.Count = uint64(len(members))
	for i := range members {
		m.Bytes += uint64(len(members[i].Member)) + zsetScoreBytes
		z.putMember(members[i].Member, members[i].Score)
	}
	z.changed = true
	if m.Count <= leafMost {
		return z.Save()
	}
	dir := &leafDirectory{key: z.leafKey(), total: m.Count}
	z.leaves = leafChanges{tx: z.tx, dir: dir}
	for from := 0; from < len(members); from += leafFill {
		n := min(leafFill, len(members)-from)
		var separator []byte
		if from > 0 {
			before, first := &members[from-1], &members[from]
			separator = between(format.AppendZSetOrder(nil, before.Score, before.Member), format.AppendZSetOrder(nil, first.Score, first.Member))
		}
		dir.push(separator, uint64(n))
		z.leaves.put(&leaf{separator: separator, count: uint64(n)})
	}
	z.extra.Stamp++
	z.extra.Leaves = uint64(dir.leaves())
	z.tx.keepLeaves(dir, z.extra.Stamp)
	return z.Save()
}
