package cache

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"cobble/slots"
)

// dirtyRow is a row that the store below does not have yet. off is 0 if the row
// was dropped; access is the access word of the entry while it is dirty.
type dirtyRow struct{ off, access uint32 }

// dirtyList holds the dirty rows of one slot and generation in the order in
// which they became dirty. The slot lock guards rows.
type dirtyList struct {
	rows []dirtyRow

	// runs are positions in rows sorted by row key, each run at least twice as
	// long as the next; they cover rows[:covered] and hold no dropped rows. A run
	// is never changed, so a reader may go on with the ones it saw. order guards
	// both among readers of the slot.
	order   sync.Mutex
	runs    [][]uint32
	covered int
}

// disorder forgets the runs: a row was dropped. Needs the write lock.
func (l *dirtyList) disorder() { l.runs, l.covered = nil, 0 }

// pin makes a clean entry dirty in the generation of parity p.
func (t *Table) pin(s *slotRows, p uint32, off uint32, h header, access uint32) {
	list := &s.dirty[p]
	*t.arena.word(off, 1) = uint32(len(list.rows))
	list.rows = append(list.rows, dirtyRow{off, access})
	t.arena.setHeader(off, h.withState(stateDirty+int(p)))
	t.dirty[p].Add(t.weight(off, h))
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
	t.parity.Store(1 - p)
}

// Frozen calls f for every row of the slot that belongs to the cut generation,
// by row key, ascending. Slices are valid during the call. No lock is needed,
// but only one goroutine may be between Cut and the last Settle.
func (t *Table) Frozen(slot slots.Slot, f func(key, value []byte, absent bool) error) error {
	rows := t.slots[slot].dirty[1-t.parity.Load()].rows
	if len(rows) == 0 {
		return nil
	}
	positions := make([]uint32, 0, len(rows))
	for i := range rows {
		positions = append(positions, uint32(i))
	}
	var key []byte
	for _, pos := range t.sorted(rows, positions) {
		off := rows[pos].off
		h := t.arena.header(off)
		key = t.cfg.Layout.AppendKey(key[:0], slot, h.meta(), t.storedKey(off, h))
		if err := f(key, t.value(off, h), h.absent()); err != nil {
			return err
		}
	}
	return nil
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
	list.disorder()
	for ; len(list.rows) > 0 && limit > 0; limit-- {
		row := list.rows[len(list.rows)-1]
		list.rows = list.rows[:len(list.rows)-1]
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
		default:
			atomic.StoreUint32(t.arena.word(off, 1), row.access)
			t.arena.setHeader(off, h.withState(stateClean))
		}
	}
	if len(list.rows) > 0 {
		return true
	}
	list.rows = nil
	return false
}

// HasDirty reports whether the slot has rows that are not known to be stored. Its
// lock must be held.
func (t *Table) HasDirty(slot slots.Slot) bool {
	s := &t.slots[slot]
	return len(s.dirty[0].rows)+len(s.dirty[1].rows) > 0
}

// Discard drops all rows of a slot, dirty or not: something that covers them
// was logged. The slot's write lock must be held, and no generation may be cut
// and not settled.
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
		for _, pos := range t.between(slot, list, lower, upper) {
			off := list.rows[pos].off
			h := t.arena.header(off)
			if h.unlinked() {
				continue
			}
			_, hash := t.cfg.Layout.Locate(h.meta(), t.storedKey(off, h))
			t.unlink(s, hash, off)
			if p != active {
				t.arena.setHeader(off, h|unlinkedBit) // still to be flushed, no longer to be found
				continue
			}
			list.rows[pos].off = 0
			t.dirty[p].Add(-t.weight(off, h))
			t.forget(off, h)
		}
		if p == active {
			list.disorder()
		}
	}
	s.epoch++
}

// between returns the positions of the rows with lower ≤ row key < upper.
func (t *Table) between(slot slots.Slot, list *dirtyList, lower, upper []byte) []uint32 {
	var out []uint32
	for _, run := range t.ordered(list) {
		from := t.search(slot, list.rows, run, lower)
		out = append(out, run[from:max(from, t.search(slot, list.rows, run, upper))]...)
	}
	return out
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
