package cache

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"cobble/slots"
)

// dirtyRow is a row that the store below does not have yet. off is 0 if the row
// was dropped; access is the access word of the entry while it is dirty.
type dirtyRow struct{ off, access uint32 }

// dirtyList holds the dirty rows of one slot and generation, about in the order in
// which they became dirty. The slot lock guards rows.
type dirtyList struct {
	rows []dirtyRow

	// runs are positions in rows sorted by row key, each run at least twice as
	// long as the next; they cover rows[:covered] and hold no rows that were dropped
	// or settled. Readers of the slot never change a run, so each may go on with the
	// ones it saw. order guards both among them.
	order   sync.Mutex
	runs    [][]uint32
	covered int
}

// disorder forgets the runs: all rows were dropped. Needs the write lock.
func (l *dirtyList) disorder() { l.runs, l.covered = nil, 0 }

// take removes a row from the list, and returns it; false if there is none left. Rows
// that no run covers go first, then those of the runs from their ends, so that what
// is left stays in order. Needs the write lock.
func (l *dirtyList) take() (row dirtyRow, ok bool) {
	if n := len(l.rows); n > l.covered {
		row = l.rows[n-1]
		l.rows = l.rows[:n-1]
		return row, true
	}
	for len(l.runs) > 0 {
		last := &l.runs[len(l.runs)-1]
		if n := len(*last); n > 0 {
			row = l.rows[(*last)[n-1]]
			*last = (*last)[:n-1]
			return row, true
		}
		l.runs = l.runs[:len(l.runs)-1]
	}
	return dirtyRow{}, false
}

// pin makes a clean entry dirty in the generation of parity p. isNew says that neither the store below nor the
// generation that is being flushed has the row.
func (t *Table) pin(s *slotRows, p uint32, off uint32, h header, access uint32, isNew bool) {
	list := &s.dirty[p]
	word := uint32(len(list.rows))
	if isNew || t.cfg.AllNew {
		word |= newBit
	}
	*t.arena.word(off, 1) = word
	list.rows = append(list.rows, dirtyRow{off, access})
	t.arena.setHeader(off, h.withState(stateDirty+int(p)))
	t.dirty[p].Add(t.weight(off, h))
}

// dropNew forgets a row that is to be deleted, if it is new in the active generation, of parity p: the store below is
// told neither of the row nor of its end. An element that waits in a queue for a short time costs no flush so. Needs the
// write lock.
func (t *Table) dropNew(s *slotRows, p, hash, off uint32, h header) bool {
	if h.state() != stateDirty+int(p) || *t.arena.word(off, 1)&newBit == 0 {
		return false
	}
	pos, list := t.arena.position(off), &s.dirty[p]
	if int(pos) < list.covered {
		return false // a run holds it
	}
	t.unlink(s, hash, off)
	t.dirty[p].Add(-t.weight(off, h))
	t.forget(off, h)
	last := len(list.rows) - 1
	if int(pos) < last { // a hole would be memory that nobody counts: a queue makes one with each element
		row := list.rows[last]
		list.rows[pos] = row
		word := t.arena.word(row.off, 1)
		*word = *word&newBit | pos
	}
	list.rows = list.rows[:last]
	return true
}

// DirtyBytes is the size of all rows that the store below does not have yet.
func (t *Table) DirtyBytes() int64 { return t.dirty[0].Load() + t.dirty[1].Load() }

// ActiveBytes is the part of DirtyBytes that the next Cut would take.
func (t *Table) ActiveBytes() int64 { return t.dirty[t.parity.Load()].Load() }

// Cut ends the current generation: what is dirty now is frozen, and later
// changes belong to the next one. The caller makes sure that no change is under
// way and that the generation before was settled in every slot.
func (t *Table) Cut() {
	p := t.parity.Load()
	if t.dirty[1-p].Load() != 0 {
		panic("cache: a generation is cut while another one is being flushed")
	}
	t.cuts.Lock() // a sweep moves rows of what it takes for the active generation
	t.parity.Store(1 - p)
	t.cuts.Unlock()
}

