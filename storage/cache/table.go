package cache

import (
	"bytes"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"cobble/slots"
)

// Layout says how stored keys relate to row keys. A row whose Key is Meta is
// stored without the parts that follow from its user key.
type Layout struct {
	// Locate returns the slot and hash of a stored key.
	Locate func(meta bool, stored []byte) (slot slots.Slot, hash uint32)
	// Rank returns the first sixteen bytes after the slot of the row key that
	// belongs to a stored key, big endian and padded with zeros.
	Rank func(meta bool, stored []byte) (uint64, uint64)
	// AppendKey appends the whole row key that belongs to a stored key.
	AppendKey func(dst []byte, slot slots.Slot, meta bool, stored []byte) []byte
}

// Config is what a Table is made of.
type Config struct {
	// MaxBytes bounds segments, index and large rows together. Only dirty rows
	// may push the table beyond it.
	MaxBytes int64
	// Reserve is the address space to reserve, 0 for the most that offsets reach.
	Reserve int64
	Layout  Layout
	// StaysWhole is a planted bug: that rows go does not end what SetWhole said.
	StaysWhole bool
	// AllNew is a planted bug: every dirty row counts as one that the store below never had.
	AllNew bool
	// FrozenToo is a planted bug: rows of the cut generation count as Active.
	FrozenToo bool
	// MergesAhead is a planted bug: a merge takes one row of a run too many.
	MergesAhead bool
	// MovesRead is a planted bug: rows are moved while the flusher reads them.
	MovesRead bool
}

// Key names a row. Bytes is the stored key, see Layout.
type Key struct {
	Slot  slots.Slot
	Hash  uint32
	Meta  bool
	Bytes []byte
}

// Presence is what the table knows about a row.
type Presence uint8

// Unknown: only the store below can tell. Absent: there is no such row.
const (
	Unknown Presence = iota
	Absent
	Present
)

// Table is the row table. See the package comment for who may call what.
type Table struct {
	slots  [slots.Count]slotRows // first: each begins a cache line
	cfg    Config
	arena  *arena
	parity atomic.Uint32 // of the generation that takes changes
	cuts   sync.RWMutex  // held by Cut, and shared by sweeps: reads sweep, too, and they keep no Cut off
	dirty  [2]atomic.Int64
	// reading is the slot whose rows the flusher reads, or noSlot; its lock is the innermost.
	reading struct {
		sync.Mutex
		slot slots.Slot
	}
	index atomic.Int64 // bytes of all slots' indexes
	max   atomic.Int64
	lfu   atomic.Uint64 // see SetFrequency
	big   bigRows
	stats counters
}

type counters struct {
	evicted, moved, refused atomic.Uint64
	ordered                 atomic.Uint64 // rows sorted or merged for cursors
}

// slotRows is what is in memory of one slot. mu is the slot lock: it guards the
// rows here and everything else that belongs to the slot, for all of the engine.
//
// Lines of the processor's cache: the lock and the way into the index are one, and
// each dirty list is one.
type slotRows struct {
	mu    sync.RWMutex
	index index
	epoch uint32
	whole bool // see SetWhole
	_     [27]byte
	dirty [2]dirtyList
}

// New makes an empty table.
func New(cfg Config) (*Table, error) {
	reserve := cfg.Reserve
	if reserve == 0 {
		reserve = maxReserve
	}
	a, err := newArena(reserve)
	if err != nil {
		return nil, err
	}
	t := &Table{cfg: cfg, arena: a}
	t.reading.slot = noSlot
	t.SetMaxBytes(cfg.MaxBytes)
	t.SetFrequency(false, 10, 1)
	t.big.rows = make(map[uint32]bigRow)
	return t, nil
}

// Close gives the memory back. No slice that came out of the table may be used after it.
func (t *Table) Close() error { return t.arena.close() }

// SetMaxBytes changes the bound; evictions follow with the next inserts.
func (t *Table) SetMaxBytes(n int64) {
	t.max.Store(n)
	t.arena.keepIdle(n)
}

// Lock takes the slot lock for writing.
func (t *Table) Lock(s slots.Slot) { t.slots[s].mu.Lock() }

// Unlock ends Lock.
func (t *Table) Unlock(s slots.Slot) { t.slots[s].mu.Unlock() }

// RLock takes the slot lock for reading.
func (t *Table) RLock(s slots.Slot) { t.slots[s].mu.RLock() }

// RUnlock ends RLock.
func (t *Table) RUnlock(s slots.Slot) { t.slots[s].mu.RUnlock() }

// TryRLock is RLock unless it would wait.
func (t *Table) TryRLock(s slots.Slot) bool { return t.slots[s].mu.TryRLock() }

// TryLock is Lock unless it would wait.
func (t *Table) TryLock(s slots.Slot) bool { return t.slots[s].mu.TryLock() }

