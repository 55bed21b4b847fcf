package storage

import (
	"math"

	"cobble/storage/format"
	"cobble/storage/listpack"
)

// ZWalk visits members of a sorted set in order. Begin it with ZSet.Walk; it must be
// closed, and the sorted set must not change meanwhile.
type ZWalk struct {
	from    zsetRows
	reverse bool
	left    int64    // how many are to come
	items   []Scored // layout Inline: those,
	packed  bool     // or they are read off the listpack
	cursor  listpack.Cursor

	dir   *leafDirectory // layout Rows
	at    leafAt         // where the walk is
	keys  *leafKeys
	i     int // index of the next member in keys
	loads int // leaves that the walk has brought into memory

	rows  *rowIter // a long walk goes on here
	begun bool     // rows was moved

	member []byte
	score  float64
	err    error
}

// walkLoads is how many leaves a walk brings into memory at most: to read a large
// sorted set from end to end must not push out what is hot.
const walkLoads = 4

// Walk begins a walk over a range, from its end if reverse, passing over skip of its
// members.
func (z *ZSet) Walk(r ZRange, reverse bool, skip int64) ZWalk {
	w := ZWalk{from: z.rowsOf(), reverse: reverse}
	if skip < r.Count() {
		w.left = r.Count() - skip
	}
	if w.left == 0 {
		return w
	}
	if z.inline() && !reverse && z.items == nil {
		w.packed, w.cursor = true, listpack.Walk(z.packed)
		for n := r.from + skip; n > 0; n-- {
			w.cursor.Next()
			w.cursor.Next()
		}
		return w
	}
	if z.inline() {
		items, err := z.load()
		w.err = err
		if reverse {
			w.items = items[r.from : r.to-skip]
		} else {
			w.items = items[r.from+skip : r.to]
		}
		return w
	}
	first := r.from + skip
	if reverse {
		first = r.to - 1 - skip
	}
	w.dir, w.err = z.directory()
	w.seek(first)
	return w
}

// seek makes the member of a rank the next one, layout Rows.
func (w *ZWalk) seek(rank int64) {
	if w.err != nil {
		return
	}
	if uint64(rank) >= w.dir.total {
		w.err = format.ErrCorrupt // Count says that there is one
		return
	}
	at, within := w.dir.locate(uint64(rank))
	w.at, w.i = at, int(within)
	w.keys, w.err = w.from.keysOf(w.dir, at)
}

// Next moves to the next member; it is false at the end.
func (w *ZWalk) Next() bool {
	if w.err != nil || w.left <= 0 {
		return false
	}
	w.left--
	switch {
	case w.packed:
		return w.unpack()
	case w.dir == nil:
		n := len(w.items)
		if w.reverse {
			w.member, w.score, w.items = w.items[n-1].Member, w.items[n-1].Score, w.items[:n-1]
		} else {
			w.member, w.score, w.items = w.items[0].Member, w.items[0].Score, w.items[1:]
		}
		return true
	case w.rows == nil && (w.i < 0 || w.i >= len(w.keys.order)) && !w.leaf():
		return false
	case w.rows != nil:
		return w.row()
	}
	w.take(w.keys.key(w.i), w.keys.order[w.i].marked)
	if w.i++; w.reverse {
		w.i -= 2
	}
	return w.err == nil
}

// unpack moves to the next member of the listpack.
func (w *ZWalk) unpack() bool {
	var ok bool
	w.member, ok = w.cursor.Text(w.from.tx.digits[1][:0])
	score, also := w.cursor.Next()
	if !ok || !also {
		w.err = listpack.ErrCorrupt // Count says that there are more
		return false
	}
	w.score, w.err = inlineScore(score)
	return w.err == nil
}

// take takes a score key apart.
func (w *ZWalk) take(key []byte, marked bool) {
	w.score, w.member, w.err = format.SplitZSetOrder(key)
	if marked {
		w.score = math.Copysign(w.score, -1)
	}
}

// leaf goes on with the next leaf, or with rows.
func (w *ZWalk) leaf() bool {
	move := w.dir.next
	if w.reverse {
		move = w.dir.previous
	}
	behind := w.dir.at(w.at).separator
	at, ok := move(w.at)
	if !ok {
		w.err = format.ErrCorrupt // there should be more
		return false
	}
	if w.at = at; w.loads >= walkLoads && w.left > leafMost && w.dir.held(at) == nil {
		if w.reverse {
			w.rows = w.from.open(nil, behind)
		} else {
			w.rows = w.from.open(w.dir.at(at).separator, nil)
		}
		return true
	}
	w.loads++
	w.keys, w.err = w.from.keysOf(w.dir, at)
	if w.i = 0; w.reverse && w.err == nil {
		w.i = len(w.keys.order) - 1
	}
	return w.err == nil
}

// row moves to the next row.
func (w *ZWalk) row() bool {
	ok := false
	switch {
	case !w.begun && w.reverse:
		ok = w.rows.Last()
	case !w.begun:
		ok = w.rows.First()
	case w.reverse:
		ok = w.rows.Prev()
	default:
		ok = w.rows.Next()
	}
	if w.begun = true; !ok {
		if w.err = w.rows.err; w.err == nil {
			w.err = format.ErrCorrupt
		}
		return false
	}
	w.take(w.rows.Key()[format.ElementPrefix:], len(w.rows.Value()) > 0)
	return w.err == nil
}

// Member returns the member, valid until the next move.
func (w *ZWalk) Member() []byte { return w.member }

// Score returns its score.
func (w *ZWalk) Score() float64 { return w.score }

// Close ends the walk and returns the first error that it met.
func (w *ZWalk) Close() error {
	if w.rows != nil {
		if err := w.rows.Close(); w.err == nil {
			w.err = err
		}
	}
	return w.err
}

// RemoveRange removes the members of a range, from its end if reverse, at most so
// many, and calls f (unless nil) with each. It returns how many they were.
func (z *ZSet) RemoveRange(r ZRange, reverse bool, most int64, f func(member []byte, score float64)) (n int64, err error) {
	if z.inline() {
		return z.cutRange(r, reverse, most, f)
	}
	first, last := r.from == 0, r.to == z.Len()
	var gone []Scored // the walk ends before anything changes
	var arena []byte
	w := z.Walk(r, reverse, 0)
	for int64(len(gone)) < most && w.Next() {
		at := len(arena)
		arena = append(arena, w.Member()...)
		gone = append(gone, Scored{arena[at:len(arena):len(arena)], w.Score()})
	}
	if err := w.Close(); err != nil || len(gone) == 0 {
		return 0, err
	}
	z.changed = true
	for i := range gone {
		if f != nil {
			f(gone[i].Member, gone[i].Score)
		}
		if err := z.removeRows(gone[i].Member, gone[i].Score); err != nil {
			return 0, err
		}
	}
	if key := z.tx.scratch[format.ElementPrefix:]; first && !reverse {
		z.removedFirst(key)
	} else if last && reverse {
		z.removedLast(key)
	}
	return int64(len(gone)), nil
}

func (z *ZSet) cutRange(r ZRange, reverse bool, most int64, f func(member []byte, score float64)) (int64, error) {
	if n := r.Count(); n <= 0 || most <= 0 {
		return 0, nil
	} else if most < n && reverse {
		r.from = r.to - most
	} else if most < n {
		r.to = r.from + most
	}
	w := z.Walk(r, reverse, 0)
	for f != nil && w.Next() {
		f(w.Member(), w.Score())
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return r.to - r.from, z.cut(r.from, r.to)
}
