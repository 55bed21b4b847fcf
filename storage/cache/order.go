package cache

import (
	"bytes"
	"cmp"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"cobble/slots"
)

// ranked is a position with enough of its row key to decide most comparisons.
type ranked struct {
	high, low uint64
	pos       uint32
}

// sorted orders positions by row key and leaves out dropped rows.
func (t *Table) sorted(rows []dirtyRow, positions []uint32) []uint32 {
	items := make([]ranked, 0, len(positions))
	for _, pos := range positions {
		off := rows[pos].off
		if off == 0 {
			continue
		}
		h := t.arena.header(off)
		high, low := t.cfg.Layout.Rank(h.meta(), t.storedKey(off, h))
		items = append(items, ranked{high, low, pos})
	}
	slices.SortFunc(items, func(a, b ranked) int {
		if c := cmp.Compare(a.high, b.high); c != 0 {
			return c
		}
		if c := cmp.Compare(a.low, b.low); c != 0 {
			return c
		}
		return t.compareStored(rows[a.pos].off, rows[b.pos].off)
	})
	positions = positions[:0]
	for i := range items {
		positions = append(positions, items[i].pos)
	}
	return positions
}

// compareStored decides between two rows whose ranks are equal. Equal ranks
// mean the same kind, so stored keys compare as row keys do.
func (t *Table) compareStored(a, b uint32) int {
	return bytes.Compare(t.storedKey(a, t.arena.header(a)), t.storedKey(b, t.arena.header(b)))
}

func (t *Table) compareRows(a, b uint32) int {
	ha, hb := t.arena.header(a), t.arena.header(b)
	if !ha.meta() && !hb.meta() { // then the stored keys are the row keys
		return bytes.Compare(t.storedKey(a, ha), t.storedKey(b, hb))
	}
	ah, al := t.cfg.Layout.Rank(ha.meta(), t.storedKey(a, ha))
	bh, bl := t.cfg.Layout.Rank(hb.meta(), t.storedKey(b, hb))
	if c := cmp.Compare(ah, bh); c != 0 {
		return c
	}
	if c := cmp.Compare(al, bl); c != 0 {
		return c
	}
	return t.compareStored(a, b)
}

// unordered returns how many rows ordered would have to sort or merge. Needs order.
func (l *dirtyList) unordered() int {
	n := len(l.rows) - l.covered
	if n == 0 {
		return 0
	}
	for i := len(l.runs) - 1; i >= 0 && len(l.runs[i]) < 2*n; i-- {
		n += len(l.runs[i])
	}
	return n
}

// Ordering is the work of Dirty done ahead of it, in parts; see OrderSome. It is for one goroutine.
type Ordering struct{ merges [2]*merging }

// merging is a merge of two neighbouring runs of a list, of which a part is done. Both stay runs until it is done.
type merging struct {
	at   int         // of the first
	runs [2][]uint32 // as they were
	rest [2][]uint32 // what is left of them
	out  []uint32
}

// stands reports whether the runs of a merge are still those of the list: rows may have left them meanwhile, or others
// have merged them.
func (m *merging) stands(l *dirtyList) bool {
	if m == nil || len(l.runs) < m.at+2 {
		return false
	}
	for i, run := range m.runs {
		if now := l.runs[m.at+i]; len(now) != len(run) || &now[0] != &run[0] {
			return false
		}
	}
	return true
}

// OrderSome does a part of what Dirty would have to do at once: it sorts or merges up to about limit rows of the slot.
// More says that there is more to do. Needs the slot lock, which may be released between calls.
func (t *Table) OrderSome(slot slots.Slot, o *Ordering, limit int) (more bool) {
	s := &t.slots[slot]
	for p := range s.dirty {
		if list := &s.dirty[p]; len(list.rows) > 0 && t.orderSome(list, &o.merges[p], limit) {
			return true
		}
	}
	return false
}

func (t *Table) orderSome(list *dirtyList, at **merging, limit int) (more bool) {
	list.order.Lock()
	defer list.order.Unlock()
	m, n := *at, len(list.runs)
	if !m.stands(list) {
		m = nil
	}
	switch {
	case m != nil:
	case n > 1 && len(list.runs[n-2]) < 2*len(list.runs[n-1]) && len(list.runs[n-1]) > 0:
		m = &merging{at: n - 2, runs: [2][]uint32(list.runs[n-2:])}
		m.rest, m.out = m.runs, make([]uint32, 0, len(m.runs[0])+len(m.runs[1]))
	case list.covered < len(list.rows):
		t.stats.ordered.Add(uint64(min(limit, len(list.rows)-list.covered)))
		if run := t.sortTail(list, limit); len(run) > 0 {
			list.runs = append(slices.Clone(list.runs), run)
		}
		return true
	default:
		return false
	}
	*at = m
	low, high := &m.rest[0], &m.rest[1]
	if t.follows(list.rows, *low, *high) {
		m.out, *low = append(m.out, *low...), nil
	}
	m.out = t.mergeSome(list.rows, m.out, low, high, limit)
	if len(*low) == 0 || len(*high) == 0 {
		t.stats.ordered.Add(uint64(cap(m.out)))
		runs := slices.Clone(list.runs)
		runs[m.at] = append(append(m.out, *low...), *high...)
		list.runs = slices.Delete(runs, m.at+1, m.at+2)
		*at = nil
	}
	return true
}