// Frozen calls f for every row of the slot that belongs to the cut generation,
// by row key, ascending. Slices are valid during the call. No lock is needed,
// but only one goroutine may be between Cut and the last Settle.
func (t *Table) Frozen(slot slots.Slot, f func(key, value []byte, absent bool) error) error {
	rows := t.slots[slot].dirty[1-t.parity.Load()].rows
	if len(rows) == 0 {
		return nil
	}
	t.read(slot)
	defer t.read(noSlot)
	positions := make([]uint32, 0, len(rows))
	for i := range rows {
		positions = append(positions, uint32(i))
	}
	var key []byte
	positions = t.sorted(rows, positions)
	for i, pos := range positions {
		if ahead := i + frozenAhead; ahead < len(positions) {
			t.arena.prefetch(rows[positions[ahead]].off)
		}
		off := rows[pos].off
		h := t.arena.header(off)
		key = t.cfg.Layout.AppendKey(key[:0], slot, h.meta(), t.storedKey(off, h))
		if err := f(key, t.value(off, h), h.absent()); err != nil {
			return err
		}
	}
	return nil
}

// read says which slot's rows the flusher reads from now on.
func (t *Table) read(slot slots.Slot) {
	t.reading.Lock()
	t.reading.slot = slot
	t.reading.Unlock()
}

// frozenAhead is how many rows ahead of the one it is at Frozen asks the processor for.
const frozenAhead = 8

// PrefetchFrozen asks the processor for rows of slots for which Frozen will be called: those of next, and the list
// of those of the one after it. As Frozen; it changes nothing.
func (t *Table) PrefetchFrozen(next, after slots.Slot) {
	const most = 64
	p := 1 - t.parity.Load()
	if rows := t.slots[after].dirty[p].rows; len(rows) > 0 {
		PrefetchLine(unsafe.Pointer(&rows[0]))
	}
	rows := t.slots[next].dirty[p].rows
	for i := range rows[:min(len(rows), most)] {
		t.arena.prefetch(atomic.LoadUint32(&rows[i].off)) // a sweep may move it
	}
}

// HasFrozen says whether the cut generation has rows in the slot. As Frozen.
func (t *Table) HasFrozen(slot slots.Slot) bool {
	return len(t.slots[slot].dirty[1-t.parity.Load()].rows) > 0
}

// Settle makes rows of the cut generation clean, at most limit of them, when the
// store below has them. It is called, with the slot's write lock held, until it
// returns false.
func (t *Table) Settle(slot slots.Slot, limit int) (more bool) {
	s := &t.slots[slot]
	p := 1 - t.parity.Load()
	list := &s.dirty[p]
	if len(list.rows) == 0 {
		return false
	}
	s.epoch++
	for ; limit > 0; limit-- {
		row, ok := list.take()
		if !ok {
			list.rows = nil
			list.disorder()
			return false
		}
		if row.off == 0 {
			continue
		}
		off := row.off
		h := t.arena.header(off)
		t.dirty[p].Add(-t.weight(off, h))
		switch {
		case h.unlinked():
			t.forget(off, h)
		case h.big():
			_, hash := t.cfg.Layout.Locate(h.meta(), t.storedKey(off, h))
			t.unlink(s, hash, off)
			t.forget(off, h)
			s.whole = s.whole && (h.absent() || t.cfg.StaysWhole)
		default:
			atomic.StoreUint32(t.arena.word(off, 1), row.access)
			t.arena.setHeader(off, h.withState(stateClean))
		}
	}
	return true
}

// HasDirty reports whether the slot has rows that are not known to be stored. Its
// lock must be held.
func (t *Table) HasDirty(slot slots.Slot) bool {
	s := &t.slots[slot]
	return len(s.dirty[0].rows)+len(s.dirty[1].rows) > 0
}