// lookup finds the linked entry of k; off is 0 if there is none.
func (t *Table) lookup(s *slotRows, k *Key) (off uint32, h header) {
	r := s.index.region(k.Hash)
	if len(r.cells) == 0 {
		return 0, 0
	}
	for i := r.home(k.Hash); ; {
		c := r.cells[i]
		if c == 0 {
			return 0, 0
		}
		if uint32(c>>32) == k.Hash {
			off = uint32(c)
			h = t.arena.header(off)
			if h.meta() == k.Meta && bytes.Equal(t.storedKey(off, h), k.Bytes) {
				return off, h
			}
		}
		if i++; i == len(r.cells) {
			i = 0
		}
	}
}

func (t *Table) storedKey(off uint32, h header) []byte {
	if h.big() {
		return t.big.get(t.arena.bigID(off)).key
	}
	return t.arena.bytes(off, headerBytes, headerBytes+h.klen())
}

func (t *Table) value(off uint32, h header) []byte {
	if h.big() {
		return t.big.get(t.arena.bigID(off)).value
	}
	k := headerBytes + h.klen()
	return t.arena.bytes(off, k, k+h.vlen())
}

// unlisted is what the slot knows of a row without an entry.
func (s *slotRows) unlisted() Presence {
	if s.whole {
		return Absent
	}
	return Unknown
}

// SetWhole says whether the store below has no row of the slot that is not here as
// well, but such as nothing reaches any more: then a row without an entry is Absent,
// and nobody need look below. The table ends that by itself when it lets go of a row
// that the store has. Needs the slot's write lock.
func (t *Table) SetWhole(s slots.Slot, whole bool) { t.slots[s].whole = whole }

// Get returns the row of k, which aliases the table and is valid until the
// caller releases the slot lock (reading or writing) that it must hold. now is
// in seconds, of any origin. Get marks the row as used.
func (t *Table) Get(k Key, now uint32) ([]byte, Presence) {
	s := &t.slots[k.Slot]
	off, h := t.lookup(s, &k)
	if off == 0 {
		return nil, s.unlisted()
	}
	t.touch(s, off, h, now)
	if h.absent() {
		return nil, Absent
	}
	return t.value(off, h), Present
}

// Peek is Get without marking the row as used.
func (t *Table) Peek(k Key) ([]byte, Presence) {
	s := &t.slots[k.Slot]
	off, h := t.lookup(s, &k)
	switch {
	case off == 0:
		return nil, s.unlisted()
	case h.absent():
		return nil, Absent
	}
	return t.value(off, h), Present
}

// Put makes value the row of k and marks it dirty in the current generation. If count
// is false its frequency stays: whoever changes a row has looked at it, with Get, and a
// command counts once, as in Redis.
// The slot's write lock must be held, and value must not alias the table.
func (t *Table) Put(k Key, value []byte, now uint32, count bool) {
	t.change(k, value, false, now, count)
}

// Delete makes k absent and marks that dirty, as Put does.
func (t *Table) Delete(k Key, now uint32) { t.change(k, nil, true, now, false) }

func (t *Table) change(k Key, value []byte, absent bool, now uint32, count bool) {
	s := &t.slots[k.Slot]
	lfu := t.lfu.Load()
	p := t.parity.Load()
	off, h := t.lookup(s, &k)
	mine := off != 0 && h.state() != stateDirty+int(1-p)
	if absent && mine && t.dropNew(s, p, k.Hash, off, h) {
		return
	}
	if mine && t.overwrite(off, h, value, absent) {
		access := t.accessOf(s, off, h)
		fresh := changed(atomic.LoadUint32(access), now, lfu, count, h)
		switch {
		case h.state() == stateClean:
			t.pin(s, p, off, t.arena.header(off), fresh, false)
		case fresh != atomic.LoadUint32(access):
			atomic.StoreUint32(access, fresh)
		}
		return
	}
	fresh, nh := t.write(k, value, absent, true)
	if off != 0 {
		off, h = t.lookup(s, &k) // making room may have moved or evicted it
	}
	if off == 0 {
		t.pin(s, p, fresh, nh, newAccess(now), s.whole && !absent)
		t.link(s, k.Hash, fresh)
		return
	}
	access := changed(atomic.LoadUint32(t.accessOf(s, off, h)), now, lfu, count, h)
	s.index.move(k.Hash, off, fresh)
	switch h.state() {
	case stateDirty + int(p):
		*t.arena.word(fresh, 1) = *t.arena.word(off, 1)
		t.arena.setHeader(fresh, nh.withState(h.state()))
		row := &s.dirty[p].rows[t.arena.position(off)]
		row.off, row.access = fresh, access
		t.dirty[p].Add(t.weight(fresh, nh) - t.weight(off, h))
		t.forget(off, h)
	case stateClean:
		t.pin(s, p, fresh, nh, access, false)
		t.forget(off, h)
	default: // the generation being flushed owns off: it keeps its value
		t.pin(s, p, fresh, nh, access, false)
		t.arena.setHeader(off, h|unlinkedBit)
	}
}