// sortTail sorts up to limit rows that no run covers yet. Needs order.
func (t *Table) sortTail(list *dirtyList, limit int) []uint32 {
	end := min(len(list.rows), list.covered+limit)
	tail := make([]uint32, 0, end-list.covered)
	for i := list.covered; i < end; i++ {
		tail = append(tail, uint32(i))
	}
	list.covered = end
	return t.sorted(list.rows, tail)
}

// DirtyRows returns how many rows of the slot the store below does not have yet, about.
// Needs the slot lock.
func (t *Table) DirtyRows(slot slots.Slot) int {
	s := &t.slots[slot]
	return len(s.dirty[0].rows) + len(s.dirty[1].rows)
}

// Unordered returns how many rows Dirty would have to put in order, which takes it
// some 200 ns each. Needs the slot lock.
func (t *Table) Unordered(slot slots.Slot) (n int) {
	s := &t.slots[slot]
	for p := range s.dirty {
		list := &s.dirty[p]
		if len(list.rows) == 0 {
			continue
		}
		list.order.Lock()
		n += list.unordered()
		list.order.Unlock()
	}
	return n
}

// ordered returns runs that cover the whole list. Needs the slot lock.
func (t *Table) ordered(list *dirtyList) [][]uint32 {
	list.order.Lock()
	defer list.order.Unlock()
	if list.covered == len(list.rows) {
		return list.runs
	}
	t.stats.ordered.Add(uint64(list.unordered()))
	run := t.sortTail(list, len(list.rows))
	runs := slices.Clone(list.runs)
	for len(runs) > 0 && len(runs[len(runs)-1]) < 2*len(run) {
		run = t.merge(list.rows, runs[len(runs)-1], run)
		runs = runs[:len(runs)-1]
	}
	if len(run) > 0 {
		runs = append(runs, run)
	}
	list.runs = runs
	return runs
}

// follows reports whether all of b comes behind all of a, as rows do that were written in order.
func (t *Table) follows(rows []dirtyRow, a, b []uint32) bool {
	return len(a) > 0 && len(b) > 0 && t.compareRows(rows[a[len(a)-1]].off, rows[b[0]].off) < 0
}

func (t *Table) merge(rows []dirtyRow, a, b []uint32) []uint32 {
	out := make([]uint32, 0, len(a)+len(b))
	if t.follows(rows, a, b) {
		out, a = append(out, a...), nil
	}
	out = t.mergeSome(rows, out, &a, &b, math.MaxInt)
	return append(append(out, a...), b...)
}

// mergeSome moves rows from two runs to out, in order, until one of the runs has nothing left or it has done what costs as much as
// looking at limit rows. It takes from each run in turn what comes before the rest of the other: an object that is written at once
// stands in one piece between those of others, and to find its end takes a few comparisons, where one for each row waits for
// memory each time.
func (t *Table) mergeSome(rows []dirtyRow, out []uint32, a, b *[]uint32, limit int) []uint32 {
	if len(*a) == 0 || len(*b) == 0 {
		return out
	}
	if t.compareRows(rows[(*a)[0]].off, rows[(*b)[0]].off) > 0 {
		a, b = b, a
	}
	for limit > 0 {
		n := 1 + t.before(rows, (*a)[1:], rows[(*b)[0]].off)
		out, *a = append(out, (*a)[:n]...), (*a)[n:]
		limit -= bits.Len(uint(n))
		if len(*a) == 0 {
			break
		}
		a, b = b, a
	}
	return out
}

