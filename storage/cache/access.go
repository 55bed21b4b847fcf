package cache

import (
	"math/rand/v2"
	"sync/atomic"
)

// The access word: clock 23 | used 1 | frequency 8. The clock counts seconds
// and wraps after 97 days; "used" is the bit of the CLOCK sweep; the frequency is
// Redis' logarithmic counter.
const (
	clockShift    = 9
	clockMask     = 1<<23 - 1
	usedBit       = 1 << 8
	frequencyMask = 255
	frequencyInit = NewFrequency
)

// NewFrequency is the access frequency of a new row.
const NewFrequency = 5

func newAccess(now uint32) uint32 {
	return now&clockMask<<clockShift | usedBit | frequencyInit
}

// SetFrequency says whether uses are counted (an LFU policy), how slowly the
// counter grows (lfu-log-factor), and after how many minutes it loses one (0: never).
func (t *Table) SetFrequency(count bool, logFactor, decayMinutes uint32) {
	lfu := uint64(logFactor&lfuFactorMask)<<32 | uint64(decayMinutes)
	if count {
		lfu |= lfuCounts
	}
	t.lfu.Store(lfu)
}

// Counts reports whether uses are counted.
func (t *Table) Counts() bool { return t.lfu.Load()&lfuCounts != 0 }

// The word of SetFrequency: counts 1 | log factor 31 | minutes 32.
const (
	lfuCounts     = 1 << 63
	lfuFactorMask = 1<<31 - 1
)

func used(access, now uint32, lfu uint64) uint32 {
	f := access & frequencyMask
	if lfu&lfuCounts != 0 {
		f = increased(decayed(access, now, lfu), lfu)
	}
	return now&clockMask<<clockShift | usedBit | f
}

// changed is used without counting, unless count: the counter still loses what time
// takes. A row that was absent (h is what it was) begins anew.
func changed(access, now uint32, lfu uint64, count bool, h header) uint32 {
	if h.absent() {
		return newAccess(now)
	}
	if count {
		return used(access, now, lfu)
	}
	f := access & frequencyMask
	if lfu&lfuCounts != 0 {
		f = decayed(access, now, lfu)
	}
	return now&clockMask<<clockShift | usedBit | f
}

func idle(access, now uint32) uint32 { return (now - access>>clockShift) & clockMask }

func decayed(access, now uint32, lfu uint64) uint32 {
	f := access & frequencyMask
	minutes := uint32(lfu)
	if minutes == 0 {
		return f
	}
	return f - min(f, idle(access, now)/60/minutes)
}

func increased(f uint32, lfu uint64) uint32 {
	if f == frequencyMask {
		return f
	}
	above := float64(0)
	if f > frequencyInit {
		above = float64(f - frequencyInit)
	}
	if rand.Float64() < 1/(above*float64(lfu>>32&lfuFactorMask)+1) {
		f++
	}
	return f
}

// accessOf is where the access word of an entry is: dirty rows keep it in their list.
func (t *Table) accessOf(s *slotRows, off uint32, h header) *uint32 {
	w := t.arena.word(off, 1)
	if h.dirty() {
		return &s.dirty[h.state()-stateDirty].rows[*w&^newBit].access
	}
	return w
}

func (t *Table) touch(s *slotRows, off uint32, h header, now uint32) {
	w := t.accessOf(s, off, h)
	old := atomic.LoadUint32(w)
	if fresh := used(old, now, t.lfu.Load()); fresh != old {
		atomic.StoreUint32(w, fresh) // a lost race between two readers loses a count
	}
}

// SetUsage makes a row one that was last used some seconds ago (as far as the clock
// tells, 97 days), with an access frequency; what is negative stays. Needs the slot's
// write lock.
func (t *Table) SetUsage(k Key, now uint32, idleSeconds, frequency int64) {
	s := &t.slots[k.Slot]
	off, h := t.lookup(s, &k)
	if off == 0 || h.absent() {
		return
	}
	w := t.accessOf(s, off, h)
	access := atomic.LoadUint32(w)
	if idleSeconds >= 0 {
		access = access&(1<<clockShift-1) | (now-uint32(min(idleSeconds, clockMask)))&clockMask<<clockShift
	}
	if frequency >= 0 {
		access = access&^frequencyMask | uint32(min(frequency, frequencyMask))
	}
	atomic.StoreUint32(w, access)
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
	return idle(access, now), decayed(access, now, t.lfu.Load()), true
}
