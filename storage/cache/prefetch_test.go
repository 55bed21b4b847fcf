package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// TestPrefetch: whatever the hints are, no lock is kept or waited for, and nothing changes.
func TestPrefetch(t *testing.T) {
	table := newTestTable(t, 64<<20)
	var hints []Hint
	for i := range 1000 {
		k := metaKey(fmt.Sprintf("{tag%d}%d", i%10, i))
		if i%3 != 0 {
			table.Lock(k.Slot)
			table.Put(k, make([]byte, i%700), 1, true)
			table.Unlock(k.Slot)
		}
		hints = append(hints, Hint{Slot: k.Slot, Hash: k.Hash}, Hint{Slot: k.Slot, Hash: k.Hash + 1})
	}
	table.Prefetch(nil, false)
	table.PrefetchCell(Hint{Slot: 16383}) // a slot without rows
	table.PrefetchEntry(Hint{Slot: 16383})
	busy := hints[0].Slot
	table.Lock(busy)
	table.Prefetch(hints, false) // would hang if it waited
	table.Unlock(busy)
	before := table.Stats()
	table.Prefetch(hints, false)
	for _, h := range hints {
		table.PrefetchCell(h)
		table.PrefetchEntry(h)
	}
	for _, h := range hints {
		if !table.TryLock(h.Slot) {
			t.Fatalf("slot %d stays locked", h.Slot)
		}
		table.Unlock(h.Slot)
	}
	if after := table.Stats(); after != before {
		t.Errorf("%+v became %+v", before, after)
	}
}

// TestLines: what one lookup of a slot needs is laid out for the processor's cache.
func TestLines(t *testing.T) {
	table := newTestTable(t, 64<<20)
	s := &table.slots[0]
	if size := unsafe.Sizeof(*s); size%cacheLine != 0 || uintptr(unsafe.Pointer(s))%cacheLine != 0 {
		t.Errorf("slots of %d bytes begin at %p", size, s)
	}
	if end := unsafe.Offsetof(s.index) + unsafe.Offsetof(s.index.dir) + 8; end > cacheLine {
		t.Errorf("lock and index end at %d", end)
	}
	for p := range s.dirty {
		if at := uintptr(unsafe.Pointer(&s.dirty[p])); at%cacheLine != 0 {
			t.Errorf("dirty list %d begins at %x", p, at)
		}
	}
}

// BenchmarkPrefetched is BenchmarkGet with sixteen lookups announced together.
func BenchmarkPrefetched(b *testing.B) {
	keys := benchKeys(1 << 20)
	table := newTestTable(b, 1<<30)
	value := make([]byte, 100)
	for _, k := range keys {
		table.Lock(k.Slot)
		table.Put(k, value, 1, true)
		table.Unlock(k.Slot)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	var group [16]Key
	var hints [16]Hint
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N / len(group) {
		for i := range group {
			group[i] = keys[rng.Uint32()&(1<<20-1)]
			hints[i] = Hint{Slot: group[i].Slot, Hash: group[i].Hash}
		}
		table.Prefetch(hints[:], false)
		for _, k := range group {
			table.RLock(k.Slot)
			table.Get(k, 1)
			table.RUnlock(k.Slot)
		}
	}
}
