package server

import (
	"runtime/debug"
	"runtime/metrics"
)

// heapLimit makes the garbage collector keep the process within the memory budget:
// what rows do not hold is the heap's. The rows are outside of the heap and the
// block cache, the indexes and the buffers in it have hardly any pointers, so a
// collection is cheap and frequent ones cost less than memory that lies idle.
// One goroutine uses it.
type heapLimit struct {
	limit   int64
	percent int
}

const (
	// mappedBytes is the resident part of the binary, which neither the heap nor the
	// rows count.
	mappedBytes = 20 << 20
	// heapSlack is what the heap may grow between collections at least, whatever
	// the budget says: without slack the collector would run without end.
	heapSlack = 16 << 20
	// heapGarbage is how much garbage a heap may gather where the budget has room, of
	// a small budget a part.
	heapGarbage      = 24 << 20
	heapGarbageShare = 10
)

// govern adapts the collector to what rows hold now, in bytes.
func (h *heapLimit) govern(budget, rows int64) {
	live, beside := heapUse()
	limit := max(budget-rows-mappedBytes, beside+live+live/8+heapSlack)
	if d := limit - h.limit; d > limit/32 || d < -limit/32 {
		h.limit = limit
		debug.SetMemoryLimit(limit)
	}
	percent := int(min(max(min(heapGarbage, budget/heapGarbageShare)*100/max(live, 1), 15), 100))
	if d := percent - h.percent; d > h.percent/4 || d < -h.percent/4 {
		h.percent = percent
		debug.SetGCPercent(percent)
	}
}

// heapUse returns the bytes of the heap that the last collection found in use, and what
// the runtime holds beside objects: stacks, its own tables, the unused ends of spans. A
// memory limit counts these, too. Where they alone were more than the slack, the
// collector ran up to a hundred times a second.
func heapUse() (live, beside int64) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	sizes := make([]int64, len(samples))
	for i := range samples {
		sizes[i] = int64(samples[i].Value.Uint64())
	}
	return sizes[0], max(sizes[1]-sizes[2]-sizes[3]-sizes[4], 0)
}