// overwrite changes the value of an entry in place if its size stays the same.
func (t *Table) overwrite(off uint32, h header, value []byte, absent bool) bool {
	vlen := len(value)
	if h.big() || vlen > maxValueLen || entrySize(h.klen(), vlen) != h.size() {
		return false
	}
	k := headerBytes + h.klen()
	copy(t.arena.bytes(off, k, k+vlen), value)
	if absent {
		vlen = absentLen
	}
	if fresh := h&^valueMask | header(vlen); fresh != h { // an atomic store costs as much as all the rest
		t.arena.setHeader(off, fresh)
	}
	return true
}

// write appends an entry, not linked. must lets the table exceed its bound; without
// it off is 0 if there is no room. The entry counts as dead until the caller gives it
// the header h, which says clean, or with another state: each time costs as much as
// all the rest.
func (t *Table) write(k Key, value []byte, absent, must bool) (off uint32, h header) {
	if k.Meta {
		h |= metaBit
	}
	size := entrySize(len(k.Bytes), len(value))
	if size > entryMaxBytes || len(k.Bytes) > maxKeyLen {
		h |= bigBit
	}
	if !h.big() {
		h |= header(len(k.Bytes))<<keyShift | header(len(value))
	}
	if absent {
		h |= absentLen
	}
	if off = t.allocate(h, k.Slot, must); off == 0 {
		return 0, 0
	}
	if h.big() {
		id := t.big.add(k.Bytes, value)
		binary.LittleEndian.PutUint32(t.arena.bytes(off, headerBytes, headerBytes+4), id)
	} else {
		copy(t.arena.bytes(off, headerBytes, headerBytes+len(k.Bytes)), k.Bytes)
		copy(t.arena.bytes(off, headerBytes+len(k.Bytes), size), value)
	}
	return off, h
}

func (t *Table) link(s *slotRows, hash, off uint32) {
	before := s.index.bytes
	s.index.insert(hash, off)
	if grown := s.index.bytes - before; grown != 0 {
		t.index.Add(int64(grown))
	}
}

func (t *Table) unlink(s *slotRows, hash, off uint32) {
	before := s.index.bytes
	s.index.remove(hash, off)
	if shrunk := s.index.bytes - before; shrunk != 0 {
		t.index.Add(int64(shrunk))
	}
}

// forget makes an entry dead. Its index cell is the caller's business.
func (t *Table) forget(off uint32, h header) {
	if h.big() {
		t.big.remove(t.arena.bigID(off))
	}
	t.arena.setHeader(off, h.withState(stateDead))
	t.arena.drop(off, h.size())
}

// weight is what an entry counts for in the dirty bytes.
func (t *Table) weight(off uint32, h header) int64 {
	if h.big() {
		r := t.big.get(t.arena.bigID(off))
		return int64(bigBytes + len(r.key) + len(r.value))
	}
	return int64(h.size())
}

// Epoch returns a number that changes whenever a row of the slot stops being
// pinned. A caller that finds a row Unknown, reads it from the store below and
// comes back passes it to Admit. Needs the slot lock.
func (t *Table) Epoch(s slots.Slot) uint32 { return t.slots[s].epoch }

// Admit puts what was read from the store below into the table, clean. It
// refuses (false) if the table knows the row by now, if the value may be out of
// date because the slot's epoch is no longer the one at which the row was
// Unknown, if the row is large, or if there is no room. Needs the write lock.
func (t *Table) Admit(k Key, value []byte, absent bool, epoch, now uint32) bool {
	s := &t.slots[k.Slot]
	if s.epoch != epoch || entrySize(len(k.Bytes), len(value)) > entryMaxBytes || len(k.Bytes) > maxKeyLen {
		return false
	}
	if off, _ := t.lookup(s, &k); off != 0 {
		return false
	}
	off, h := t.write(k, value, absent, false)
	if off == 0 {
		t.stats.refused.Add(1)
		return false
	}
	t.arena.setHeader(off, h)
	*t.arena.word(off, 1) = newAccess(now) &^ usedBit // on probation: one sweep takes it
	t.link(s, k.Hash, off)
	return true
}

// bigRows keeps rows that are too large for a segment.
type bigRows struct {
	mu    sync.Mutex
	last  uint32
	rows  map[uint32]bigRow
	bytes atomic.Int64
}

type bigRow struct{ key, value []byte }

func (b *bigRows) add(key, value []byte) uint32 {
	row := bigRow{bytes.Clone(key), append(make([]byte, 0, len(value)), value...)}
	b.bytes.Add(int64(len(key) + len(value)))
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.last++; ; b.last++ {
		if _, taken := b.rows[b.last]; !taken {
			b.rows[b.last] = row
			return b.last
		}
	}
}

func (b *bigRows) get(id uint32) bigRow {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rows[id]
}

func (b *bigRows) remove(id uint32) {
	b.mu.Lock()
	row := b.rows[id]
	delete(b.rows, id)
	b.mu.Unlock()
	b.bytes.Add(-int64(len(row.key) + len(row.value)))
}
