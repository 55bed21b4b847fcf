package cache

import (
	"unsafe"

	"cobble/slots"
)

// Hint names a row that will be looked up soon. A hint that is wrong costs time,
// nothing else.
type Hint struct {
	Slot   slots.Slot
	locked bool
	Hash   uint32
	off    uint32
}

// cacheLine is the size of a line of the processor's cache, bytes, on what we run on.
const cacheLine = 64

// Prefetch asks the processor for the memory that lookups of the rows will touch.
// A lookup is a chain of four accesses, each of which waits for memory in a large
// table; done for many rows side by side the waits overlap. It changes nothing and
// waits for no lock, but has the slots locked for reading while it runs; held says
// that the caller has them locked already.
func (t *Table) Prefetch(hints []Hint, held bool) { t.prefetch(hints, held, false) }

// PrefetchChanges is Prefetch for rows that will be changed, and become dirty. No
// slot is locked by the caller.
func (t *Table) PrefetchChanges(hints []Hint) { t.prefetch(hints, false, true) }

func (t *Table) prefetch(hints []Hint, held, changes bool) {
	p := t.parity.Load()
	for i := range hints {
		s := &t.slots[hints[i].Slot]
		PrefetchLine(unsafe.Pointer(s))
		PrefetchLine(unsafe.Pointer(&s.dirty[p]))
	}
	for i := range hints {
		h := &hints[i]
		s := &t.slots[h.Slot]
		if h.locked = held || s.mu.TryRLock(); !h.locked {
			continue
		}
		if r := s.index.region(h.Hash); len(r.cells) > 0 {
			PrefetchLine(unsafe.Pointer(&r.cells[r.home(h.Hash)]))
		}
		if rows := s.dirty[p].rows; changes && len(rows) < cap(rows) {
			PrefetchLine(unsafe.Pointer(&rows[:len(rows)+1][len(rows)]))
		}
	}
	for i := range hints {
		h := &hints[i]
		if h.off = 0; !h.locked {
			continue
		}
		if r := t.slots[h.Slot].index.region(h.Hash); len(r.cells) > 0 {
			h.off = r.first(h.Hash)
		}
		if h.off != 0 {
			PrefetchLine(unsafe.Pointer(t.arena.word(h.off, 0)))
		}
	}
	for i := range hints {
		h := &hints[i]
		s := &t.slots[h.Slot]
		if h.locked && h.off != 0 {
			t.prefetchRest(s, h.off)
		}
		if h.locked && !held {
			s.mu.RUnlock()
		}
	}
}

// PrefetchCell asks for where a lookup of a row begins, and waits for nothing. The slot is locked.
func (t *Table) PrefetchCell(h Hint) {
	if r := t.slots[h.Slot].index.region(h.Hash); len(r.cells) > 0 {
		PrefetchLine(unsafe.Pointer(&r.cells[r.home(h.Hash)]))
	}
}

// PrefetchEntry asks for the row itself, if there is one, after PrefetchCell was given time. The slot is locked.
func (t *Table) PrefetchEntry(h Hint) {
	r := t.slots[h.Slot].index.region(h.Hash)
	if len(r.cells) == 0 {
		return
	}
	if off := r.first(h.Hash); off != 0 {
		PrefetchLine(unsafe.Pointer(t.arena.word(off, 0)))
	}
}

// prefetch asks for the first lines of an entry.
func (a *arena) prefetch(off uint32) {
	start := unsafe.Pointer(a.word(off, 0))
	PrefetchLine(start)
	PrefetchLine(unsafe.Add(start, cacheLine))
}

// prefetchRest asks for what of a small entry is not in its first line, and for its
// access word if that is elsewhere. The slot is locked.
func (t *Table) prefetchRest(s *slotRows, off uint32) {
	const most = 4 * cacheLine
	h := t.arena.header(off)
	start := unsafe.Pointer(t.arena.word(off, 0))
	for n := cacheLine; n < min(h.size(), most); n += cacheLine {
		PrefetchLine(unsafe.Add(start, n))
	}
	if h.dirty() {
		PrefetchLine(unsafe.Pointer(&s.dirty[h.state()-stateDirty].rows[t.arena.position(off)]))
	}
}
