package cache

import (
	"sync/atomic"

	"cobble/slots"
)

const (
	// politeSweeps is how many segments one insert sweeps with a second chance
	// for rows that were used since the last time round; after them one is swept
	// without. It bounds the pause that an insert can see.
	politeSweeps = 3
	noSlot       = slots.Count
)

// allocate finds room for an entry. held is the slot whose write lock the
// caller holds.
func (t *Table) allocate(h header, held slots.Slot, must bool) uint32 {
	head := headWrite
	if !must {
		head = headAdmit
	}
	if off, ok := t.arena.bump(head, h); ok {
		return off
	}
	for i := 0; i <= politeSweeps && t.full(); i++ {
		if !t.sweep(held, i == politeSweeps, false) {
			break
		}
	}
	if !t.full() && t.sparse() {
		t.sweep(held, false, true)
	}
	if t.full() && !must {
		return 0
	}
	off, ok := t.arena.grow(head, h)
	if !ok && must {
		panic("cache: the row table has used up its address space")
	}
	return off
}

// full says that one more segment would exceed the bound, or take address space that is
// kept for dirty rows: the bound may be more than offsets reach.
func (t *Table) full() bool {
	rest := t.max.Load() - t.index.Load() - t.big.bytes.Load()
	segments := t.arena.used.Load() + 1
	return segments*segmentBytes > rest || segments > t.arena.usable
}

// sparse says that more than a quarter of the segments' bytes are holes.
func (t *Table) sparse() bool {
	bytes := t.arena.used.Load() * segmentBytes
	return bytes-t.arena.live.Load() > bytes/4+16*segmentBytes
}

// sweep walks one segment: unused clean rows are evicted and the rest is moved
// together, so that the segment is free afterwards unless a busy slot, the one that
// the flusher is at, or a large row still holds something in it. With force used rows go
// too; with keep nothing is evicted. It returns false if there was nothing to sweep,
// or a generation is about to be cut.
func (t *Table) sweep(held slots.Slot, force, keep bool) bool {
	if !t.cuts.TryRLock() {
		return false
	}
	defer t.cuts.RUnlock()
	id, length := t.arena.oldest(keep)
	if id == 0 {
		return false
	}
	base := id * (segmentBytes / granule)
	for p := 0; p < length; {
		off := base + uint32(p)/granule
		h := t.arena.header(off)
		p += h.size()
		if h.state() == stateDead {
			continue
		}
		t.sweepEntry(off, held, force, keep)
	}
	t.arena.swept(id)
	return true
}

func (t *Table) sweepEntry(off uint32, held slots.Slot, force, keep bool) {
	h := t.arena.header(off)
	if h.big() {
		return // dirty, or about to go: it is dropped as soon as it is clean
	}
	slot, hash := t.cfg.Layout.Locate(h.meta(), t.storedKey(off, h))
	s := &t.slots[slot]
	if slot != held {
		if !s.mu.TryLock() {
			return
		}
		defer s.mu.Unlock()
	}
	h = t.arena.header(off)
	switch {
	case h.state() == stateDead:
	case h.state() == stateClean:
		w := t.arena.word(off, 1)
		access := atomic.LoadUint32(w)
		if !keep && (force || access&usedBit == 0 || h.absent()) {
			t.unlink(s, hash, off)
			t.forget(off, h)
			s.whole = s.whole && (h.absent() || t.cfg.StaysWhole)
			t.stats.evicted.Add(1)
			return
		}
		if to := t.relocate(s, hash, off, h); to != 0 && !keep {
			*t.arena.word(to, 1) = access &^ usedBit
		}
	case h.state() == stateDirty+int(t.parity.Load()):
		pos := t.arena.position(off)
		if to := t.relocate(s, hash, off, h); to != 0 {
			s.dirty[h.state()-stateDirty].rows[pos].off = to
		}
	default:
		t.relocateFrozen(s, slot, hash, off, h)
	}
}

// relocateFrozen is relocate for a row of the generation being flushed. Those of the slot that the flusher is at stay: it
// reads them without a lock. If all of them stayed, each segment that is swept meanwhile would be kept for a few rows.
func (t *Table) relocateFrozen(s *slotRows, slot slots.Slot, hash, off uint32, h header) {
	if !t.reading.TryLock() {
		return
	}
	defer t.reading.Unlock()
	if t.reading.slot == slot && !t.cfg.MovesRead {
		return
	}
	row := &s.dirty[h.state()-stateDirty].rows[t.arena.position(off)]
	if to := t.relocate(s, hash, off, h); to != 0 {
		atomic.StoreUint32(&row.off, to) // PrefetchFrozen has no lock
	}
}

// relocate copies an entry to the end of the arena and makes the old one dead.
func (t *Table) relocate(s *slotRows, hash, off uint32, h header) uint32 {
	size := h.size()
	to, ok := t.arena.bump(headMove, h)
	if !ok {
		if to, ok = t.arena.grow(headMove, h); !ok {
			return 0
		}
	}
	copy(t.arena.bytes(to, 4, size), t.arena.bytes(off, 4, size))
	t.arena.setHeader(to, h)
	if !h.unlinked() {
		s.index.move(hash, off, to)
	}
	t.arena.setHeader(off, h.withState(stateDead))
	t.arena.drop(off, size)
	t.stats.moved.Add(1)
	return to
}

// Trim sweeps until the table is within its bound again or a round brought
// nothing; the flusher calls it when rows have become clean. No slot lock may
// be held.
func (t *Table) Trim() {
	for t.full() {
		before := t.arena.used.Load()
		for range 64 {
			if !t.full() || !t.sweep(noSlot, false, false) {
				break
			}
		}
		if t.arena.used.Load() >= before {
			return
		}
	}
}

// Shrink sweeps until the table is within its bound, going over everything up to
// twice: the first time takes the second chance from rows that were used. No slot
// lock may be held.
func (t *Table) Shrink() {
	for n := 2*t.arena.used.Load() + 2; n > 0 && t.full(); n-- {
		if !t.sweep(noSlot, false, false) {
			return
		}
	}
}