// Discard drops all rows of a slot, dirty or not: something that covers them
// was logged, or the store has them. The slot is not whole then, unless SetWhole says
// so. The slot's write lock must be held, and no generation may be cut and not settled.
func (t *Table) Discard(slot slots.Slot) {
	s := &t.slots[slot]
	p := t.parity.Load()
	if len(s.dirty[1-p].rows) != 0 {
		panic("cache: rows are discarded while they are being flushed")
	}
	for _, row := range s.dirty[p].rows {
		if row.off != 0 {
			t.dirty[p].Add(-t.weight(row.off, t.arena.header(row.off)))
		}
	}
	s.index.each(func(_, off uint32) bool {
		t.forget(off, t.arena.header(off))
		return true
	})
	t.index.Add(-int64(s.index.bytes))
	s.index = index{}
	s.dirty[p].rows = nil
	s.dirty[p].disorder()
	s.whole = false
	s.epoch++
}

// DropDirty drops the dirty rows with lower ≤ row key < upper from memory: a
// range deletion that covers them takes their place. Rows of the range must be
// out of reach by now; clean ones are left to eviction. Needs the write lock.
func (t *Table) DropDirty(slot slots.Slot, lower, upper []byte) {
	s := &t.slots[slot]
	active := t.parity.Load()
	for p := range uint32(2) {
		list := &s.dirty[p]
		runs := t.ordered(list)
		for i, run := range runs {
			from := t.search(slot, list.rows, run, lower)
			to := max(from, t.search(slot, list.rows, run, upper))
			for doomed := run[from:to]; len(doomed) > 0; {
				n := min(len(doomed), dropAhead)
				t.dropSome(s, p, doomed[:n])
				doomed = doomed[n:]
			}
			if p == active { // no reader is there who has seen the run
				runs[i] = slices.Delete(run, from, to)
			}
		}
	}
	s.epoch++
}

// dropAhead is how many rows are dropped side by side, so that the waits for memory of each step overlap.
const dropAhead = 16

// dropSome drops up to dropAhead dirty rows at positions in the list of parity p.
func (t *Table) dropSome(s *slotRows, p uint32, positions []uint32) {
	var hashes [dropAhead]uint32
	rows := s.dirty[p].rows
	for _, pos := range positions {
		PrefetchLine(unsafe.Pointer(t.arena.word(rows[pos].off, 0)))
	}
	for i, pos := range positions {
		off := rows[pos].off
		h := t.arena.header(off)
		_, hashes[i] = t.cfg.Layout.Locate(h.meta(), t.storedKey(off, h))
		if r := s.index.region(hashes[i]); len(r.cells) > 0 {
			PrefetchLine(unsafe.Pointer(&r.cells[r.home(hashes[i])]))
		}
	}
	for i, pos := range positions {
		t.dropDirty(s, p, &rows[pos], hashes[i])
	}
}

// dropDirty drops a dirty row of the list of parity p.
func (t *Table) dropDirty(s *slotRows, p uint32, row *dirtyRow, hash uint32) {
	h := t.arena.header(row.off)
	if h.unlinked() {
		return
	}
	t.unlink(s, hash, row.off)
	if p != t.parity.Load() {
		t.arena.setHeader(row.off, h|unlinkedBit) // still to be flushed, no longer to be found
		return
	}
	t.dirty[p].Add(-t.weight(row.off, h))
	t.forget(row.off, h)
	row.off = 0
}

// search returns how many rows of a run have a row key < key.
func (t *Table) search(slot slots.Slot, rows []dirtyRow, run []uint32, key []byte) int {
	var buf [128]byte
	n, _ := slices.BinarySearchFunc(run, key, func(pos uint32, key []byte) int {
		return bytes.Compare(t.rowKey(buf[:0], slot, rows[pos].off), key)
	})
	return n
}

func (t *Table) rowKey(dst []byte, slot slots.Slot, off uint32) []byte {
	h := t.arena.header(off)
	return t.cfg.Layout.AppendKey(dst, slot, h.meta(), t.storedKey(off, h))
}