// before returns how many rows of a run come before the row at off. It looks twice as far ahead each time, and then between the last
// two places.
func (t *Table) before(rows []dirtyRow, run []uint32, off uint32) int {
	low, high := 0, 1 // rows below low come before it
	for high <= len(run) && t.compareRows(rows[run[high-1]].off, off) < 0 {
		low, high = high, 2*high
	}
	high = min(high-1, len(run))
	for low < high {
		middle := int(uint(low+high) / 2)
		if t.compareRows(rows[run[middle]].off, off) < 0 {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if t.cfg.MergesAhead && low > 0 && low < len(run) {
		low++
	}
	return low
}

// Cursor walks the dirty rows of a slot by row key, both generations as one:
// where both have a row the newer one counts. It is valid while the slot lock
// under which it was made is held.
type Cursor struct {
	table   *Table
	slot    slots.Slot
	sources []source
	current int // source of the row at which the cursor stands; -1 = none
	back    bool
	key     []byte
	seek    []byte
}

// source is one run cut to the cursor's bounds. at is its row to be given next:
// the one at at when moving forward, the one before when moving back.
type source struct {
	rows []dirtyRow
	run  []uint32
	at   int
}

// Dirty returns a cursor over lower ≤ row key < upper; nil upper is the slot's
// end. The slot lock must be held until the cursor is no longer used.
func (t *Table) Dirty(slot slots.Slot, lower, upper []byte) Cursor {
	c := Cursor{table: t, slot: slot, current: -1}
	s := &t.slots[slot]
	for p := range s.dirty {
		list := &s.dirty[p]
		if len(list.rows) == 0 {
			continue
		}
		for _, run := range t.ordered(list) {
			run = run[t.search(slot, list.rows, run, lower):]
			if upper != nil {
				run = run[:t.search(slot, list.rows, run, upper)]
			}
			if len(run) > 0 {
				c.sources = append(c.sources, source{rows: list.rows, run: run})
			}
		}
	}
	return c
}

// Empty says that the cursor has no rows at all.
func (c *Cursor) Empty() bool { return len(c.sources) == 0 }

// First moves to the lowest row; false if there is none.
func (c *Cursor) First() bool {
	for i := range c.sources {
		c.sources[i].at = 0
	}
	c.back = false
	return c.pick()
}

// Last moves to the highest row; false if there is none.
func (c *Cursor) Last() bool {
	for i := range c.sources {
		c.sources[i].at = len(c.sources[i].run)
	}
	c.back = true
	return c.pick()
}

// SeekGE moves to the lowest row ≥ key.
func (c *Cursor) SeekGE(key []byte) bool {
	for i := range c.sources {
		s := &c.sources[i]
		s.at = c.table.search(c.slot, s.rows, s.run, key)
	}
	c.back = false
	return c.pick()
}

// SeekLT moves to the highest row < key.
func (c *Cursor) SeekLT(key []byte) bool {
	for i := range c.sources {
		s := &c.sources[i]
		s.at = c.table.search(c.slot, s.rows, s.run, key)
	}
	c.back = true
	return c.pick()
}

// Next moves to the next higher row.
func (c *Cursor) Next() bool {
	if c.current < 0 {
		return false
	}
	if c.back {
		c.seek = append(append(c.seek[:0], c.key...), 0)
		return c.SeekGE(c.seek)
	}
	s := &c.sources[c.current]
	s.at++
	if ahead := s.at + cursorAhead; ahead < len(s.run) {
		PrefetchLine(unsafe.Pointer(c.table.arena.word(s.rows[s.run[ahead]].off, 0)))
	}
	return c.pick()
}

// cursorAhead is how many rows ahead of the one it is at a cursor asks the processor for.
const cursorAhead = 8

// Prev moves to the next lower row.
func (c *Cursor) Prev() bool {
	if c.current < 0 {
		return false
	}
	if !c.back {
		c.seek = append(c.seek[:0], c.key...)
		return c.SeekLT(c.seek)
	}
	c.sources[c.current].at--
	return c.pick()
}

// Valid says whether the cursor stands at a row.
func (c *Cursor) Valid() bool { return c.current >= 0 }

// Key is the row key at which the cursor stands, valid until it moves.
func (c *Cursor) Key() []byte { return c.key }

// Value returns the row; absent says that the row was deleted.
func (c *Cursor) Value() (value []byte, absent bool) {
	off := c.sources[c.current].off(c.back)
	h := c.table.arena.header(off)
	return c.table.value(off, h), h.absent()
}

func (s *source) off(back bool) uint32 {
	if back {
		return s.rows[s.run[s.at-1]].off
	}
	return s.rows[s.run[s.at]].off
}

// settled moves past rows that a newer generation has too; false at the end.
func (c *Cursor) settled(s *source) bool {
	for {
		if c.back && s.at == 0 || !c.back && s.at == len(s.run) {
			return false
		}
		if !c.table.arena.header(s.off(c.back)).unlinked() {
			return true
		}
		if c.back {
			s.at--
		} else {
			s.at++
		}
	}
}

func (c *Cursor) pick() bool {
	c.current = -1
	for i := range c.sources {
		s := &c.sources[i]
		if !c.settled(s) {
			continue
		}
		if c.current >= 0 {
			order := c.table.compareRows(s.off(c.back), c.sources[c.current].off(c.back))
			if order < 0 == c.back {
				continue
			}
		}
		c.current = i
	}
	if c.current < 0 {
		return false
	}
	c.key = c.table.rowKey(c.key[:0], c.slot, c.sources[c.current].off(c.back))
	return true
}
