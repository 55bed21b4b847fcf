package storage

import (
	"bytes"
	"slices"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

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
	return tx.fillZSet(&e, members, storedZSetMembers, storedZSetBytes)
}

// A result that is stored stands in its metadata row up to these sizes: rows of one of some hundred members cost ten times
// as much to write, and again to delete when the next result takes its place. Another member makes it rows.
const (
	storedZSetMembers = 2 * inlineZSetMembers
	storedZSetBytes   = 3 * inlineZSetBytes
)

// fillZSet gives a key, whose metadata may have an expiry, the members of a new
// sorted set, in layout Inline if they are at most so many, and bytes of a listpack.
func (tx *Tx) fillZSet(e *Entry, members []Scored, most int, mostBytes int64) error {
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
	if len(members) > most || size > mostBytes {
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
	z      *ZSet
	leaves leavesInOrder
}

// leavesInOrder makes leaves of score keys that come in order, or in the reverse order.
type leavesInOrder struct {
	reverse  bool
	leaves   []leaf // in the order of the keys
	previous []byte
}

func (l *leavesInOrder) add(key []byte) {
	n := len(l.leaves)
	switch {
	case n == 0:
		l.leaves = append(l.leaves, leaf{count: 1})
	case l.leaves[n-1].count < leafFill:
		l.leaves[n-1].count++
	case l.reverse:
		l.leaves[n-1].separator = between(key, l.previous)
		l.leaves = append(l.leaves, leaf{count: 1})
	default:
		l.leaves = append(l.leaves, leaf{separator: between(l.previous, key), count: 1})
	}
	l.previous = append(l.previous[:0], key...)
}

func (z *ZSet) beginFill(reverse bool) *zsetFill {
	z.beginRows()
	z.changed = true
	return &zsetFill{z, leavesInOrder{reverse: reverse}}
}

func (f *zsetFill) add(member []byte, score float64) {
	f.z.countNew(member)
	f.z.putMember(member, score)
	f.leaves.add(f.z.tx.scratch[format.ElementPrefix:])
}

// countNew counts a member of a new sorted set in layout Rows.
func (z *ZSet) countNew(member []byte) {
	z.e.Meta.Count++
	z.e.Meta.Bytes += uint64(len(member)) + zsetScoreBytes
}

// finish writes the leaves and saves the sorted set.
func (f *zsetFill) finish() error { return f.z.saveNew(&f.leaves) }

// saveNew saves a new sorted set in layout Rows that has its rows, with its leaves.
func (z *ZSet) saveNew(l *leavesInOrder) error {
	if z.e.Meta.Count <= leafMost {
		return z.Save()
	}
	if l.reverse {
		slices.Reverse(l.leaves)
	}
	dir := &leafDirectory{key: z.leafKey(), total: z.e.Meta.Count}
	z.leaves = leafChanges{tx: z.tx, dir: dir}
	for i := range l.leaves {
		one := &l.leaves[i]
		dir.push(one.separator, one.count)
		z.leaves.put(one)
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
