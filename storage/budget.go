package storage

import (
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// limits are what Options.Budget comes to. They may change while the engine runs.
type limits struct{ budget, rows, generation, dirty atomic.Int64 }

// share is how a budget is divided: rows, blocks for scans, and filters and indexes by
// which rows are looked up. What is left of it is for the process itself:
// tables under construction, lists of dirty rows, buffers, and the slack that a
// garbage collector needs.
type share struct{ table, blocks, looks int64 }

const (
	// processBytes is what a process needs that holds nothing; of a small budget it
	// gets a quarter.
	processBytes = 32 << 20
	// maxGeneration bounds the replay after a crash: no more than two generations are
	// dirty, one that is flushed and one that grows. Larger ones save little compaction.
	maxGeneration = 256 << 20
	maxDirty      = 2 * maxGeneration
)

func shareOf(budget int64) share {
	rest := budget - min(processBytes, budget/4)
	return share{table: rest / 100 * 66, blocks: rest / 100 * 5, looks: rest / 100 * 12}
}

// smallCache is what the block cache has while the table has room for every row that is
// read: a table that is not full has evicted nothing, so that a block is hardly asked twice.
const smallCache = 16 << 20

// cacheFor is the block cache's size when the table holds so many bytes of rows.
func (s share) cacheFor(rows int64) int64 {
	if rows < s.table/10*8 {
		return min(s.blocks, smallCache)
	}
	return s.blocks
}

// AdaptCache gives the block cache the size that fits what the table holds now. It is
// to be called now and then.
func (e *Engine) AdaptCache() {
	e.blocks.resize(shareOf(e.limits.budget.Load()).cacheFor(e.RowBytes()))
}

// SetBudget changes Options.Budget. More memory is used as it is needed; what
// exceeds a smaller budget is evicted in the background.
func (e *Engine) SetBudget(budget int64) {
	s := shareOf(budget)
	e.limits.budget.Store(budget)
	dirty := e.opts.MaxDirtyBytes
	if dirty == 0 {
		dirty = min(s.table/2, maxDirty)
	}
	generation := e.opts.GenerationBytes
	if generation == 0 {
		generation = min(dirty/2, maxGeneration)
	}
	e.limits.rows.Store(s.table)
	e.limits.dirty.Store(dirty)
	e.limits.generation.Store(generation)
	rows := int64(0)
	if e.table != nil {
		rows = e.RowBytes()
	}
	e.blocks.resize(s.cacheFor(rows))
	if e.table != nil {
		e.table.SetMaxBytes(s.table)
		e.unthrottle()
		go e.shrink()
	}
}

// AdaptRows lets rows have more or less than their share, so that what the process has
// resident, in bytes, comes to the budget: what else it holds (the binary, the
// collector's slack, buffers of clients) is known only then. It is to be called about
// once a second, by whoever calls SetBudget. Evictions follow with the next rows.
func (e *Engine) AdaptRows(resident int64) {
	budget, bound := e.limits.budget.Load(), e.limits.rows.Load()
	stats := e.table.Stats()
	full := stats.SegmentBytes+stats.IndexBytes+stats.LargeBytes > bound/32*31
	if next := shareOf(budget).rowsFor(budget, bound, resident, full); next != bound {
		e.limits.rows.Store(next)
		e.table.SetMaxBytes(next)
	}
}

// rowsFor is the bound of rows that follows bound where the process has so much resident.
// It goes a fourth of the way, for what is resident comes and goes, and follows what is
// evicted late; and not far from the share, for then something else is wrong.
func (s share) rowsFor(budget, bound, resident int64, full bool) int64 {
	over := resident - budget
	if over < 0 && !full || over > -budget/32 && over < budget/64 {
		return bound
	}
	return min(max(bound-over/4, s.table/10*7), s.table/10*12)
}

// shrink evicts what exceeds the budget.
func (e *Engine) shrink() {
	if e.Flush() != nil || e.lockStore() != nil {
		return // closed
	}
	defer e.flushing.Unlock()
	e.table.Shrink()
}

// blockCacheBound is the size that the block cache is made with. What it may hold
// is less by a reservation, for a cache cannot be resized, but a reservation can.
const blockCacheBound = 1 << 40

// blockCache is the store's cache of blocks, of a size that can change.
type blockCache struct {
	mu      sync.Mutex
	cache   *pebble.Cache
	release func() // of the reservation
	size    int64  // what it may hold
}

func (b *blockCache) resize(size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cache == nil || b.release != nil && b.size == size {
		return
	}
	b.size = size
	if b.release != nil {
		b.release() // first: two reservations at a time would empty the cache
	}
	b.release = b.cache.Reserve(int(blockCacheBound - size))
}

func (b *blockCache) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cache != nil {
		b.cache.Unref()
		b.cache, b.release = nil, nil
	}
}

// bytes is what the cache holds.
func (b *blockCache) bytes() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cache == nil {
		return 0
	}
	return b.cache.Size()
}

// Memory is where the engine's memory is, in bytes.
type Memory struct {
	Rows      int64 // row table: segments, outside of the Go heap
	Index     int64 // and its index
	LargeRows int64 // and rows kept apart
	Dirty     int64 // part of Rows and LargeRows that is not in the store yet
	Blocks    int64 // block cache
	Tables    int64 // open tables and memtables of the store
}

// Memory says where the engine's memory is. It takes some microseconds.
func (e *Engine) Memory() Memory {
	rows := e.table.Stats()
	m := Memory{Rows: e.table.ResidentBytes(), Index: rows.IndexBytes, LargeRows: rows.LargeBytes, Dirty: rows.DirtyBytes, Blocks: e.blocks.bytes()}
	e.stores.RLock()
	defer e.stores.RUnlock()
	if e.store != nil && e.failure() == nil { // a stopped Pebble may hold its lock for good
		metrics := e.store.Metrics()
		m.Tables = int64(metrics.MemTable.Size) + metrics.FileCache.Size + e.sorted.Bytes()
	}
	return m
}

// RowBytes is Memory().Rows, at no cost.
func (e *Engine) RowBytes() int64 { return e.table.ResidentBytes() }
