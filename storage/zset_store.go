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
	f := z.beginFill(false)
	for i := range members {
		f.add(members[i].Member, members[i].Score)
	}
	return f.finish()
}

// zsetFill writes a new sorted set in layout Rows, whose members come in order, or in the reverse order.
type zsetFill struct {
	z        *ZSet
	reverse  bool
	leaves   []leaf // in the order of their members
	previous []byte // score key
}

func (z *ZSet) beginFill(reverse bool) *zsetFill {
	z.beginRows()
	z.changed = true
	return &zsetFill{z: z, reverse: reverse, leaves: []leaf{{}}}
}

func (f *zsetFill) add(member []byte, score float64) {
	m := &f.z.e.Meta
	m.Count++
	m.Bytes += uint64(len(member)) + zsetScoreBytes
	f.z.putMember(member, score)
	key := f.z.tx.scratch[format.ElementPrefix:]
	last := &f.leaves[len(f.leaves)-1]
	switch {
	case last.count < leafFill:
		last.count++
	case f.reverse:
		last.separator = between(key, f.previous)
		f.leaves = append(f.leaves, leaf{count: 1})
	default:
		f.leaves = append(f.leaves, leaf{separator: between(f.previous, key), count: 1})
	}
	f.previous = append(f.previous[:0], key...)
}

// finish writes the leaves and saves the sorted set.
func (f *zsetFill) finish() error {
	z := f.z
	if z.e.Meta.Count <= leafMost {
		return z.Save()
	}
	if f.reverse {
		slices.Reverse(f.leaves)
	}
	dir := &leafDirectory{key: z.leafKey(), total: z.e.Meta.Count}
	z.leaves = leafChanges{tx: z.tx, dir: dir}
	for i := range f.leaves {
		l := &f.leaves[i]
		dir.push(l.separator, l.count)
		z.leaves.put(l)
	}
	z.extra.Stamp++
	z.extra.Leaves = uint64(dir.leaves())
	z.tx.keepLeaves(dir, z.extra.Stamp)
	return z.Save()
}

// StoreZRange makes key a new sorted set of the members of a range of z, which may be what key holds; of none, it deletes
// key.
func (tx *Tx) StoreZRange(key []byte, z *ZSet, r ZRange) error {
	n := r.Count()
	entries, _ := tx.engine.encodings.zset()
	if n <= max(entries, inlineZSetMembers) {
		var members []Scored
		w := z.Walk(r, false, 0)
		for w.Next() {
			members = append(members, Scored{bytes.Clone(w.Member()), w.Score()})
		}
		if err := w.Close(); err != nil {
			return err
		}
		return tx.StoreZSet(key, members)
	}
	e, err := tx.Lookup(key)
	if err != nil {
		return err
	}
	e.Meta = format.Meta{Type: format.ZSet, Enc: format.EncSkiplist}
	to := newZSet(tx, &e)
	f := to.beginFill(false)
	w := z.Walk(r, false, 0)
	for w.Next() {
		f.add(w.Member(), w.Score())
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.finish()
}
