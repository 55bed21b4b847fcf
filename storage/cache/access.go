package cache

import (
	"math/rand/v2"
	"sync/atomic"
)

// The access word: clock 23 | used 1 | frequency 8. The clock counts seconds
// and wraps after 97 days; "used" is the bit of the CLOCK sweep; the frequency is
// Redis' logarithmic counter (lfu-log-factor 10, lfu-decay-time 1 minute).
const (
	clockShift    = 9
	clockMask     = 1<<23 - 1
	usedBit       = 1 << 8
	frequencyMask = 255
	frequencyInit = 5
)

func newAccess(now uint32) uint32 {
	return now&clockMask<<clockShift | usedBit | frequencyInit
}

func used(access, now uint32, frequency bool) uint32 {
	f := access & frequencyMask
	if frequency {
		f = increased(decayed(access, now))
	}
	return now&clockMask<<clockShift | usedBit | f
}

func idle(access, now uint32) uint32 { return (now - access>>clockShift) & clockMask }

func decayed(access, now uint32) uint32 {
	f := access & frequencyMask
	return f - min(f, idle(access, now)/60)
}

func increased(f uint32) uint32 {
	if f == frequencyMask {
		return f
	}
	above := float64(0)
	if f > frequencyInit {
		above = float64(f - frequencyInit)
	}
	if rand.Float64() < 1/(above*10+1) {
		f++
	}
	return f
}

// accessOf is where the access word of an entry is: dirty rows keep it in their list.
func (t *Table) accessOf(s *slotRows, off uint32, h header) *uint32 {
	w := t.arena.word(off, 1)
	if h.dirty() {
		return &s.dirty[h.state()-stateDirty].rows[*w].access
	}
	return w
}

func (t *Table) touch(s *slotRows, off uint32, h header, now uint32) {
	w := t.accessOf(s, off, h)
	old := atomic.LoadUint32(w)
	if fresh := used(old, now, t.cfg.Frequency); fresh != old {
		atomic.StoreUint32(w, fresh) // a lost race between two readers loses a count
	}
}

// Usage returns how long ago in seconds a row was used, and its access
// frequency (0–255, decayed to now). Needs the slot lock; false if the row is
// not in memory.
func (t *Table) Usage(k Key, now uint32) (idleSeconds, frequency uint32, ok bool) {
	s := &t.slots[k.Slot]
	off, h := t.lookup(s, &k)
	if off == 0 || h.absent() {
		return 0, 0, false
	}
	access := atomic.LoadUint32(t.accessOf(s, off, h))
	return idle(access, now), decayed(access, now), true
}

// SetUsage sets what Usage returns (RESTORE IDLETIME, FREQ). Needs the write lock.
func (t *Table) SetUsage(k Key, idleSeconds, frequency, now uint32) {
	s := &t.slots[k.Slot]
	if off, h := t.lookup(s, &k); off != 0 {
		atomic.StoreUint32(t.accessOf(s, off, h),
			(now-idleSeconds)&clockMask<<clockShift|usedBit|min(frequency, frequencyMask))
	}
}
