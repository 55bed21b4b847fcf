package cache

import "sync/atomic"

// Active is a row that is dirty in the current generation, as FindActive found it.
type Active struct {
	Value []byte // aliases the table

	off uint32
	h   header
}

// FindActive returns the row of k if it is there, small, and dirty in the current
// generation: then nobody but who holds the lock of its slot looks at its value, and
// Overwrite may change it. The write lock must be held, and no Cut may come before
// Overwrite. It does not mark the row as used.
func (t *Table) FindActive(k *Key) (a Active, ok bool) {
	off, h := t.lookup(&t.slots[k.Slot], k)
	if off == 0 || h.big() || h.absent() {
		return a, false
	}
	if h.state() != stateDirty+int(t.parity.Load()) && !(t.cfg.FrozenToo && h.dirty()) {
		return a, false
	}
	return Active{t.value(off, h), off, h}, true
}

// Fits reports whether a value of n bytes takes the room of that of a.
func (a *Active) Fits(n int) bool { return n <= maxValueLen && entrySize(a.h.klen(), n) == a.h.size() }

// Overwrite makes head, with tail behind it, the value of a row that FindActive found
// under the same lock, and marks it as used. The value must fit, and not alias the table.
func (t *Table) Overwrite(k *Key, a *Active, head, tail []byte, now uint32) {
	start := headerBytes + a.h.klen()
	n := len(head) + len(tail)
	value := t.arena.bytes(a.off, start, start+n)
	copy(value[copy(value, head):], tail)
	if fresh := a.h&^valueMask | header(n); fresh != a.h {
		t.arena.setHeader(a.off, fresh)
	}
	access := t.accessOf(&t.slots[k.Slot], a.off, a.h)
	old := atomic.LoadUint32(access)
	if fresh := used(old, now, t.lfu.Load()); fresh != old {
		atomic.StoreUint32(access, fresh)
	}
}
